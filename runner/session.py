"""One run from photos to report, wherever the workflow runs: what `likeness run` and `likeness demo` do."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .files_in import Given, stage
from .report import write_report
from .result import Backend, Folders, OnEvent, RunResult, ignore
from .stop import stoppable
from .workflow import Workflow


@dataclass(frozen=True)
class Finished:
    """A run's result and the two files that report it."""

    result: RunResult
    html: Path
    json: Path


def run_once(
    workflow: Workflow,
    backend: Backend,
    output: Path,
    photos: Sequence[Given] = (),
    on_event: OnEvent = ignore,
) -> Finished:
    """Run `workflow` with `photos`; pictures, report.html and report.json go to `output`.

    Photos that the workflow names and that were not given are looked for beside the workflow file and in ``./input``.
    Raises what staging the photos, the backend and the report raise.
    """
    search = [folder for folder in (workflow.folder, Path("input")) if folder is not None]
    with tempfile.TemporaryDirectory(prefix="likeness-", ignore_cleanup_errors=True) as temp:
        folders = Folders(Path(temp) / "input", output.absolute(), Path(temp) / "temp")
        folders.input.mkdir()
        staged, used = stage(workflow, photos, folders.input, search)
        result = stoppable(lambda stopped: backend.run(staged, folders, on_event, stopped))
        result.workflow_hash = workflow.hash
        result.photos = used
        html, json = write_report(result, folders.output)
    return Finished(result, html, json)
