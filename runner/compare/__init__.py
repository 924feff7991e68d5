"""Comparing models and settings: every combination is run, and one report shows what came of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.lazy import lazy

if TYPE_CHECKING:
    from .cells import Cell, Trial
    from .run import CompareResult, compare
    from .vary import Axis, CompareOptions

__all__ = ["Axis", "Cell", "CompareOptions", "CompareResult", "Trial", "compare"]

__getattr__ = lazy(
    __name__,
    {
        ".cells": "Cell Trial",
        ".run": "compare CompareResult",
        ".vary": "Axis CompareOptions",
    },
)
