"""LoRA files in every format, made by the tests, with the change that each must have worked out by itself."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

ATTENTION = "down_blocks_0_attentions_0_transformer_blocks_0"
LINEAR = {
    f"lora_unet_{ATTENTION}_attn1_to_q": (
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q",
        "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight",
    ),
    f"lora_unet_{ATTENTION}_attn2_to_k": (
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k",
        "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
    ),
    "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_out_0": (
        "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out",
        "diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_out.0.weight",
    ),
}
CONV = {
    "lora_unet_down_blocks_0_resnets_0_conv1": (
        "unet.down_blocks.0.resnets.0.conv1",
        "diffusion_model.input_blocks.1.0.in_layers.2.weight",
    ),
}
NORM = {
    "lora_unet_down_blocks_0_resnets_0_norm1": (
        "unet.down_blocks.0.resnets.0.norm1",
        "diffusion_model.input_blocks.1.0.in_layers.0.weight",
    ),
}
TEXT = {
    "lora_te_text_model_encoder_layers_0_self_attn_q_proj": (
        "text_encoder.text_model.encoder.layers.0.self_attn.q_proj",
        "clip_l.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight",
    ),
}
"""kohya's name of a layer of SD 1.5, diffusers' name, and the name of the model's weight."""


def shapes(width: int = 32) -> dict[str, tuple[int, ...]]:
    """The shapes of these layers in an SD 1.5 UNet of that width (320 is the real one)."""
    found: dict[str, tuple[int, ...]] = {}
    for name in LINEAR:
        size = 4 * width if "mid_block" in name else width
        found[name] = (size, 768 if "attn2_to_k" in name else size)
    found |= dict.fromkeys(CONV, (width, width, 3, 3))
    found |= dict.fromkeys(NORM, (width,))
    return found | dict.fromkeys(TEXT, (768, 768))


def _random(*shape: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(*shape, generator=generator) * 0.3


class Made:
    """Tensors of a LoRA and, by the model's weight names, the changes that they stand for."""

    def __init__(self, seed: int = 0) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self.deltas: dict[str, torch.Tensor] = {}
        self.generator = torch.Generator().manual_seed(seed)

    def random(self, *shape: int) -> torch.Tensor:
        return _random(*shape, generator=self.generator)

    def save(self, path: Path, metadata: dict[str, str] | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in self.tensors.items()}, path, metadata)
        return path


def every_format() -> list[str]:
    return list(FORMATS)


def make(kind: str, seed: int = 0, width: int = 32, rank: int = 4, alpha: float = 2.0, text: bool = False) -> Made:
    """A LoRA of that format on a few layers of a narrow SD 1.5."""
    made = Made(seed)
    size = shapes(width)
    names = {"conv": CONV, "norm": NORM}.get(kind.split(" ")[0], LINEAR) | (TEXT if text else {})
    for kohya, (diffusers, weight) in names.items():
        FORMATS[kind](made, kohya, diffusers, weight, size[kohya], rank, alpha)
    return made


def _matrices(made, shape, rank):
    columns = 1
    for size in shape[1:]:
        columns *= size
    return made.random(shape[0], rank), made.random(rank, columns)


def _kohya(made, kohya, diffusers, weight, shape, rank, alpha):
    up, down = _matrices(made, shape, rank)
    made.tensors |= {f"{kohya}.lora_up.weight": up, f"{kohya}.lora_down.weight": down}
    made.tensors[f"{kohya}.alpha"] = torch.tensor(alpha)
    made.deltas[weight] = (alpha / rank) * (up.double() @ down.double())


def _kohya_original_names(made, kohya, diffusers, weight, shape, rank, alpha):
    flat = "lora_unet_" + weight.removeprefix("diffusion_model.").removesuffix(".weight").replace(".", "_")
    _kohya(made, kohya if "lora_te" in kohya else flat, diffusers, weight, shape, rank, alpha)


def _peft(made, kohya, diffusers, weight, shape, rank, alpha):
    up, down = _matrices(made, shape, rank)
    made.tensors |= {f"{diffusers}.lora_B.weight": up, f"{diffusers}.lora_A.weight": down}
    made.deltas[weight] = up.double() @ down.double()


def _diffusers(made, kohya, diffusers, weight, shape, rank, alpha):
    up, down = _matrices(made, shape, rank)
    made.tensors |= {f"{diffusers}.lora.up.weight": up, f"{diffusers}.lora.down.weight": down}
    made.deltas[weight] = up.double() @ down.double()


def _old_diffusers(made, kohya, diffusers, weight, shape, rank, alpha):
    up, down = _matrices(made, shape, rank)
    made.tensors |= {f"{diffusers}_lora.up.weight": up, f"{diffusers}_lora.down.weight": down}
    made.deltas[weight] = up.double() @ down.double()


def _conv(made, kohya, diffusers, weight, shape, rank, alpha):
    up, down = made.random(shape[0], rank, 1, 1), made.random(rank, *shape[1:])
    made.tensors |= {f"{kohya}.lora_up.weight": up, f"{kohya}.lora_down.weight": down}
    made.tensors[f"{kohya}.alpha"] = torch.tensor(alpha)
    made.deltas[weight] = (alpha / rank) * torch.einsum("or,rikl->oikl", up[..., 0, 0].double(), down.double())


