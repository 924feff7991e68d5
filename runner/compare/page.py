"""The page and the tables of a comparison."""

from __future__ import annotations

import base64
import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...core import host
from ...core.compare.labels import as_number
from ...core.errors import UnsafePath
from ...core.imaging.chart import Chart, chart_of
from ...core.outcome_words import JOBS
from ..batch.contact_sheet import thumbnail_job
from ..batch.job_records import JobRow
from ..batch.verdict_tables import as_json, replaced
from ..batch.verdict_tables import cell as table_cell
from ..batch.worker import THUMBS
from ..errors import OutputUnwritable
from ..report.html import templates, versions
from ..report.svg_chart import COLOURS
from ..workflow.graph import Workflow
from ..workflow.overrides import Setting
from .cells import Cell, Trial, label_of
from .vary import Axis

if TYPE_CHECKING:
    from ..report.schemas import JudgeReport

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
                    writer.writerow([table_cell(name) for name in values])
                writer.writerow([table_cell(value) for value in values.values()])
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


HTML_NAME = "compare.html"


@dataclass(frozen=True)
class Comparison:
    """A finished comparison: what was varied, and what became of each cell. `rows` are those of the batch."""

    workflow: Workflow
    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    settings: tuple[Setting, ...]
    rows: Sequence[JobRow]
    folder: Path

    @cached_property
    def across(self) -> Axis:
        """The axis that runs from left to right: numbers before words, the longest first."""
        places = list(enumerate(self.axes))
        return max(places, key=lambda each: (each[1].numeric, len(each[1].values), each[0]))[1]

    @cached_property
    def series(self) -> dict[str, list[Cell]]:
        """The cells that share all values but that of `across`, by those values in words."""
        found: dict[str, list[Cell]] = {}
        for cell in self.cells:
            found.setdefault(label_of(self.axes, cell.choices, self.across), []).append(cell)
        return found

    @cached_property
    def threshold(self) -> float | None:
        """The threshold of all runs; None where they differ or nothing was checked."""
        found = {trial.threshold for cell in self.cells for trial in cell.trials if trial.threshold is not None}
        return found.pop() if len(found) == 1 else None

    @cached_property
    def check(self) -> JudgeReport:
        """The first likeness report of all runs: the judge is the same for all. An empty one where there is none."""
        from ..report.schemas import JudgeReport

        return next((report for report in self._reports() if report.threshold is not None), JudgeReport())

    @cached_property
    def warnings(self) -> list[str]:
        """What the judges of all runs warn of, each once: that a face was pasted, that the judge is not independent."""
        return list(dict.fromkeys(word for report in self._reports() for word in report.warnings))

    def _reports(self) -> list[JudgeReport]:
        return [report for row in self.rows for report in (*row.report.likeness, *row.report.comparisons)]

    @cached_property
    def baseline(self) -> tuple[float, float] | None:
        """Lowest and median likeness among the person's own photos, where there are several."""
        own = self.check.baseline
        return None if own is None or own.low is None or own.median is None else (own.low, own.median)

    def value_of(self, cell: Cell) -> str:
        """The cell's value on the axis that runs from left to right."""
        return cell.choices[self.axes.index(self.across)]

    def chart(self) -> Chart:
        """Likeness against the axis from left to right, a line or a colour for each of the other combinations."""
        return chart_of(
            (
                (
                    name,
                    value := self.value_of(cell),
                    as_number(value) if self.across.numeric else None,
                    cell.likenesses,
                    cell.problem,
                )
                for name, cells in self.series.items()
                for cell in cells
            ),
            self.across.name,
            self.threshold,
            self.baseline,
        )

    def as_dict(self) -> dict[str, Any]:
        """The comparison for machine output, with every run."""
        judge = self.check.as_dict()
        return {
            "workflow": {"name": self.workflow.name, "hash": self.workflow.hash},
            "axes": [asdict(axis) | {"name": axis.name, "numeric": axis.numeric} for axis in self.axes],
            "seeds": list(self.seeds),
            "settings": [str(setting) for setting in self.settings],
            "threshold": self.threshold,
            "threshold_source": judge.get("threshold_source"),
            "engine": judge.get("engine"),
            "baseline": judge.get("baseline"),
            "warnings": self.warnings,
            "cells": [cell.as_dict(self.axes) for cell in self.cells],
            "versions": versions(),
        }


def write_page(comparison: Comparison) -> Path:
    """Write compare.html into the comparison's folder; its path. Raises OutputUnwritable.

    The page needs no network and no script; its pictures are inside it. Everything from outside is escaped.
    """
    page = comparison.folder / HTML_NAME
    html = render(comparison)
    try:
        with replaced(page) as file:
            file.write(html)
    except OSError as error:
        raise OutputUnwritable(
            f"The comparison cannot be written to {comparison.folder} ({error.strerror or error})."
        ) from error
    return page


