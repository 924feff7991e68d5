"""Writes core/identity/calibration.toml: what each benchmark measured of a recogniser, side by side."""

from __future__ import annotations

import tomllib
from typing import Any

from likeness_studio.core.identity import TABLE

HEAD = "# Written by benchmarks/identity/lfw.py --write and benchmarks/fairness/verification.py --write, not by hand."


def write_points(engine: str, source: str, date: str, slope: float, offset: float, points: list[dict]) -> None:
    """Put what lfw.py measured into the entry of `engine`; what was measured elsewhere stays."""
    _put(engine, {"source": source, "date": date, "slope": slope, "offset": offset, "points": points})


def write_even(engine: str, source: str, date: str, points: list[dict]) -> None:
    """Put the thresholds that are even across groups into the entry of `engine`, which lfw.py has made before."""
    _put(engine, {"even_source": source, "even_date": date, "even": points})


def _put(engine: str, values: dict[str, Any]) -> None:
    entries = tomllib.loads(TABLE.read_text()) if TABLE.exists() else {}
    entries[engine] = entries.get(engine, {}) | values
    lines = [HEAD, ""]
    for name, entry in sorted(entries.items()):
        lines += [f'["{name}"]', *(line for key, value in entry.items() for line in _lines(key, value)), ""]
    TABLE.write_text("\n".join(lines))


def _lines(key: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        return [f"{key} = {_value(value)}"]
    rows = [", ".join(f"{name} = {_value(each)}" for name, each in point.items()) for point in value]
    return [f"{key} = [", *(f"  {{ {row} }}," for row in rows), "]"]


def _value(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
