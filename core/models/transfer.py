"""What downloads have around them: free space, hashes, a full disk in clear words, and how far they are."""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from .. import host
from ..errors import DiskFull
from ..files import file_sha256

sha256 = file_sha256
"""What the store and its downloads call it."""

SPARE = 16 * 2**20
"""Bytes that a download must leave free."""

_FULL = {errno.ENOSPC, errno.EDQUOT}


def megabytes(size: int) -> str:
    """A size for people: ``176.0 MB``."""
    return f"{size / 1e6:,.1f} MB"


def require_space(folder: Path, size: int, what: str) -> None:
    """Raise DiskFull unless `folder` has room for `size` more bytes and some to spare."""
    free = shutil.disk_usage(folder).free
    if free < size + SPARE:
        raise DiskFull(
            f"{what} needs {megabytes(size + SPARE)} and the disk of {folder} has {megabytes(free)} free;"
            " make room, or point LIKENESS_MODELS at another disk."
        )


def full(what: str, folder: Path) -> DiskFull:
    """The error for a disk that filled up while `what` was written to `folder`."""
    return DiskFull(
        f"The disk of {folder} filled up while {what} was written; make room, or point LIKENESS_MODELS at another disk."
    )


@contextmanager
def clear_when_full(what: str, *leftovers: Path) -> Iterator[None]:
    """Turn "no space left" into DiskFull and give back the room that the `leftovers` take."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)
        raise full(what, leftovers[0].parent) from error


Advance = Callable[[int], None]
_HOST_STEPS = 100


@contextmanager
def meter(label: str, total: int, *, quiet: bool = False) -> Iterator[Advance]:
    """Yield ``advance(done)``, to be called with the bytes done so far out of `total`.

    Every call is also a point where the user can stop the run (Interrupted, or ComfyUI's own exception).
    """
    on_terminal = sys.stderr is not None and sys.stderr.isatty() and not host.is_serving()
    if not quiet and on_terminal and find_spec("rich"):
        with _bar(label, total) as advance:
            yield advance
    elif quiet:
        yield lambda done: host.check_interrupted()
    else:
        if sys.stderr is not None and not host.is_serving():
            print(f"Fetching {label} ({total / 1e6:.1f} MB) ...", file=sys.stderr, flush=True)
        yield _host_steps(total)


@contextmanager
def _bar(label: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)

        def advance(done: int) -> None:
            host.check_interrupted()
            bar.update(task, completed=done)

        yield advance


def _host_steps(total: int) -> Advance:
    progress = host.Progress(_HOST_STEPS)

    def advance(done: int) -> None:
        host.check_interrupted()
        steps = min(_HOST_STEPS * done // max(total, 1), _HOST_STEPS) - progress.done
        if steps > 0:
            progress.step(steps)

    return advance
