"""Socket types of the comparing nodes."""

from __future__ import annotations

from .schema import io

CATEGORY = "Likeness Studio/compare"

StopwatchType = io.Custom("LIKENESS_STOPWATCH")
