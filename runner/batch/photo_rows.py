"""Photos that were made one after the other without a ledger, as rows of the contact sheet and tables of a batch."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.errors import LikenessError
from ...core.files import beside, free_path
from ..workflow.input_files import Given
from .contact_sheet import INLINE_JOBS, SHEET_NAME, write_sheet
from .job_records import Counts, JobRow, JobSpec
from .judge import blame
from .verdict_tables import CSV_NAME, kind, write_verdicts
from .worker import THUMBS

WORST_FIRST = ("failed", "refused", "not_confirmed", "unchecked", "passed", "pending")


def row_of(
    photo: Path,
    picture: Path,
    folder: Path,
    result: Mapping[str, Any],
    passed: bool | None,
    report: Path | None,
    seconds: float,
    name: str | None = None,
) -> JobRow:
    """A picture that was made of `photo` and lies in `folder`; `result` is a `RunReport`, `report` its page."""
    likeness = [each.get("best") for each in result.get("likeness") or ()]
    inside = os.path.relpath(picture.absolute(), folder.absolute())
    return JobRow(
        key=str(picture),
        name=name or photo.stem,
        spec=JobSpec(name or photo.stem, (Given(photo.absolute()),)),
        state="done",
        verdict="unchecked" if passed is None else "passed" if passed else "not_confirmed",
        score=likeness[0] if likeness else None,
        seconds=seconds,
        finished=time.time(),
        result={**result, "outputs": [{"file": inside}]},
        page=None if report is None else os.path.relpath(report.absolute(), folder.absolute()),
    )


def refused_row(photo: Path, error: LikenessError, name: str, reason: str | None = None) -> JobRow:
    """A photo of which nothing was made."""
    return JobRow(
        key=f"{photo}:{name}",
        name=name,
        spec=JobSpec(name, (Given(photo.absolute()),)),
        state="failed",
        verdict="refused" if blame(error) == "photo" else None,
        finished=time.time(),
        error_code=error.code,
        error=reason or str(error),
    )


def worst_first(rows: Sequence[JobRow]) -> list[JobRow]:
    """What failed before what a person must look at, and that before what is well."""
    return sorted(rows, key=lambda row: (WORST_FIRST.index(kind(row)), not row.report.to_look_at))


def write_overview(rows: Sequence[JobRow], folder: Path, title: str) -> tuple[Path, Path]:
    """Write contact_sheet.html, verdicts.csv and verdicts.json into `folder`, never over those of an earlier run.

    Returns the page and the table; both have what failed first. Raises OutputUnwritable.
    """
    rows = worst_first(rows)
    found = Counter(kind(row) for row in rows)
    counts = Counts(
        total=len(rows),
        done=sum(row.state == "done" for row in rows),
        failed=sum(row.state == "failed" for row in rows),
        **{name: found[name] for name in ("passed", "not_confirmed", "refused", "unchecked")},
    )
    page = free_path(folder / SHEET_NAME)
    table = free_path(folder / CSV_NAME, ".json")
    write_verdicts(rows, folder, table.name)
    tables = [table.name, beside(table, ".json").name]
    with tempfile.TemporaryDirectory(prefix="likeness-", ignore_cleanup_errors=True) as temp:
        thumbs = Path(temp) if len(rows) <= INLINE_JOBS else folder / THUMBS
        write_sheet(rows, folder, title=title, counts=counts, thumbs=thumbs, page=page, tables=tables)
    return page, table
