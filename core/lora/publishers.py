"""Tensors of publishers who name a LoRA's layers in a way of their own, under names as all others write them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_XLABS_DOUBLE = re.compile(
    r"(?:diffusion_model\.)?(double_blocks\.\d+)\.(?:processor\.)?(qkv|proj)_lora([12])\.(down|up)\.weight"
)
_XLABS_SINGLE = re.compile(
    r"(?:diffusion_model\.)?(single_blocks\.\d+)\.(?:processor\.)?(qkv|proj)_lora\.(down|up)\.weight"
)
"""XLabs' and USO's attention processors of Flux: 1 is the picture's stream, 2 the text's."""

_CONTROL = re.compile(r"single_blocks\.\d+\.norm\.key_norm\.scale")
"""In the control LoRAs of Black Forest Labs, with an enlarged `img_in`: norms that replace the model's."""


def common_names(names: Iterable[str]) -> dict[str, str]:
    """By each tensor's name in the file, its name as the model's own layers and ComfyUI's endings have it."""
    known = list(names)
    control = _is_control(known)
    return {name: _control(name) if control else _xlabs(name) for name in known}


def publisher_of(names: Iterable[str]) -> str | None:
    """Whose own way of naming the tensors have, in words; None where it is one of the common ones."""
    known = list(names)
    if _is_control(known):
        return "Black Forest Labs (control LoRA)"
    return "XLabs" if any(_xlabs(name) != name for name in known) else None


def _is_control(names: list[str]) -> bool:
    return "img_in.lora_A.weight" in names and any(_CONTROL.fullmatch(name) for name in names)


def _xlabs(name: str) -> str:
    double = _XLABS_DOUBLE.fullmatch(name)
    if double is not None:
        stream = "img" if double[3] == "1" else "txt"
        return f"diffusion_model.{double[1]}.{stream}_attn.{double[2]}.lora_{double[4]}.weight"
    single = _XLABS_SINGLE.fullmatch(name)
    if single is not None:
        layer = "linear1_qkv" if single[2] == "qkv" else "linear2"
        return f"diffusion_model.{single[1]}.{layer}.lora_{single[3]}.weight"
    return name


def _control(name: str) -> str:
    return "diffusion_model." + re.sub(r"_norm\.scale$", "_norm.set_weight", name)
