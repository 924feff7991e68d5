"""Which base model a LoRA was made for: one name for one layer, then the shapes of its layers, then its metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .layers import Layer

TEXT_PREFIXES = ("lora_te", "text_encoder", "lora_prior_te", "lora_clip")

PREFIXES = ("lora_unet_", "lycoris_", "unet.", "diffusion_model.", "lora_transformer_", "transformer.", "")

ONE_TEXT_ENCODER = {"SD 1.5", "SD 2"}
OWN_NAMES = {"Qwen-Image", "HiDream"}
"""Models whose layers have the same names in diffusers; ComfyUI takes these after any of the prefixes."""

TRANSFORMER_NAMES = {"Flux", "SD 3"}
"""Models whose layers have other names in diffusers, which ComfyUI takes as `lora_transformer_`."""

_RESNET = {
    "in_layers_0": "norm1", "in_layers_2": "conv1", "emb_layers_1": "time_emb_proj",
    "out_layers_0": "norm2", "out_layers_3": "conv2", "skip_connection": "conv_shortcut",
}  # fmt: skip
_OUTSIDE = {
    "time_embed_0": "time_embedding_linear_1", "time_embed_2": "time_embedding_linear_2",
    "label_emb_0_0": "add_embedding_linear_1", "label_emb_0_2": "add_embedding_linear_2",
    "input_blocks_0_0": "conv_in", "out_0": "conv_norm_out", "out_2": "conv_out",
}  # fmt: skip
"""Names inside the original Stable Diffusion UNet, and diffusers' names for the same layers."""

_ORIGINAL = re.compile(r"(input_blocks|output_blocks)_(\d+)_(\d+)_(.+)")
_MIDDLE = re.compile(r"middle_block_([012])_(.+)")
_UNET = re.compile(r"(down_blocks|up_blocks|mid_block|conv_in|conv_out|time_embedding|add_embedding)[._]")


def is_text(base: str) -> bool:
    """Whether a layer belongs to a text encoder."""
    return base.startswith(TEXT_PREFIXES)


def canonical(base: str, family: str = "unknown") -> str:
    """The name of a layer in kohya's style with diffusers' blocks, the same for every naming of one layer.

    `family` is the base model's name (see family.py): kohya begins text layers with ``lora_te_`` where there is one
    text encoder, and some models' layers have the same names in diffusers as in the model itself. A name that has no
    such form comes back as it is.
    """
    if is_text(base):
        return _text(base, family in ONE_TEXT_ENCODER)
    prefix, rest = split_prefix(base)
    flat = flat_name(rest)
    unet = _diffusers_unet(flat)
    if unet is not None:
        return f"lora_unet_{unet}"
    if prefix in ("lora_unet_", "diffusion_model.") or family in OWN_NAMES:
        return f"lora_unet_{flat}"
    if prefix == "lora_transformer_" or family in TRANSFORMER_NAMES:
        return f"lora_transformer_{flat}"
    return base


def split_prefix(base: str) -> tuple[str, str]:
    """What tells the part of the pipeline, and the name inside it."""
    prefix = next(each for each in PREFIXES if base.startswith(each))
    return prefix, base[len(prefix) :]


def flat_name(rest: str) -> str:
    """A name inside a model with underscores only, as kohya writes it."""
    return re.sub(r"_to_out$", "_to_out_0", rest.replace(".processor.", ".").replace(".", "_"))


def _text(base: str, one: bool) -> str:
    flat = base.replace(".", "_")
    number = re.match(r"(?:lora_te|text_encoder)_?(\d?)_(.+)", flat)
    if number is None:
        return base
    which = number[1] or "1"
    return f"lora_te_{number[2]}" if one and which == "1" else f"lora_te{which}_{number[2]}"


