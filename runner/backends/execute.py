"""One run from an address and photos to results, wherever the workflow runs: for client, commands and batches."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ...core.errors import LikenessError, PhotoUnreadable
from ...core.files import make_private_folder
from ...core.interrupt import Stopped, never
from ..errors import OutputUnwritable
from ..workflow.canvas_texts import with_dates
from ..workflow.graph import Workflow
from ..workflow.input_files import Given, named_models, search_folders, stage_input_files
from ..workflow.reference_names import name_in_error, name_persons, name_references
from .base import Backend, Folders, OnEvent, ignore
from .result import RunResult


@dataclass(frozen=True)
class BackendOptions:
    """How to use a place; this process needs none of it.

    `headers` go with every request. `capacity` is how many runs at a time the place is given. `wait_seconds` bounds the
    wait for a server that does not answer at the start, `outage_seconds` for one that goes away during a run.
    `previews` also fetches pictures that are only shown, `keep_history` leaves the server's history alone, and
    `allow_black` accepts completely black pictures.
    """

    headers: Mapping[str, str] | None = field(default=None, repr=False, compare=False)
    capacity: int = 2
    wait_seconds: float = 10.0
    outage_seconds: float = 120.0
    previews: bool = False
    keep_history: bool = False
    allow_black: bool = False


def connect(address: str | None = None, options: BackendOptions | None = None) -> Backend:
    """The backend for a ComfyUI server's URL, for the managed server ``@NAME``, or, without one, for this process.

    Nothing is sent yet. Raises BadServerAddress, NoManagedServer, and ServerUnreachable where the URL leads nowhere.
    """
    if address is None:
        from .local import LocalEngine

        return LocalEngine()
    from .comfy.backend import ServerBackend

    chosen = options or BackendOptions()
    return ServerBackend(
        address,
        chosen.headers,
        capacity=chosen.capacity,
        wait_seconds=chosen.wait_seconds,
        outage_seconds=chosen.outage_seconds,
        previews=chosen.previews,
        keep_history=chosen.keep_history,
        allow_black=chosen.allow_black,
    )


NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""What the system says of a disk that takes no more."""


def make_folder(folder: Path) -> None:
    """Make `folder`, unless it is there and writable as far as can be told quickly. Raises OutputUnwritable."""
    if not os.access(folder, os.W_OK | os.X_OK):
        check_writable(folder)


def check_writable(folder: Path) -> None:
    """Make `folder` and write into it once, before minutes of work are lost. Raises OutputUnwritable."""
    try:
        make_private_folder(folder)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputUnwritable(
            f"Nothing can be written to the output folder {folder} ({error.strerror or error}); choose another."
        ) from error


def execute(
    workflow: Workflow,
    backend: Backend,
    output: Path,
    photos: Sequence[Given] = (),
    on_event: OnEvent = ignore,
    stopped: Stopped = never,
    *,
    temp: Path,
    prompt_id: str | None = None,
    resume: bool = False,
) -> RunResult:
    """Run `workflow` with `photos`; results go to `output`, which is there, and what is only shown to `temp`.

    Photos that the workflow names and that were not given are looked for beside the workflow file and in ``./input``,
    and read only where the user allowed that. Raises what staging the photos and the backend raise.
    """
    folders = Folders(temp / "input", output.absolute(), temp / "temp")
    try:
        if photos or workflow.file_nodes():
            folders.input.mkdir(parents=True)
        staged, used = stage_input_files(workflow, photos, folders.input, search_folders(workflow))
    except OSError as error:
        raise _not_staged(error, folders.input) from error
    staged = with_dates(staged, datetime.now().astimezone())
    name_persons(staged, photos, used)
    try:
        result = backend.run(staged, folders, on_event, stopped, prompt_id=prompt_id, resume=resume)
    except LikenessError as error:
        name_in_error(staged, used, error)
        raise
    name_references(staged, used, result.ui)
    result.workflow_hash = workflow.hash
    result.model_files = named_models(staged)
    result.photos = used
    if result.saved_nothing:
        result.notes.append(_nothing_saved(staged))
    return result


def _nothing_saved(workflow: Workflow) -> str:
    """What is said of a run without a file: its last nodes only show what they are given."""
    used = {origin for node in workflow for origin, _ in node.links.values()}
    last = ", ".join(repr(node.title) for node in workflow if node.id not in used)
    return f"Nothing was saved: {last} kept no file; end the workflow in a node that saves, such as Save Image."


def _not_staged(error: OSError, folder: Path) -> PhotoUnreadable | OutputUnwritable:
    """The error for photos that cannot be brought into `folder`: the fault of a photo, or of the disk."""
    reason = error.strerror or error
    if error.errno in NO_ROOM:
        return OutputUnwritable(f"The photos cannot be put into {folder} ({reason}); make room, or set TMPDIR.")
    return PhotoUnreadable(f"{error.filename or 'A photo'} cannot be read ({reason}); check it and its permissions.")
