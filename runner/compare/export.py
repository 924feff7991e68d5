"""A comparison as tables: a CSV for spreadsheets, one row for each cell, and a JSON with every run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from ..batch.export import as_json, cell, replaced
from ..errors import OutputUnwritable
from .cells import Cell
from .page import Comparison

CSV_NAME, JSON_NAME = "compare.csv", "compare.json"


def write_tables(comparison: Comparison) -> tuple[Path, Path]:
    """Write compare.csv and compare.json into the comparison's folder; their paths. Raises OutputUnwritable."""
    table, data = comparison.folder / CSV_NAME, comparison.folder / JSON_NAME
    stages = list(dict.fromkeys(name for each in comparison.cells for name in each.stage_seconds()))
    try:
        with replaced(table, "utf-8-sig") as file:
            writer = csv.writer(file)
            for place, each in enumerate(comparison.cells):
                values = _row(comparison, each, stages)
                if place == 0:
                    writer.writerow([cell(name) for name in values])
                writer.writerow([cell(value) for value in values.values()])
        with replaced(data) as file:
            file.write(as_json(comparison.as_dict()) + "\n")
    except OSError as error:
        raise OutputUnwritable(
            f"The tables cannot be written to {comparison.folder} ({error.strerror or error})."
        ) from error
    return table, data


def _row(comparison: Comparison, each: Cell, stages: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {axis.name: choice for axis, choice in zip(comparison.axes, each.choices, strict=True)}
    found = each.stage_seconds()
    return (
        values
        | {
            "runs": len(each.trials),
            "failed": each.failed,
            "confirmed": each.confirmed if each.checked else None,
            "likeness_median": each.likeness,
            "likeness_low": min(each.likenesses, default=None),
            "likeness_high": max(each.likenesses, default=None),
            "threshold": comparison.threshold,
            "seconds": each.seconds,
        }
        | {f"seconds of {name}": found.get(name) for name in stages}
        | {
            "peak_memory_bytes": each.peak_memory_bytes,
            "picture": each.shown.picture if each.shown else None,
            "problem": each.problem,
        }
    )