def _diffusers_unet(flat: str) -> str | None:
    """A Stable Diffusion UNet's layer by diffusers' name, or None for a layer of another kind of model."""
    if _UNET.match(flat + "_"):
        return flat
    if flat in _OUTSIDE:
        return _OUTSIDE[flat]
    middle = _MIDDLE.fullmatch(flat)
    if middle is not None:
        if middle[1] == "1":
            return f"mid_block_attentions_0_{middle[2]}"
        return f"mid_block_resnets_{int(middle[1]) // 2}_{_RESNET.get(middle[2], middle[2])}"
    found = _ORIGINAL.fullmatch(flat)
    if found is None:
        return None
    side, index, part, inner = found[1], int(found[2]), int(found[3]), found[4]
    down = side == "input_blocks"
    block, layer = divmod(index - 1, 3) if down else divmod(index, 3)
    name = f"{'down' if down else 'up'}_blocks_{block}"
    if inner in ("op", "conv"):
        return f"{name}_{'downsamplers' if down else 'upsamplers'}_0_conv"
    if part == 0:
        return f"{name}_resnets_{layer}_{_RESNET.get(inner, inner)}"
    return f"{name}_attentions_{layer}_{inner}"


def block_of(base: str) -> str:
    """The block that a layer belongs to, in words short enough for a chart: ``down 1.0``, ``double 12``, ``te1``."""
    name = canonical(base)
    if is_text(name):
        number = re.match(r"lora_te(\d?)_", name)
        return f"text encoder {(number[1] if number else '') or '1'}"
    name = name.replace(".", "_")
    unet = re.search(r"(down|up)_blocks_(\d+)_(?:attentions|resnets|motion_modules)_(\d+)", name)
    if unet is not None:
        return f"{unet[1]} {unet[2]}.{unet[3]}"
    sampler = re.search(r"(down|up)_blocks_(\d+)_", name)
    if sampler is not None:
        return f"{sampler[1]} {sampler[2]} sampler"
    if "mid_block" in name:
        return "middle"
    block = re.search(
        r"(double|single|joint|single_transformer|joint_transformer|transformer)?_?(blocks|layers)_(\d+)", name
    )
    if block is not None:
        return f"{(block[1] or 'block').replace('_', ' ')} {block[3]}"
    return "other"


def block_order(block: str) -> tuple[int, str, tuple[int, ...]]:
    """Sorts blocks as data passes through them: text encoders, downwards, middle, upwards, and the rest by number."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", block))
    word = " ".join(re.sub(r"[\d.]+", "", block).split())
    places = {"text encoder": 0, "down": 1, "down sampler": 1, "middle": 2, "up": 3, "up sampler": 3, "other": 9}
    place = places.get(word, 5)
    if word.endswith("sampler"):
        numbers = (*numbers, 99)
    return (place, "" if place in (1, 3) else word, numbers)


UNKNOWN = "unknown"

CONTEXT = {768: "SD 1.5", 1024: "SD 2", 1280: "SDXL refiner", 2048: "SDXL"}
"""Width of the text that cross-attention reads in Stable Diffusion's UNets (config `context_dim` of each)."""

TEXT_WIDTH = {768: "SD 1.5", 1024: "SD 2"}
"""Width of the only text encoder, CLIP ViT-L of SD 1.5 and OpenCLIP ViT-H of SD 2 (kohya's `lora_te_`)."""

_FLUX_DOUBLE, _FLUX_SINGLE = 19, 38
"""Blocks of Flux; Hunyuan Video has 20 and 40 of the same width and names."""

_SD3_WIDTHS = {1536, 2432}
_PIXART_WIDTH = 1152