def render(comparison: Comparison) -> str:
    """The HTML of the page."""
    cells = comparison.cells
    judged = [cell for cell in cells if cell.likeness is not None]
    trials = [trial for cell in cells for trial in cell.trials]
    thumbs = _thumbnails(comparison)
    rows = [
        {"name": name, "cells": [_card(each, thumbs, comparison) for each in found]}
        for name, found in comparison.series.items()
    ]
    return (
        templates()
        .get_template("compare.html.j2")
        .render(
            comparison=comparison,
            about=_about(comparison),
            best=max(judged, key=lambda cell: cell.likeness or 0.0, default=None),
            chart=comparison.chart(),
            repeats=len(rows) > COLOURS,
            rows=rows,
            columns=max(len(row["cells"]) for row in rows),
            stages=list(dict.fromkeys(name for cell in cells for name in cell.stage_seconds())),
            slowest=max((cell.seconds for cell in cells if cell.seconds is not None), default=None),
            memory=any(cell.peak_memory_bytes is not None for cell in cells),
            kept=any(trial.kept for trial in trials),
            several=max(len(cell.trials) for cell in cells) > 1,
            failures=[(cell, trial) for cell in cells for trial in cell.trials if trial.problem],
            devices=sorted({stage.device for trial in trials for stage in trial.stages if stage.device}),
            servers=sorted({trial.server for trial in trials if trial.server}),
            date=f"{(now := datetime.now(UTC)).day} {now:%B %Y, %H:%M} UTC",
            versions=versions(),
        )
    )


def _about(comparison: Comparison) -> str:
    """What was done, in one sentence."""
    counts = " × ".join(str(len(axis.values)) for axis in comparison.axes)
    cells, trials = len(comparison.cells), [trial for cell in comparison.cells for trial in cell.trials]
    each = f", each with {len(comparison.seeds)} seeds" if len(comparison.seeds) > 1 else ""
    product = f"{counts} = {cells}" if len(comparison.axes) > 1 else str(cells)
    words = f"{product} combination{'s' if cells > 1 else ''}{each}."
    checked = [trial for trial in trials if trial.confirmed is not None]
    if checked:
        confirmed = sum(trial.confirmed is True for trial in checked)
        words += f" {confirmed} of {len(trials)} runs show the same person."
    elif not all(trial.failed for trial in trials):
        words += " The workflow has no likeness check, so nothing was judged."
    failed = sum(trial.failed for trial in trials)
    return words + (f" {failed} failed." if failed else "")


def _thumbnails(comparison: Comparison) -> dict[str, str]:
    """The results' small pictures, by the names of the runs. Raises OutputUnwritable."""
    found = {}
    for row in comparison.rows:
        if row.state == "done":
            thumb = thumbnail_job(row, comparison.folder, comparison.folder / THUMBS).result
            if thumb is not None:
                found[row.name] = "data:image/jpeg;base64," + base64.b64encode(thumb.read_bytes()).decode()
    return found


def _card(cell: Cell, thumbs: Mapping[str, str], comparison: Comparison) -> dict[str, Any]:
    shown = cell.shown
    kind = "none" if not cell.checked else "ok" if cell.confirmed == len(cell.trials) else "low"
    if cell.checked and 0 < cell.confirmed < len(cell.trials):
        kind = "mid"
    scale = comparison.threshold
    return {
        "cell": cell,
        "value": comparison.across.words(comparison.value_of(cell)),
        "shown": shown,
        "src": thumbs.get(shown.name) if shown else None,
        "href": _href(comparison.folder, shown),
        "kind": kind,
        "word": _word(cell),
        "gate": None if scale is None else round(100 * min(max(scale, 0.0), 1.0), 1),
        "at": None if cell.likeness is None else round(100 * min(max(cell.likeness, 0.0), 1.0), 1),
        "spread": max(cell.likenesses) - min(cell.likenesses) if cell.likenesses else math.nan,
        "trials": [(trial, _href(comparison.folder, trial)) for trial in cell.trials],
    }


def _word(cell: Cell) -> str:
    """What the runs of a cell came to, in two or three words."""
    count = len(cell.trials)
    if cell.failed == count:
        return JOBS["failed"].heading
    if not cell.checked:
        return JOBS["unchecked"].heading
    if count > 1:
        return f"{cell.confirmed} of {count} confirmed"
    if not cell.confirmed and cell.likeness is None:
        return "No usable face"
    return JOBS["passed" if cell.confirmed else "not_confirmed"].heading


def _href(folder: Path, trial: Trial | None) -> str | None:
    """A link to a run's picture; None for one that is missing or elsewhere."""
    if trial is None or trial.picture is None:
        return None
    try:
        path = host.inside(folder, trial.picture)
    except UnsafePath:
        return None
    return quote(path.relative_to(folder.resolve()).as_posix()) if path.is_file() else None
