"""Which base model a LoRA was made for: by the names and shapes of its layers, then by its metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .layers import Layer
from .names import canonical, is_text


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
"""Blocks of Flux and Chroma; Hunyuan Video has 20 and 40 of the same width and names."""

_FLUX2_SINGLE = 48
"""Single blocks of the largest Flux.2, which has 8 double ones."""

_STREAM_WIDTHS = {2048: "Hunyuan Video", 3584: "Hunyuan Image", 4096: "Flux.2", 6144: "Flux.2"}
"""Widths of models with double and single streams; 3072 is that of Flux, Chroma, Hunyuan Video and a small Flux.2."""

_STREAMS = ("Flux", "Chroma", "Hunyuan Video", "Hunyuan Image", "Flux.2")
"""Models with double and single streams of the same names, as far as a LoRA of a few attention layers shows."""

_LUMINA_WIDTHS = {2304: "Lumina 2", 3840: "Z-Image"}

_SD3_WIDTHS = {1536, 2432}
_PIXART_WIDTH = 1152

_LAYER_NAMES = (
    (r"double_stream_blocks_|single_stream_blocks_", "HiDream"),
    (r"joint_transformer_blocks_", "AuraFlow"),
    (r"joint_blocks_\d", "SD 3"),
    (r"distilled_guidance_layer_", "Chroma"),
    (r"(double_stream|single_stream)_modulation", "Flux.2"),
    (r"double_blocks_\d|single_blocks_\d", "streams"),
    (r"(?m)(?:_|^)layers_\d+_attention_", "Lumina"),
    (r"(?m)(?:_|^)blocks_\d+_(attn1_Wqkv|attn2_(q|kv)_proj|default_modulation)", "HunyuanDiT"),
    (r"(?m)(?:_|^)blocks_\d+_((self|cross)_attn_(q|k|v|o|k_img|v_img)$|ffn_[02]$)", "Wan"),
    (r"to_qkv_mlp_proj|ff_(context_)?linear_in", "streams of Flux.2 in diffusers"),
    (r"single_transformer_blocks_", "streams of diffusers"),
    (r"transformer_blocks_\d+_(img_mlp|txt_mlp|img_mod|txt_mod)_", "Qwen-Image"),
    (r"transformer_blocks_\d+_(attn|ff|norm1)", "transformer"),
)  # fmt: skip
"""Parts of layers' names, with underscores only, by which models other than UNets are told; in this order."""

_METADATA = (
    (r"stable-diffusion-xl-v1-refiner|sdxl_refiner", "SDXL refiner"),
    (r"sdxl|stable-diffusion-xl|\bxl\b|pony|illustrious|noobai", "SDXL"),
    (r"sd[_ ]?v?3|stable-diffusion-3|stable diffusion 3", "SD 3"),
    (r"sd_v2|stable-diffusion-v2|stable-diffusion-2|sd ?2\.|stable diffusion 2", "SD 2"),
    (r"sd_v1|sd_?1\.|sd15|stable-diffusion-v1|sd ?1\.|stable diffusion 1", "SD 1.5"),
    (r"chroma", "Chroma"),
    (r"flux[-_. ]?2", "Flux.2"),
    (r"flux", "Flux"),
    (r"qwen", "Qwen-Image"),
    (r"wan_?-?2|^wan", "Wan"),
    (r"hunyuan_?-?image", "Hunyuan Image"),
    (r"hunyuan_?-?video", "Hunyuan Video"),
    (r"auraflow", "AuraFlow"),
    (r"z[-_ ]?image", "Z-Image"),
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
    (r"Flux2", "Flux.2"),
    (r"Flux", "Flux"),
    (r"Chroma", "Chroma"),
    (r"QwenImage", "Qwen-Image"),
    (r"WAN", "Wan"),
    (r"HunyuanVideo", "Hunyuan Video"),
    (r"HunyuanImage", "Hunyuan Image"),
    (r"HunyuanDiT", "HunyuanDiT"),
    (r"AuraFlow", "AuraFlow"),
    (r"Lumina2", "Lumina 2"),
    (r"ZImage", "Z-Image"),
    (r"HiDream", "HiDream"),
    (r"PixArt", "PixArt"),
    (r"Stable_Cascade", "Stable Cascade"),
    (r"LTXV", "LTX-Video"),
)
"""Names of ComfyUI's model configurations (comfy/supported_models.py)."""

RELATED = ({"Flux", "Chroma"}, {"Lumina 2", "Z-Image"})
"""Families that share most of their layers: a LoRA of one is let through to the other, and what matches is counted.

ComfyUI had Z-Image as a Lumina 2 at first.
"""


@dataclass(frozen=True)
class Family:
    """A base model, why it is thought to be that one, and what the metadata say.

    `others` are models that it may be as well, because the layers of this LoRA are named alike in them.
    """

    name: str
    why: str
    stated: str = UNKNOWN
    others: frozenset[str] = frozenset()

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


