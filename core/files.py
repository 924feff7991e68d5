"""Saving files: one way to find a name that is free, and one to have a file whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO

ONE_BY_ONE = 16
"""So many numbers are tried in order; beyond, free ones are searched for in steps that double."""


def make_private_folder(folder: Path) -> None:
    """Make a folder, with those it lies in, that only its owner may look into; one that is there stays as it is.

    What people's faces are on goes into such folders. Raises OSError.
    """
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def only_ours(folder: Path) -> bool:
    """Whether nobody else may write into a folder: what lies there was put there by this user. Raises OSError.

    Systems without owners and modes keep each user's folders apart themselves.
    """
    found = folder.lstat()
    if not hasattr(os, "geteuid"):
        return True
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def file_sha256(path: Path) -> str:
    """The file's sha256 in 64 hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def numbered(path: Path, number: int) -> Path:
    """`path` itself for 1, then ``name_2``, ``name_3`` and so on beside it."""
    return path if number == 1 else path.with_stem(f"{path.stem}_{number}")


def numbered_paths(path: Path) -> Iterator[Path]:
    """All names that a file may get where `path` is taken, `path` first."""
    return (numbered(path, number) for number in count(1))


def beside(path: Path, ending: str) -> Path:
    """A file that belongs to `path`, such as its report: the same name with another ending."""
    return path.with_name(path.stem + ending)


def free_path(path: Path, *endings: str) -> Path:
    """`path`, or a free one of ``name_2``, ``name_3`` …: found in few steps also where thousands are taken.

    `endings`: what will lie beside it must be free as well, so that no report is another picture's.
    """

    def is_taken(number: int) -> bool:
        each = numbered(path, number)
        return any(os.path.lexists(file) for file in (each, *(beside(each, ending) for ending in endings)))

    for number in range(1, ONE_BY_ONE):
        if not is_taken(number):
            return numbered(path, number)
    taken, free = ONE_BY_ONE - 1, ONE_BY_ONE
    while is_taken(free):
        taken, free = free, free * 2
    while free - taken > 1:
        middle = (taken + free) // 2
        if is_taken(middle):
            taken = middle
        else:
            free = middle
    return numbered(path, free)


def claim_free_path(part: Path, path: Path, *endings: str) -> Path:
    """Name the finished file `part` also `path`, or a free name beside it; two processes never take the same.

    Returns the name. `part` stays where it is. `endings` as for `free_path`. Raises OSError.
    """
    while True:
        candidate = free_path(path, *endings)
        try:
            _link(part, candidate)
        except FileExistsError:
            continue
        return candidate


def write_new(path: Path, data: bytes, *endings: str, private: bool = False) -> Path:
    """Write `data` to `path`, or to a free name beside it: no file is ever replaced. Returns it. Raises OSError.

    `endings` as for `free_path`. `private`: only its owner may read it, from the first byte on.
    """
    while True:
        candidate = free_path(path, *endings)
        try:
            write_exclusively(candidate, data, private=private)
        except FileExistsError:
            continue
        return candidate


def write_exclusively(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write `data` to a file that must not be there yet; nothing is left of it where that fails. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o600 if private else 0o666), "wb") as file:
        try:
            file.write(data)
            file.flush()
        except BaseException:
            _forget(path)
            raise


def open_anew(path: Path, *, private: bool = False) -> BinaryIO:
    """Open a file of our own for writing in place of what is there: a link is taken away and never written through.

    `private`: only its owner may read it. Raises OSError, also when something takes the name at the same moment.
    """
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    return os.fdopen(os.open(path, flags, 0o600 if private else 0o666), "wb")


def make_private_file(path: Path) -> None:
    """Make an empty file that only its owner may read, unless one is there; a link is refused. Raises OSError."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))


@contextmanager
def written_whole(path: Path, *, private: bool = False) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place at the end of the block.

    Where the block fails, or the process is killed, an older file at `path` is what it was. `private`: only its owner
    may read it, from the first byte on. Raises OSError.
    """
    part = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part")
    try:
        if private:
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield part
        if private:
            part.chmod(0o600)
        part.replace(path)
    finally:
        _forget(part)


def write_whole(path: Path, data: str | bytes, *, private: bool = False) -> None:
    """Write `data` (text as UTF-8) in the place of `path`, whole or not at all. Raises OSError.

    `private` as for `written_whole`.
    """
    with written_whole(path, private=private) as part:
        part.write_bytes(data.encode() if isinstance(data, str) else data)


def _link(part: Path, path: Path) -> None:
    """A second name for `part` that must be free; a copy where the file system has no links."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags, stat.S_IMODE(part.stat().st_mode)), "wb") as out, part.open("rb") as source:
            try:
                shutil.copyfileobj(source, out)
            except OSError:
                path.unlink()
                raise


def _forget(path: Path) -> None:
    """Take a half-written file away, also where its folder could not be made."""
    with suppress(OSError):
        path.unlink()
