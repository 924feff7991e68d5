"""What every result says: when, on what machine, how many, how spread."""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def circumstances() -> dict[str, Any]:
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load_average": round(os.getloadavg()[0], 2),
    }


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Median, quartiles and extremes."""
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    figures = {"median": statistics.median(values), "p25": low, "p75": high, "min": min(values), "max": max(values)}
    return {name: round(figure, digits) for name, figure in figures.items()}


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write(path: Path, values: dict[str, Any], text: str) -> None:
    """`path`.json and `path`.md."""
    path.with_suffix(".json").write_text(json.dumps(values, indent=2) + "\n")
    path.with_suffix(".md").write_text(text.rstrip() + "\n")
    print(text)
