"""LoRA files: what they hold, whether they fit, loading, merging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .base_model import block_of, block_order, family_of, fits, may_fit, of_model_class
    from .delta import Factors, bias_of, delta_of, flat
    from .header import MAX_HEADER, TensorInfo, file_kind, read_header
    from .layers import Layer
    from .lora_file import (
        Cache,
        LoraFile,
        hashes,
        joined_words,
        licence,
        open_lora,
        open_path,
        plain,
        tags,
        training,
        trigger_words,
    )
    from .merge import Merged, Source, facts_of, forbids_merging, metadata_of, reduced, save
    from .names import canonical, loads

__getattr__ = lazy(
    __name__,
    {
        ".base_model": "block_of block_order family_of fits may_fit of_model_class",
        ".header": "file_kind MAX_HEADER read_header TensorInfo",
        ".delta": "bias_of delta_of Factors flat",
        ".layers": "Layer",
        ".lora_file": (
            "Cache hashes joined_words licence LoraFile open_lora open_path plain tags training trigger_words"
        ),
        ".names": "canonical loads",
        ".merge": "facts_of forbids_merging Merged metadata_of reduced save Source",
    },
)
