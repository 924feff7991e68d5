"""One run from photos to report, wherever the workflow runs: what `likeness run` and `likeness demo` do."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import OutputUnwritable
from .files_in import Given, stage
from .report import write_report
from .result import Backend, Folders, OnEvent, RunResult, ignore
from .stop import stoppable
from .workflow import Workflow


def check_writable(folder: Path) -> None:
    """Make `folder` and write into it once, before minutes of work are lost. Raises OutputUnwritable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputUnwritable(
            f"Nothing can be written to the output folder {folder} ({error.strerror or error}); choose another."
        ) from error


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
    Raises OutputUnwritable, and what staging the photos, the backend and the report raise.
    """
    check_writable(output)
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
