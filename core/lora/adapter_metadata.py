"""The scale that diffusers states in a LoRA's metadata, where no tensor of the file says it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .names import is_text

KEY = "lora_adapter_metadata"
"""Where diffusers (from 0.34 on) keeps PEFT's LoraConfig of each part of the pipeline, as JSON."""


@dataclass(frozen=True)
class AdapterScales:
    """Alphas by the part of the pipeline (``transformer``, ``unet``, ``text_encoder`` …) and by layer."""

    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def _patterns(self) -> dict[str, dict[str, tuple[int, Any]]]:
        """The alphas of layers by the end of their name, with their place in the file; by part."""
        found = {}
        for part, settings in self.parts.items():
            pattern = settings.get("alpha_pattern")
            items = enumerate(pattern.items()) if isinstance(pattern, dict) else ()
            found[part] = {str(name).removeprefix("^"): (place, value) for place, (name, value) in items}
        return found

    @cached_property
    def _alike(self) -> dict[bool, list[str]]:
        return {of_text: [part for part in self.parts if is_text(part) == of_text] for of_text in (False, True)}

    def alpha(self, base: str, rank: int) -> float | None:
        """The alpha by which a layer of that rank is scaled as ``alpha / rank``; None where nothing is stated.

        With rank-stabilised LoRA, whose scale is ``alpha / sqrt(rank)``, it is the alpha that gives the same. Of
        several patterns the last one counts.
        """
        part, inner = self._part_of(base)
        settings, pattern = self.parts.get(part, {}), self._patterns.get(part, {})
        words = inner.split(".")
        fitting = [pattern[end] for at in range(len(words)) if (end := ".".join(words[at:])) in pattern]
        stated = max(fitting, key=lambda each: each[0])[1] if fitting else settings.get("lora_alpha")
        if isinstance(stated, bool) or not isinstance(stated, int | float) or not math.isfinite(stated):
            return None
        return stated * math.sqrt(rank) if settings.get("use_rslora") is True else float(stated)

    def _part_of(self, base: str) -> tuple[str, str]:
        dots = [at for at, letter in enumerate(base) if letter == "."]
        part = next((base[:at] for at in dots if at and base[:at] in self.parts), "")
        if part:
            return part, base[len(part) + 1 :]
        alike = self._alike[is_text(base)]
        return (alike[0] if len(alike) == 1 else ""), base


def adapter_scales(metadata: Mapping[str, str]) -> AdapterScales:
    """What a file's metadata state. They are a stranger's text: what is not as diffusers writes it is left out."""
    try:
        stated = json.loads(metadata.get(KEY, "{}"))
    except (ValueError, RecursionError):
        return AdapterScales()
    found: dict[str, dict[str, Any]] = {}
    for name, value in stated.items() if isinstance(stated, dict) else ():
        if isinstance(value, dict) and "lora_alpha" in value:
            found.setdefault(name, {}).update(value)
        else:
            part, _, setting = name.rpartition(".")
            found.setdefault(part, {})[setting] = value
    return AdapterScales(found)
