"""What people look at after a run: pictures, scores, models and times in one HTML page and one JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.files import beside, free_path, make_private_folder, write_whole
from ..errors import OutputUnwritable

if TYPE_CHECKING:
    from ..backends.result import RunResult
    from .schemas import RunReport

HTML_NAME, JSON = "report.html", ".json"


def write_report(
    result: RunResult, folder: Path, report: RunReport | None = None, name: str = HTML_NAME
) -> tuple[Path, Path]:
    """Write ``report.html`` and ``report.json`` into `folder`, or report_2 beside those of an earlier run.

    Returns their paths. `name` is another name for the page. `report` is that of `result`, where it was read before.
    Only their owner may read them. The page needs no network and no script; its pictures are inside it.
    Raises OutputUnwritable.
    """
    from .html import versions
    from .page import render
    from .schemas import RunReport

    report = report or RunReport.of(result)
    html = free_path(folder / name, JSON)
    data = beside(html, JSON)
    values = report.as_dict() | {"versions": versions()}
    try:
        make_private_folder(folder)
        write_whole(data, json.dumps(values, indent=2, ensure_ascii=False, default=str) + "\n", private=True)
        write_whole(html, render(result, report, folder), private=True)
    except OSError as error:
        raise OutputUnwritable(f"The report cannot be written to {folder} ({error.strerror or error}).") from error
    return html, data