_METADATA = (
    (r"stable-diffusion-xl-v1-refiner|sdxl_refiner", "SDXL refiner"),
    (r"sdxl|stable-diffusion-xl|\bxl\b|pony|illustrious|noobai", "SDXL"),
    (r"sd[_ ]?v?3|stable-diffusion-3|stable diffusion 3", "SD 3"),
    (r"sd_v2|stable-diffusion-v2|stable-diffusion-2|sd ?2\.|stable diffusion 2", "SD 2"),
    (r"sd_v1|sd_?1\.|sd15|stable-diffusion-v1|sd ?1\.|stable diffusion 1", "SD 1.5"),
    (r"chroma", "Chroma"),
    (r"flux", "Flux"),
    (r"qwen", "Qwen-Image"),
    (r"wan_?-?2|^wan", "Wan"),
    (r"hunyuan_?-?image", "Hunyuan Image"),
    (r"hunyuan_?-?video", "Hunyuan Video"),
    (r"auraflow", "AuraFlow"),
    (r"lumina", "Lumina 2"),
    (r"hidream", "HiDream"),
    (r"pixart", "PixArt"),
    (r"cascade", "Stable Cascade"),
    (r"ltx", "LTX-Video"),
)  # fmt: skip
"""What kohya's `ss_base_model_version` and Stability's `modelspec.architecture` say, and what it means."""

METADATA_KEYS = ("modelspec.architecture", "ss_base_model_version", "ss_base_model", "baseModel", "base_model")

_CLASSES = (
    (r"SDXLRefiner", "SDXL refiner"),
    (r"SDXL|SSD1B|Segmind_Vega|KOALA", "SDXL"),
    (r"SD15", "SD 1.5"),
    (r"SD2|SD_X4|LotusD", "SD 2"),
    (r"SD3", "SD 3"),
    (r"Flux", "Flux"),
    (r"Chroma", "Chroma"),
    (r"QwenImage", "Qwen-Image"),
    (r"WAN", "Wan"),
    (r"HunyuanVideo", "Hunyuan Video"),
    (r"HunyuanImage", "Hunyuan Image"),
    (r"HunyuanDiT", "HunyuanDiT"),
    (r"AuraFlow", "AuraFlow"),
    (r"Lumina2", "Lumina 2"),
    (r"HiDream", "HiDream"),
    (r"PixArt", "PixArt"),
    (r"Stable_Cascade", "Stable Cascade"),
    (r"LTXV", "LTX-Video"),
)
"""Names of ComfyUI's model configurations (comfy/supported_models.py)."""

RELATED = ({"Flux", "Chroma"},)
"""Families that share most of their layers: a LoRA of one is let through to the other, and what matches is counted."""


@dataclass(frozen=True)
class Family:
    """A base model, why it is thought to be that one, and what the metadata say."""

    name: str
    why: str
    stated: str = UNKNOWN

    @property
    def contradiction(self) -> bool:
        """Whether metadata and layers name different base models."""
        return UNKNOWN not in (self.name, self.stated) and self.name != self.stated


def of_model_class(name: str) -> str:
    """The family of a model by the name of its ComfyUI configuration, such as ``SDXL``; ``unknown`` for others."""
    return next((family for pattern, family in _CLASSES if re.match(pattern, name)), UNKNOWN)


def fits(lora: str, model: str) -> bool:
    """Whether a LoRA of one family may be put on a model of another. What is unknown is not refused."""
    return UNKNOWN in (lora, model) or lora == model or {lora, model} in RELATED


def family_of(layers: Iterable[Layer], metadata: Mapping[str, str]) -> Family:
    """The base model of a LoRA. Layers count more than metadata, which people copy and tools guess."""
    stated, key = _stated(metadata)
    name, why = _from_layers(list(layers))
    if name != UNKNOWN:
        return Family(name, why, stated)
    if stated != UNKNOWN:
        return Family(stated, f"{key} in its metadata", stated)
    return Family(UNKNOWN, "neither layers nor metadata tell", UNKNOWN)


def _stated(metadata: Mapping[str, str]) -> tuple[str, str]:
    for key in METADATA_KEYS:
        said = metadata.get(key, "").lower()
        for pattern, family in _METADATA:
            if said and re.search(pattern, said):
                return family, key
    return UNKNOWN, ""


