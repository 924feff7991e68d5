"""Checkpoints of real architectures with random weights: what the generative workflows run on where no weights are.

The shapes come from diffusers' and transformers' own classes in the published configurations, the names from the
layout in which checkpoints are handed round, and the values from a seed. A file is built once into a cache outside of
the repository. As a command: ``python tests/comfyui/random_weights.py [FOLDER]``.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

SD15_NAME = "v1-5-pruned-emaonly-fp16.safetensors"
SDXL_NAME = "sd_xl_base_1.0.safetensors"
TINY_VAE_NAME = "tiny_vae.safetensors"
SEED = 20261120
VERSION = "3"
"""Counts up when the values or names that are written change, so that an older file in a cache is built again."""

PREDICTION_SCALE = 0.5
"""Standard deviation of the last layer's output, roughly: a trained network predicts noise of 1. The less this one
predicts, the less it draws over the picture that img2img starts from."""

SD15_UNET: dict[str, Any] = {
    "sample_size": 64,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
}
"""runwayml/stable-diffusion-v1-5, unet/config.json; what is not named here is the class's default there too."""

SDXL_UNET: dict[str, Any] = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "layers_per_block": 2,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "transformer_layers_per_block": (1, 2, 10),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
"""stabilityai/stable-diffusion-xl-base-1.0, unet/config.json."""

CLIP_L: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
    "hidden_act": "quick_gelu",
}
"""openai/clip-vit-large-patch14, the text half."""

CLIP_G: dict[str, Any] = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
    "hidden_act": "gelu",
}
"""laion/CLIP-ViT-bigG-14-laion2B-39B-b160k, the text half."""

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_MIDDLE = {"resnets.0": "middle_block.0", "attentions.0": "middle_block.1", "resnets.1": "middle_block.2"}

_OPEN_CLIP = {
    "text_model.encoder.layers": "transformer.resblocks",
    "text_model.embeddings.token_embedding": "token_embedding",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm": "ln_final",
    "layer_norm": "ln_",
    "self_attn": "attn",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def cache_folder() -> Path:
    """``LIKENESS_TEST_CHECKPOINTS``, or a folder of the user's cache."""
    override = os.environ.get("LIKENESS_TEST_CHECKPOINTS")
    if override:
        return Path(override).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("likeness-studio", appauthor=False)) / "random-weights"


def sd15_checkpoint(folder: Path, vae: Path | None = None) -> Path:
    """Stable Diffusion 1.5 with random weights (2 GB, half precision) as one file that CheckpointLoaderSimple reads.

    The file holds the autoencoder in `vae` (as `likeness train tiny-vae` writes it), or an untrained one of the same
    architecture. It is built again when `vae` is another than the one inside.
    """
    made_of = f"{VERSION} {SEED} {_digest(vae)}"
    target = folder / SD15_NAME
    if _made_of(target) == made_of:
        return target
    tensors = {f"model.diffusion_model.{key}": value for key, value in unet_weights(SD15_UNET)}
    tensors |= {f"cond_stage_model.transformer.{key}": value for key, value in text_weights(CLIP_L)}
    tensors |= {f"first_stage_model.{key}": value.contiguous() for key, value in _autoencoder(vae).items()}
    return _save(target, tensors, made_of)


def sdxl_checkpoint(folder: Path, vae: Path | None = None) -> Path:
    """SDXL base 1.0 with random weights (7 GB on disk and in memory), otherwise as `sd15_checkpoint`."""
    made_of = f"{VERSION} {SEED} {_digest(vae)}"
    target = folder / SDXL_NAME
    if _made_of(target) == made_of:
        return target
    tensors = {f"model.diffusion_model.{key}": value for key, value in unet_weights(SDXL_UNET)}
    tensors |= {f"conditioner.embedders.0.transformer.{key}": value for key, value in text_weights(CLIP_L)}
    large = open_clip_layout(dict(text_weights(CLIP_G)))
    tensors |= {f"conditioner.embedders.1.model.{key}": value for key, value in large.items()}
    autoencoder = _autoencoder(vae) | {"vae_scale": torch.tensor(0.13025)}
    tensors |= {f"first_stage_model.{key}": value.contiguous() for key, value in autoencoder.items()}
    return _save(target, tensors, made_of)


def placeholder(target: Path) -> Path:
    """A small valid safetensors file with a tensor of no model, for graphs that are validated and not run."""
    if not target.exists():
        _save(target, {"placeholder": torch.zeros(1)}, "placeholder")
    return target


