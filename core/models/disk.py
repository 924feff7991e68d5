"""What downloads need of the disk: free space, hashes, and clear words when it is full."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DiskFull

SPARE = 16 * 2**20
"""Bytes that a download must leave free."""

_FULL = {errno.ENOSPC, errno.EDQUOT}


def sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
