"""One name for one layer, whoever named it, and whether there is a ComfyUI that loads a layer of that name."""

from __future__ import annotations

import re
from functools import lru_cache

from .schemes import Scheme, scheme_of

TEXT_PREFIXES = ("lora_te", "text_encoder", "lora_prior_te", "lora_clip")

PREFIXES = (
    "Hunyuan_video_I2V_lora_", "lora_prior_unet_", "transformer.base_model.model.", "unet.base_model.model.",
    "base_model.model.", "model.diffusion_model.", "diffusion_model.", "lora_transformer_", "lora_unet_",
    "transformer.", "lycoris_", "unet.", "",
)  # fmt: skip
"""What trainers write before a layer's name inside the diffusion model; the first that fits counts."""

OWN_PREFIXES = ("lora_unet_", "diffusion_model.", "model.diffusion_model.", "Hunyuan_video_I2V_lora_")
"""Prefixes after which every model's layers have the model's own names."""

SOME_PREFIXES = ("lora_prior_unet_", "transformer.", "lycoris_")
"""Prefixes that ComfyUI takes for some models that no scheme describes."""

UNETS = {"SD 1.5", "SD 2", "SDXL", "SDXL refiner"}

ONE_TEXT_ENCODER = {"SD 1.5", "SD 2", "SDXL refiner"}

_T5_NUMBER = {"Flux": "3", "SD 3": "3", "PixArt": "1", "Chroma": "1"}
"""Which text encoder T5 is, as `lora_te1_` … count them; Flux's is called the second too."""

_ENCODERS = {"clip_l": "1", "clip_h": "1", "clip_g": "2", "t5xxl": "3"}
"""ComfyUI's names of text encoders, and their numbers."""

_CLIP_LAYER = re.compile(r"text_model_encoder_layers_\d+_(mlp_fc[12]|self_attn_([kqv]|out)_proj)|text_projection")
"""The layers of CLIP for which ComfyUI knows other names than its own."""

_WEIGHTLESS = re.compile(
    r"\.(bias|scale|modulation|scale_shift_table|pos_embed|pos_frequencies|positional_(en|emb)\w+|\w+_tokens?|"
    r"y_embedding|image_index_embedding|text_embedding_padding)$"
)
"""Endings of parameters that are no layer's ``weight``, which only their full name reaches."""

_RESNET = {
    "in_layers_0": "norm1", "in_layers_2": "conv1", "emb_layers_1": "time_emb_proj",
    "out_layers_0": "norm2", "out_layers_3": "conv2", "skip_connection": "conv_shortcut",
}  # fmt: skip
_OUTSIDE = {
    "time_embed_0": "time_embedding_linear_1", "time_embed_2": "time_embedding_linear_2",
    "label_emb_0_0": "add_embedding_linear_1", "label_emb_0_2": "add_embedding_linear_2",
    "class_embedding_linear_1": "add_embedding_linear_1", "class_embedding_linear_2": "add_embedding_linear_2",
    "input_blocks_0_0": "conv_in", "out_0": "conv_norm_out", "out_2": "conv_out",
}  # fmt: skip
"""Names inside the original Stable Diffusion UNet, and diffusers' names for the same layers."""

_ORIGINAL = re.compile(r"(input_blocks|output_blocks)_(\d+)_(\d+)_(.+)")
_MIDDLE = re.compile(r"middle_block_([012])_(.+)")
_UNET = re.compile(r"(down_blocks|up_blocks|mid_block|conv_in|conv_out|conv_norm_out|time_embedding|add_embedding)[._]")


def is_text(base: str) -> bool:
    """Whether a layer belongs to a text encoder."""
    return base.startswith(TEXT_PREFIXES)


def canonical(base: str, family: str = "unknown") -> str:
    """The name of a layer as ComfyUI loads it, the same for every naming of one layer of a model of that `family`.

    `family` is the base model's name (see base_model.py): which names diffusers gives to a model's layers depends on
    it, and kohya begins text layers with ``lora_te_`` where there is one text encoder. A name that has no such form
    comes back as it is.
    """
    return _placed(base, family)[0]


