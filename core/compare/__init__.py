"""Comparing models and settings: strengths, time and memory, likeness of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy

if TYPE_CHECKING:
    from .labels import MOST_VALUES, Label, numbers, of_branches, spread, written

__getattr__ = lazy(__name__, {".labels": "Label MOST_VALUES numbers of_branches spread written"})
