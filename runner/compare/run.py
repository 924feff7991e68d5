"""A comparison from what shall be varied to its report: check, run as a batch, look at what became of each cell."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ...core.errors import LikenessError
from ...core.interrupt import Stopped, never
from ..backends import Backend, BackendOptions, connect
from ..backends.execute import check_writable
from ..batch.job_records import BatchOptions
from ..batch.keys import AWAY
from ..batch.ledger import Ledger
from ..batch.run import Display, run_batch
from ..workflow.graph import Workflow
from ..workflow.input_files import assign_input_files
from ..workflow.overrides import apply_settings
from .cells import Cell, PlannedRun, cells_of, plan_runs, seed_settings, write_table
from .page import Comparison, write_page, write_tables
from .vary import Axis, CompareOptions, check_axes, read_axis

T = TypeVar("T")


@dataclass(frozen=True)
class CompareResult:
    """A finished comparison and the files that report it. `runs` were needed, `runs_now` of them ran this time."""

    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]
    runs: int
    runs_now: int
    seconds: float
    folder: Path
    html: Path
    csv: Path
    json: Path

    @property
    def failed(self) -> int:
        """How many runs have no result."""
        return sum(cell.failed for cell in self.cells)

    @property
    def best(self) -> Cell | None:
        """The cell with the highest median likeness; None where none has one."""
        judged = [cell for cell in self.cells if cell.likeness is not None]
        return max(judged, key=lambda cell: cell.likeness or 0.0, default=None)

    def as_dict(self) -> dict[str, Any]:
        """The result for machine output."""
        return {
            "runs": self.runs,
            "runs_now": self.runs_now,
            "failed": self.failed,
            "seconds": round(self.seconds, 3),
            "best": None if self.best is None else self.best.label,
            "cells": [cell.as_dict(self.axes) for cell in self.cells],
            "folder": str(self.folder),
            "html": str(self.html),
            "csv": str(self.csv),
            "json": str(self.json),
        }


def compare(options: CompareOptions, display: Display | None = None, stopped: Stopped = never) -> CompareResult:
    """Run every combination that is not done yet, and report on all of them: compare.html, compare.csv, compare.json.

    The same call again goes on where the last one ended. Raises BadVary, TooManyRuns and NothingToVary, what reading
    the workflow, its settings and its photos raises, all before anything runs; then what `run_batch` raises. What is
    wrong with a single run does not end the comparison.
    """
    axes = tuple(read_axis(text) for text in options.vary)
    workflow, runs, table = _prepare(options, axes)
    batch = BatchOptions(
        workflow=options.workflow,
        inputs=table,
        output=options.output,
        servers=options.servers,
        settings=options.settings,
        in_flight=options.in_flight,
        wait_seconds=options.wait_seconds,
        allow_black=options.allow_black,
        allow_files=options.allow_files,
        headers=options.headers,
    )
    done = run_batch(batch, display, stopped)
    with Ledger.read(options.output) as ledger:
        rows = list(ledger.rows())
    cells = tuple(cells_of(axes, runs, rows))
    shown = Comparison(workflow, axes, cells, tuple(options.seeds), options.settings, rows, options.output)
    html = write_page(shown)
    csv, json = write_tables(shown)
    return CompareResult(axes, cells, len(runs), done.jobs_run, done.seconds, options.output, html, csv, json)


def _prepare(options: CompareOptions, axes: tuple[Axis, ...]) -> tuple[Workflow, list[PlannedRun], Path]:
    """Check everything that can be checked without running, and write the batch's table."""
    runs = plan_runs(axes, options.seeds)

    def read(backend: Backend) -> Workflow:
        workflow = backend.load(options.workflow)
        apply_settings(workflow, options.settings, backend.catalog())
        check_axes(workflow, axes, backend.catalog())
        for seed in options.seeds:
            apply_settings(workflow.copy(), seed_settings(workflow, axes, seed), backend.catalog())
        return workflow

    workflow = _ask(options, read)
    seeds = {seed: seed_settings(workflow, axes, seed) for seed in options.seeds}
    photos = assign_input_files(workflow, options.given)
    check_writable(options.output)
    return workflow, runs, write_table(runs, axes, seeds, photos, options.output)


def _ask(options: CompareOptions, question: Callable[[Backend], T]) -> T:
    """What the first server says that answers; this process where there is none."""
    away: LikenessError | None = None
    for server in options.servers or [None]:
        try:
            with closing(connect(server, BackendOptions(headers=options.headers))) as backend:
                return question(backend)
        except AWAY as error:
            away = away or error
    assert away is not None
    raise away
