"""What people look at after a run: pictures, scores, models and times in one HTML page and one JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.files import write_whole
from ..errors import OutputUnwritable

if TYPE_CHECKING:
    from ..backends.result import RunResult
    from .schemas import RunReport

HTML_NAME, JSON_NAME = "report.html", "report.json"


def write_report(result: RunResult, folder: Path, report: RunReport | None = None) -> tuple[Path, Path]:
    """Write ``report.html`` and ``report.json`` into `folder`; return their paths. Raises OutputUnwritable.

    `report` is that of `result`, where it was read before. The page needs no network and no script; its pictures are
    inside it.
    """
    from .html import versions
    from .page import render
    from .schemas import RunReport

    report = report or RunReport.of(result)
    html, data = folder / HTML_NAME, folder / JSON_NAME
    values = report.as_dict() | {"versions": versions()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(data, json.dumps(values, indent=2, ensure_ascii=False, default=str) + "\n")
        write_whole(html, render(result, report, folder))
    except OSError as error:
        raise OutputUnwritable(f"The report cannot be written to {folder} ({error.strerror or error}).") from error
    return html, data