def loads(base: str, family: str = "unknown") -> bool:
    """Whether a model of that family has, in some ComfyUI, a layer of the canonical name.

    Of a family that no scheme describes, and of ``unknown``, the prefix alone tells whether that may be.
    """
    return _placed(base, family)[1]


def is_described(base: str, family: str) -> bool:
    """Whether the answer of `loads` rests on the layers that the family has, and not on the prefix alone."""
    return (
        is_text(base) or family in UNETS or scheme_of(family) is not None or _diffusers_unet(_inside(base)) is not None
    )


def split_prefix(base: str) -> tuple[str, str]:
    """What tells the part of the pipeline, and the name inside it."""
    prefix = next(each for each in PREFIXES if base.startswith(each))
    return prefix, base[len(prefix) :]


def flat_name(rest: str) -> str:
    """A name inside a model with underscores only, as kohya writes it."""
    return rest.replace(".processor.", ".").replace(".", "_").strip("_")


def _inside(base: str) -> str:
    return _numbered(flat_name(split_prefix(base)[1]))


def _numbered(flat: str) -> str:
    """PEFT leaves the number of the one layer in diffusers' ``to_out`` away."""
    return re.sub(r"_to_out$", "_to_out_0", flat)


@lru_cache(2**16)
def _placed(base: str, family: str) -> tuple[str, bool]:
    if is_text(base):
        return _text(base, family)
    prefix, rest = split_prefix(base)
    flat = flat_name(rest)
    scheme = scheme_of(family)
    if prefix.endswith("diffusion_model.") and _WEIGHTLESS.search(base):
        norm = None if scheme is None else _renamed(flat_name(rest.removesuffix(".scale")), scheme)
        return norm or f"diffusion_model.{rest}", True
    if scheme is not None:
        return _by_scheme(base, prefix, flat, scheme)
    unet = _diffusers_unet(_numbered(flat))
    if unet is not None and prefix != "lora_prior_unet_":
        return f"lora_unet_{unet}", True
    if prefix in OWN_PREFIXES:
        return f"lora_unet_{flat}", family not in UNETS
    numbered = prefix in ("", "base_model.model.") and re.search(r"(blocks?|layers?)[._]\d+[._]", rest) is not None
    return base, family not in UNETS and (prefix in SOME_PREFIXES or numbered)


def _by_scheme(base: str, prefix: str, flat: str, scheme: Scheme) -> tuple[str, bool]:
    if scheme.own.fullmatch(flat):
        return f"lora_unet_{flat}", True
    renamed = _renamed(_numbered(flat), scheme)
    if renamed is not None:
        return renamed, True
    if scheme.own.fullmatch(_numbered(flat)):
        return f"lora_unet_{_numbered(flat)}", True
    return (f"lora_unet_{flat}" if prefix in OWN_PREFIXES else base), False


def _renamed(flat: str, scheme: Scheme) -> str | None:
    matches = ((pattern.fullmatch(flat), name) for pattern, name in scheme.renamed)
    return next((found.expand(name) for found, name in matches if found is not None), None)


def _text(base: str, family: str) -> tuple[str, bool]:
    one = family in ONE_TEXT_ENCODER
    by_comfy = re.fullmatch(r"text_encoders\.(clip_[lgh]|t5xxl)\.transformer\.(.+)", base)
    if by_comfy is not None:
        number, rest = _ENCODERS[by_comfy[1]], flat_name(by_comfy[2])
        clip = by_comfy[1] != "t5xxl"
        if (clip and not _CLIP_LAYER.fullmatch(rest)) or (not clip and family not in _T5_NUMBER):
            return base, True
    else:
        named = re.match(r"(?:lora_te|text_encoder)_?(\d?)_(.+)", base.replace(".", "_"))
        if named is None or base.startswith("text_encoders."):
            return base, not base.startswith("lora_clip")
        number, rest = named[1] or "1", named[2]
    if rest.startswith("encoder_block_") and family in _T5_NUMBER:
        number = _T5_NUMBER[family]
    known = not rest.startswith("text_model_") or _CLIP_LAYER.fullmatch(rest) is not None
    alone = one and (number == "1" or family == "SDXL refiner") and rest != "text_projection"
    return (f"lora_te_{rest}" if alone else f"lora_te{number}_{rest}"), known


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
