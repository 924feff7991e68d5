"""ComfyUI's output on disk: bounded, and readable from the end while it grows."""

from __future__ import annotations

import codecs
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

LOG_BYTES = 10 * 2**20
"""The size at which a log becomes ``.1`` and a new one begins, so that two of this size are kept at most."""

BEGINNING = "[likeness] ComfyUI is started at "
"""What the supervisor writes before each start, with the time: the words of earlier starts lie above it."""

_TICK_SECONDS = 0.1
_BLOCK = 1 << 16


class RotatingLog:
    """Appends bytes to `path`; at `limit` bytes the file is renamed to ``.1`` and a new one is begun."""

    def __init__(self, path: Path, limit: int = LOG_BYTES) -> None:
        self._path, self._limit = path, limit
        self._out = self._open()

    def _open(self) -> BinaryIO:
        return os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab", buffering=0)

    def write(self, data: bytes) -> None:
        """Append; a full disk loses the words and not the server."""
        try:
            if self._out.closed:
                self._out = self._open()
            if self._out.tell() + len(data) > self._limit and self._out.tell():
                self._out.close()
                self._path.replace(older(self._path))
                self._out = self._open()
            self._out.write(data)
        except OSError:
            return

    def close(self) -> None:
        """Close the file."""
        self._out.close()


def older(path: Path) -> Path:
    """The log before this one."""
    return path.with_name(path.name + ".1")


def tail(path: Path, lines: int) -> list[str]:
    """The last `lines` lines, from the older log as well where this one has too few."""
    found: list[str] = []
    for part in (path, older(path)):
        missing = lines - len(found)
        if missing <= 0:
            break
        found[:0] = _last_lines(part, missing)
    return found


def since_start(lines: list[str]) -> list[str]:
    """Those of the log's last lines that the latest start wrote."""
    marks = [number for number, line in enumerate(lines) if BEGINNING in line]
    return lines[marks[-1] + 1 :] if marks else lines


def _last_lines(path: Path, lines: int) -> list[str]:
    try:
        with path.open("rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            data = b""
            while end > 0 and data.count(b"\n") <= lines:
                start = max(0, end - _BLOCK)
                stream.seek(start)
                data = stream.read(end - start) + data
                end = start
    except OSError:
        return []
    return [_shown(line) for line in data.removesuffix(b"\n").split(b"\n")[-lines:]] if data else []


def _shown(line: bytes) -> str:
    """A line as a terminal would leave it: what progress bars overwrote is left out."""
    return line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")


def follow(path: Path, stopped: Callable[[], bool]) -> Iterator[str]:
    """The text that is added to the log from now on, also past its rotation, until `stopped` says so."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    stream = path.open("rb") if path.exists() else None
    if stream:
        stream.seek(0, os.SEEK_END)
    try:
        while True:
            text = stream.read() if stream else b""
            if text:
                yield decode(text)
                continue
            if _replaced(path, stream):
                if stream:
                    stream.close()
                stream = path.open("rb")
                continue
            if stopped():
                return
            time.sleep(_TICK_SECONDS)
    finally:
        if stream:
            stream.close()


def _replaced(path: Path, stream: BinaryIO | None) -> bool:
    """Whether another file has the log's name now."""
    try:
        there = path.stat()
    except OSError:
        return False
    return stream is None or os.fstat(stream.fileno()).st_ino != there.st_ino