def _from_layers(layers: list[Layer]) -> tuple[str, str]:
    bodies = [layer for layer in layers if not is_text(layer.base)]
    if not bodies:
        return _from_text(layers)
    names = "\n".join(layer.base.replace(".", "_") for layer in bodies)
    if "lora_prior_unet_" in names:
        return "Stable Cascade", "the names of its layers"
    if re.search(r"(down_blocks|up_blocks|input_blocks|output_blocks|mid_block|middle_block)_", names):
        return _from_unet(bodies, layers, names)
    for pattern, family in (
        (r"double_stream_blocks_|single_stream_blocks_", "HiDream"),
        (r"joint_transformer_blocks_", "AuraFlow"),
        (r"joint_blocks_\d", "SD 3"),
        (r"double_blocks_\d|single_blocks_\d", ""),
        (r"(?m)(?:_|^)layers_\d+_attention_", "Lumina 2"),
        (r"(?m)(?:_|^)blocks_\d+_(cross_attn|ffn)_", "Wan"),
        (r"single_transformer_blocks_", "Flux"),
        (r"transformer_blocks_\d+_(img_mlp|txt_mlp|img_mod|txt_mod)_", "Qwen-Image"),
    ):
        if re.search(pattern, names):
            return (family, "the names of its layers") if family else _flux_or_hunyuan(names)
    if re.search(r"transformer_blocks_\d+_attn", names):
        return _from_transformer(bodies, names)
    return UNKNOWN, ""


def _flux_or_hunyuan(names: str) -> tuple[str, str]:
    double = max((int(number) for number in re.findall(r"double_blocks_(\d+)", names)), default=0)
    single = max((int(number) for number in re.findall(r"single_blocks_(\d+)", names)), default=0)
    if double >= _FLUX_DOUBLE or single >= _FLUX_SINGLE or re.search(r"(img|txt)_mlp_fc\d", names):
        return "Hunyuan Video", "the names and number of its blocks"
    return "Flux", "the names of its layers"


def _from_transformer(bodies: list[Layer], names: str) -> tuple[str, str]:
    """Diffusers' `transformer_blocks` are those of several models; widths and the number of blocks tell them apart."""
    widths = {layer.matrix[1] for layer in bodies if layer.matrix and re.search(r"attn\d?[._]to_[qkv]$", layer.base)}
    last = max(int(number) for number in re.findall(r"transformer_blocks_(\d+)", names))
    if widths & _SD3_WIDTHS:
        return "SD 3", f"attention of width {max(widths)}"
    if _PIXART_WIDTH in widths:
        return "PixArt", f"attention of width {_PIXART_WIDTH}"
    if 3072 in widths and last >= _FLUX_DOUBLE:
        return "Qwen-Image", f"attention of width 3072 in more than {_FLUX_DOUBLE} blocks"
    return UNKNOWN, ""


def _from_unet(bodies: list[Layer], layers: list[Layer], names: str) -> tuple[str, str]:
    for layer in bodies:
        if re.search(r"attn2[._](processor[._])?to_[kv]$", layer.base) and layer.matrix is not None:
            width = layer.matrix[1]
            return CONTEXT.get(width, UNKNOWN), f"cross-attention of width {width}"
    if re.search(
        r"attentions_\d+_transformer_blocks_[1-9]|(put_blocks_\d+|middle_block)_1_transformer_blocks_[1-9]", names
    ):
        return "SDXL", "several transformer blocks in one attention"
    if any(layer.base.startswith(("lora_te2", "text_encoder_2")) for layer in layers):
        return "SDXL", "its second text encoder"
    by_text = _from_text(layers)
    if by_text[0] != UNKNOWN:
        return by_text
    return UNKNOWN, ""


def _from_text(layers: list[Layer]) -> tuple[str, str]:
    """kohya writes `lora_te_` where there is one text encoder, `lora_te1_` and `lora_te2_` where there are two."""
    if any(layer.base.startswith(("lora_te2_text_model", "text_encoder_2.text_model")) for layer in layers):
        return UNKNOWN, ""
    for layer in layers:
        if layer.base.startswith("lora_te_") and layer.base.endswith("self_attn_q_proj") and layer.matrix:
            width = layer.matrix[1]
            return TEXT_WIDTH.get(width, UNKNOWN), f"one text encoder of width {width}"
    return UNKNOWN, ""