def _conv_tucker(made, kohya, diffusers, weight, shape, rank, alpha):
    up, mid, down = (
        made.random(shape[0], rank, 1, 1),
        made.random(rank, rank, *shape[2:]),
        made.random(rank, shape[1], 1, 1),
    )
    made.tensors |= {
        f"{kohya}.lora_up.weight": up,
        f"{kohya}.lora_mid.weight": mid,
        f"{kohya}.lora_down.weight": down,
        f"{kohya}.alpha": torch.tensor(alpha),
    }
    through = torch.einsum("om,mnkl,ni->oikl", up[..., 0, 0].double(), mid.double(), down[..., 0, 0].double())
    made.deltas[weight] = (alpha / rank) * through


def _loha(made, kohya, diffusers, weight, shape, rank, alpha):
    parts = {}
    for number in (1, 2):
        parts[f"hada_w{number}_a"], parts[f"hada_w{number}_b"] = _matrices(made, shape, rank)
    made.tensors |= {f"{kohya}.{name}": tensor for name, tensor in parts.items()}
    made.tensors[f"{kohya}.alpha"] = torch.tensor(alpha)
    first, second = (parts[f"hada_w{n}_a"].double() @ parts[f"hada_w{n}_b"].double() for n in (1, 2))
    made.deltas[weight] = (alpha / rank) * (first * second).reshape(shape)


def _loha_tucker(made, kohya, diffusers, weight, shape, rank, alpha):
    whole = []
    for number in (1, 2):
        core, a, b = made.random(rank, rank, *shape[2:]), made.random(rank, shape[0]), made.random(rank, shape[1])
        made.tensors |= {
            f"{kohya}.hada_t{number}": core,
            f"{kohya}.hada_w{number}_a": a,
            f"{kohya}.hada_w{number}_b": b,
        }
        whole.append(torch.einsum("ijkl,io,jc->ockl", core.double(), a.double(), b.double()))
    made.tensors[f"{kohya}.alpha"] = torch.tensor(alpha)
    made.deltas[weight] = (alpha / rank) * whole[0] * whole[1]


def _lokr(made, kohya, diffusers, weight, shape, rank, alpha):
    left = made.random(4, 4)
    right_up, right_down = made.random(shape[0] // 4, rank), made.random(rank, shape[1] // 4)
    made.tensors |= {
        f"{kohya}.lokr_w1": left,
        f"{kohya}.lokr_w2_a": right_up,
        f"{kohya}.lokr_w2_b": right_down,
        f"{kohya}.alpha": torch.tensor(alpha),
    }
    made.deltas[weight] = (alpha / rank) * torch.kron(left.double(), right_up.double() @ right_down.double())


def _lokr_tucker(made, kohya, diffusers, weight, shape, rank, alpha):
    left, core = made.random(2, 2), made.random(rank, rank, *shape[2:])
    up, down = made.random(rank, shape[0] // 2), made.random(rank, shape[1] // 2)
    made.tensors |= {
        f"{kohya}.lokr_w1": left,
        f"{kohya}.lokr_t2": core,
        f"{kohya}.lokr_w2_a": up,
        f"{kohya}.lokr_w2_b": down,
        f"{kohya}.alpha": torch.tensor(alpha),
    }
    right = torch.einsum("ijkl,io,jc->ockl", core.double(), up.double(), down.double())
    change = torch.einsum("ab,ockl->aobckl", left.double(), right)
    made.deltas[weight] = (alpha / rank) * change.reshape(shape)


def _lokr_whole(made, kohya, diffusers, weight, shape, rank, alpha):
    left, right = made.random(2, 2), made.random(shape[0] // 2, shape[1] // 2, *shape[2:])
    made.tensors |= {f"{kohya}.lokr_w1": left, f"{kohya}.lokr_w2": right, f"{kohya}.alpha": torch.tensor(alpha)}
    left = left.reshape(2, 2, *[1] * (right.ndim - 2))
    made.deltas[weight] = torch.kron(left.double(), right.double())


def _difference(made, kohya, diffusers, weight, shape, rank, alpha):
    made.tensors[f"{kohya}.diff"] = change = made.random(*shape)
    made.tensors[f"{kohya}.diff_b"] = bias = made.random(shape[0])
    made.deltas[weight] = change.double()
    made.deltas[weight.removesuffix("weight") + "bias"] = bias.double()


def _norm(made, kohya, diffusers, weight, shape, rank, alpha):
    made.tensors[f"{kohya}.w_norm"] = change = made.random(*shape)
    made.tensors[f"{kohya}.b_norm"] = bias = made.random(*shape)
    made.deltas[weight] = change.double()
    made.deltas[weight.removesuffix("weight") + "bias"] = bias.double()


FORMATS = {
    "kohya": _kohya,
    "kohya, original names": _kohya_original_names,
    "peft": _peft,
    "diffusers": _diffusers,
    "old diffusers": _old_diffusers,
    "conv": _conv,
    "conv tucker": _conv_tucker,
    "loha": _loha,
    "conv loha": _loha,
    "conv loha tucker": _loha_tucker,
    "lokr": _lokr,
    "lokr whole": _lokr_whole,
    "conv lokr whole": _lokr_whole,
    "conv lokr tucker": _lokr_tucker,
    "conv difference": _difference,
    "norm": _norm,
}
