"""One runner at a time in a batch's folder; the system frees the lock of a process that is gone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LedgerBusy, OutputUnwritable

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK = "ledger.lock"
LOCK_SECONDS = 0.5
"""`is_active` holds the lock for a moment: a runner that starts just then waits for it."""


def take_lock(folder: Path) -> BaseFileLock:
    """Be the runner of the batch in `folder`, which is made where it is missing.

    Raises LedgerBusy while another runner is, and OutputUnwritable.
    """
    from filelock import Timeout

    lock = _lock(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout as error:
        raise LedgerBusy(
            f"Another runner is at work in {folder}; wait for it, stop it, or choose another --output."
        ) from error
    except OSError as error:
        raise OutputUnwritable(
            f"The batch cannot be written to {folder} ({error.strerror or error}); choose another --output."
        ) from error
    return lock


def is_active(folder: Path) -> bool:
    """Whether a runner is at work in `folder` now. Nothing is written."""
    from filelock import Timeout

    if not (folder / LOCK).exists():
        return False
    lock = _lock(folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def _lock(folder: Path) -> BaseFileLock:
    from filelock import FileLock

    return FileLock(folder / LOCK, thread_local=False)