def may_fit(lora: Family, model: str) -> bool:
    """Whether a LoRA may be put on a model of a family, by the models that it may have been made for."""
    return fits(lora.name, model) or model in lora.others


def family_of(layers: Iterable[Layer], metadata: Mapping[str, str]) -> Family:
    """The base model of a LoRA. Layers count more than metadata, which people copy and tools guess.

    Where the layers leave several models open, metadata decide between these.
    """
    stated, key = _stated(metadata)
    name, why, others = _from_layers(list(layers))
    if stated in others:
        return Family(stated, f"{why}, and {key} in its metadata", stated)
    if name != UNKNOWN:
        return Family(name, why, stated, frozenset(others) - {name})
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


def _from_layers(layers: list[Layer]) -> tuple[str, str, tuple[str, ...]]:
    """The family, why, and all families that are open where it is not sure."""
    bodies = [layer for layer in layers if not is_text(layer.base)]
    if not bodies:
        return *_from_text(layers), ()
    names = "\n".join(layer.base.replace(".", "_") for layer in bodies)
    if "lora_prior_unet_" in names:
        return "Stable Cascade", "the names of its layers", ()
    if re.search(r"(down_blocks|up_blocks|input_blocks|output_blocks|mid_block|middle_block)_", names):
        return *_from_unet(bodies, layers, names), ()
    family = next((family for pattern, family in _LAYER_NAMES if re.search(pattern, names)), UNKNOWN)
    if family == "streams":
        return _from_streams(bodies, names)
    if family == "Lumina":
        return _from_widths(bodies, r"attention[._](qkv|to_[qkv])$", _LUMINA_WIDTHS, ("Lumina 2", "Z-Image"))
    if family.endswith("diffusers"):
        families = ("Flux.2", "Flux", "Chroma") if "Flux.2" in family else ("Flux", "Chroma", "Flux.2")
        return _from_widths(bodies, r"attn[._]to_[qkv]$", {4096: "Flux.2", 6144: "Flux.2"}, families)
    if family == "transformer":
        return *_from_transformer(bodies, names), ()
    return family, "the names of its layers" if family != UNKNOWN else "", ()


def _from_widths(
    bodies: list[Layer], ending: str, widths: Mapping[int, str], families: tuple[str, ...]
) -> tuple[str, str, tuple[str, ...]]:
    """Which of some families of the same names it is, by how many columns the layers of an ending have."""
    for layer in bodies:
        if layer.matrix is not None and re.search(ending, layer.base) and layer.matrix[1] in widths:
            return widths[layer.matrix[1]], f"{layer.base[:60]} of width {layer.matrix[1]}", ()
    return families[0], "the names of its layers", families


def _from_streams(bodies: list[Layer], names: str) -> tuple[str, str, tuple[str, ...]]:
    """Flux, Chroma, Flux.2 and both Hunyuans call the layers of their streams alike."""
    double = {int(number) for number in re.findall(r"double_blocks_(\d+)", names)}
    single = {int(number) for number in re.findall(r"single_blocks_(\d+)", names)}
    inner = r"(?:img|txt)_attn[._]qkv$|single_blocks[._]\d+[._]linear1(?:_qkv)?$|(?:img|txt)_mlp[._](?:0|fc1)$"
    name, why, others = _from_widths(bodies, inner, _STREAM_WIDTHS, _STREAMS)
    if not others:
        return name, why, ()
    if _is_gated(bodies) or max(single, default=0) >= _FLUX2_SINGLE - 1:
        return "Flux.2", "the shapes or number of its blocks", ()
    if re.search(r"(img|txt)_mlp_fc\d|individual_token_refiner|img_in_proj|_mod_linear|modulation_linear", names) or (
        max(double, default=0) >= _FLUX_DOUBLE or max(single, default=0) >= _FLUX_SINGLE
    ):
        return "Hunyuan Video", "the names and number of its blocks", ("Hunyuan Video", "Hunyuan Image")
    if double == set(range(_FLUX_DOUBLE)) or single == set(range(_FLUX_SINGLE)):
        return "Flux", "the names and number of its blocks", ("Flux", "Chroma")
    return name, why, others


def _is_gated(bodies: list[Layer]) -> bool:
    """Whether a single block's first layer has nine times as many rows as columns, as Flux.2's; elsewhere seven."""
    first = [layer.matrix for layer in bodies if re.search(r"single_blocks[._]\d+[._]linear1$", layer.base)]
    return any(matrix is not None and matrix[0] == 9 * matrix[1] for matrix in first)


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
    if 3072 in widths and re.search(r"ff_context_|norm1_context_", names):
        return "Flux", "attention of width 3072 and the names of its layers"
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
