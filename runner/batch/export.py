"""The verdicts of a batch as tables: a CSV for spreadsheets and a JSON with everything, one row for each job."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from ...core.compare.numbers import as_number
from ..errors import OutputUnwritable
from . import verdict_tables as facts
from .job import JobRow

CSV_NAME, JSON_NAME = "verdicts.csv", "verdicts.json"

BETWEEN = " | "
"""Between several photos or files in one cell."""

FORMULA = ("=", "+", "-", "@")
"""A cell that begins so is a formula to a spreadsheet."""


def write_verdicts(rows: Iterable[JobRow], folder: Path) -> tuple[Path, Path]:
    """Write ``verdicts.csv`` and ``verdicts.json`` into `folder`; return their paths. Raises OutputUnwritable.

    Rows are written as they come, so that a large batch needs no memory. An old file is replaced only by a whole one.
    """
    table, data = folder / CSV_NAME, folder / JSON_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replaced(table, "utf-8-sig") as cells, replaced(data) as objects:
            writer = csv.writer(cells)
            between = "[\n"
            for row in rows:
                values = as_values(row)
                if between == "[\n":
                    writer.writerow(values)
                writer.writerow([cell(value) for value in values.values()])
                objects.write(between + as_json(values | _details(row)))
                between = ",\n"
            objects.write("\n]\n" if between == ",\n" else "[]\n")
    except OSError as error:
        raise OutputUnwritable(f"The verdicts cannot be written to {folder} ({error.strerror or error}).") from error
    return table, data


def as_values(row: JobRow) -> dict[str, Any]:
    """One job as the columns of the table; `outputs` and `photos` are lists."""
    kept = facts.kept_attempt(row)
    return {
        "name": row.name,
        "photos": [str(given.path) for given in row.spec.photos],
        "verdict": row.verdict,
        "score": facts.finite(row.score),
        "threshold": facts.threshold(row),
        "state": row.state,
        "error_code": row.error_code,
        "reason": facts.reason(row),
        "attempts": facts.tries(row),
        "seed": kept.seed if kept else None,
        "server": row.server,
        "seconds": None if (seconds := facts.finite(row.seconds)) is None else round(seconds, 3),
        "outputs": facts.output_files(row),
        "key": row.key,
    }


@contextmanager
def replaced(path: Path, encoding: str = "utf-8") -> Iterator[TextIO]:
    """A text file that takes the place of `path` once it is whole; nothing is left behind otherwise. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding=encoding, errors="replace", newline="") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def cell(value: Any) -> Any:
    """A value as a cell that a spreadsheet takes for what it is: a number, also one in words such as -0.5, or text."""
    if value is None or isinstance(value, int | float):
        return value
    text = BETWEEN.join(value) if isinstance(value, list) else str(value)
    if as_number(text) is not None:
        return text
    return "'" + text if text.lstrip().startswith(FORMULA) else text


def _details(row: JobRow) -> dict[str, Any]:
    return {
        "settings": [str(setting) for setting in row.spec.settings],
        "finished": row.finished,
        "folder": row.folder,
        "tries": [asdict(attempt) for attempt in row.attempts],
        "result": row.result,
    }


def as_json(value: Any) -> str:
    """A value as JSON that every reader takes."""
    return json.dumps(_plain(value), ensure_ascii=False, default=str, allow_nan=False)


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, float):
        return facts.finite(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
