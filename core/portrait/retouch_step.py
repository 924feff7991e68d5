"""What every retouch gives: the picture, what was measured before, what was set, and a sentence on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

CHANGED = 0.5 / 255
"""A pixel that moves by less than half an 8-bit step has not changed."""


@dataclass(frozen=True, eq=False)
class Step:
    """One retouch of a photo [H,W,3]: the picture after it; `said` is for people. `done`: whether anything changed."""

    name: str
    photo: torch.Tensor
    measured: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    said: str = ""
    done: bool = True


def nothing_done(name: str, photo: torch.Tensor, why: str, measured: dict[str, Any] | None = None) -> Step:
    """The photo as it is, and why."""
    return Step(name, photo, measured or {}, {}, why, done=False)


def change_between(before: torch.Tensor, after: torch.Tensor) -> dict[str, Any]:
    """How many pixels of two photos [H,W,3] differ, and by how much at most, in 8-bit steps of a channel."""
    difference = (after - before).abs().amax(-1)
    changed = difference > CHANGED
    return {
        "changed_pixels": int(changed.sum()),
        "changed_percent": round(100 * float(changed.float().mean()), 3),
        "largest_change": round(255 * float(difference.max()), 1),
    }