def unet_weights(config: dict[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    """The denoising network's tensors in half precision by their names in a checkpoint."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    with torch.device("meta"):
        shapes = UNet2DConditionModel(**config).state_dict()
    stages = len(config["block_out_channels"])
    with_attention = {key.split(".attentions")[0] for key in shapes if ".attentions" in key}
    for key, value in shapes.items():
        name = checkpoint_name(key, stages, with_attention)
        gain = PREDICTION_SCALE if key.startswith("conv_out") else 1.0
        yield name, random_tensor(name, tuple(value.shape), gain)


def text_weights(config: dict[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    """A CLIP text encoder's tensors in half precision, by the names in which they are published."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    projected = config["hidden_size"] == CLIP_G["hidden_size"]
    with torch.device("meta"):
        shapes = (CLIPTextModelWithProjection if projected else CLIPTextModel)(CLIPTextConfig(**config)).state_dict()
    for key, value in shapes.items():
        if key.endswith("position_ids"):
            continue
        published = key if key.startswith(("text_model.", "text_projection")) else f"text_model.{key}"
        yield published, random_tensor(published, tuple(value.shape))


def open_clip_layout(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A text encoder under the names of OpenCLIP, as SDXL's checkpoint has its large one: q, k and v are one matrix."""
    renamed: dict[str, torch.Tensor] = {}
    for key, value in weights.items():
        if key == "text_projection.weight":
            renamed["text_projection"] = value.T.contiguous()
        elif "_proj." in key and ".out_proj." not in key:
            base, end = key.split(".q_proj.") if ".q_proj." in key else ("", "")
            if base:
                parts = [weights[f"{base}.{part}_proj.{end}"] for part in "qkv"]
                renamed[f"{_open_clip(base)}.in_proj_{end}"] = torch.cat(parts)
        else:
            renamed[_open_clip(key)] = value
    return renamed


def checkpoint_name(key: str, stages: int, with_attention: set[str]) -> str:
    """The name in a checkpoint of the tensor that diffusers calls `key`, for networks with two layers in a block.

    `stages` is the number of down blocks; `with_attention` the blocks that have attention, such as ``up_blocks.1``.
    """
    for ours, theirs in _ENDS.items():
        if key.startswith(f"{ours}."):
            return theirs + key[len(ours) :]
    middle = re.match(r"mid_block\.((?:resnets|attentions)\.\d)\.(.+)", key)
    if middle:
        return f"{_MIDDLE[middle[1]]}.{_inner(middle[2])}"
    found = re.match(r"(down|up)_blocks\.(\d)\.(resnets|attentions|downsamplers|upsamplers)\.(\d)\.(.+)", key)
    if found is None:
        raise KeyError(key)
    way, block, part, layer, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    if part == "downsamplers":
        assert block < stages - 1
        return f"input_blocks.{3 * block + 3}.0.op{rest.removeprefix('conv')}"
    if part == "upsamplers":
        return f"output_blocks.{3 * block + 2}.{1 + (f'up_blocks.{block}' in with_attention)}.{rest}"
    place = 3 * block + layer
    blocks = f"input_blocks.{place + 1}" if way == "down" else f"output_blocks.{place}"
    return f"{blocks}.{int(part == 'attentions')}.{_inner(rest)}"


def random_tensor(name: str, shape: tuple[int, ...], gain: float = 1.0) -> torch.Tensor:
    """Values that keep a signal's size from layer to layer, in half precision; the same for a name every time.

    Weights are normal with variance 1 / fan-in, norms start at one, biases at zero, embeddings at CLIP's 0.02.
    """
    if len(shape) < 2:
        return torch.full(shape, float(_is_scale(name)), dtype=torch.float16)
    deviation = 0.02 if "embedding.weight" in name else gain / math.sqrt(math.prod(shape[1:]))
    generator = torch.Generator().manual_seed(SEED + zlib.crc32(name.encode()))
    return torch.randn(shape, generator=generator).mul_(deviation).half()


def _open_clip(key: str) -> str:
    for theirs, name in _OPEN_CLIP.items():
        key = key.replace(theirs, name)
    return key


def _is_scale(name: str) -> bool:
    """Whether a vector is a norm's scale: everything that is a weight and no matrix."""
    return name.endswith("weight")


def _inner(rest: str) -> str:
    first, dot, last = rest.partition(".")
    return _RESNET.get(first, first) + dot + last


def _autoencoder(vae: Path | None) -> dict[str, torch.Tensor]:
    if vae is not None:
        return load_file(vae)
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    torch.manual_seed(SEED)
    weights = {}
    for key, value in AutoencoderTiny().state_dict().items():
        half, _, layer, rest = key.split(".", 3)
        weights[f"taesd_{half}.{int(layer) + (half == 'decoder')}.{rest}"] = value
    return weights | {"vae_scale": torch.tensor(0.18215), "vae_shift": torch.tensor(0.0)}


def _digest(file: Path | None) -> str:
    return "untrained" if file is None else hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _made_of(file: Path) -> str:
    if not file.is_file():
        return ""
    with safe_open(file, "pt") as content:
        return (content.metadata() or {}).get("likeness_made_of", "")


def _save(target: Path, tensors: dict[str, torch.Tensor], made_of: str) -> Path:
    """Write beside the target and move into place: a half-written file is never taken for a checkpoint."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    save_file(tensors, part, {"likeness_made_of": made_of, "format": "pt"})
    part.replace(target)
    return target


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else cache_folder()
    trained = place / TINY_VAE_NAME
    print(sd15_checkpoint(place, trained if trained.is_file() else None))
