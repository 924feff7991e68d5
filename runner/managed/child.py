"""One life of ComfyUI: a process in a group of its own, its output read to the end and kept, bounded, on disk."""

from __future__ import annotations

import codecs
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from .processes import ProcessId, for_another_python, kill_group, own_group

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
    """A line as a terminal would leave it, without colours: what progress bars overwrote is left out."""
    return _COLOUR.sub("", line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace"))


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


BEFORE_WORDS = r"^(?:\x1b\[[\d;]*m|\[[A-Z]+\]| )*"
"""What may stand before the words of a log's line: newer ComfyUI writes ``[INFO]`` there, in colour."""

_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_EXECUTED = re.compile(BEFORE_WORDS.encode() + rb"Prompt executed in ", re.MULTILINE)
_CHUNK = 1 << 16
_LINE_LIMIT = 1 << 12
_DRAIN_SECONDS = 1.0


class Child:
    """ComfyUI as started by `command`. `on_jobs` is called, from a thread, with the number of prompts that ended.

    ComfyUI keeps no count of finished prompts that could be asked for, and its history is emptied by clients; but it
    prints one line for each, failed ones included. `on_end` is called when its output ends.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        log: RotatingLog,
        on_jobs: Callable[[int], None],
        on_end: Callable[[], None],
    ) -> None:
        self._log, self._on_jobs, self._on_end = log, on_jobs, on_end
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd=folder,
            env=for_another_python(PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8", DO_NOT_TRACK="1"),
            **own_group(),
        )
        self.id = ProcessId.of(self._process.pid) or ProcessId(self._process.pid, "")
        self._reader = threading.Thread(target=self._read, name="likeness-log", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        out = self._process.stdout
        assert out is not None
        line = b""
        while chunk := out.read(_CHUNK):
            self._log.write(chunk)
            whole, newline, rest = (line + chunk).rpartition(b"\n")
            line = rest[-_LINE_LIMIT:]
            if newline and (count := len(_EXECUTED.findall(whole + newline))):
                self._on_jobs(count)
        self._on_end()

    def exit_code(self) -> int | None:
        """How it ended (minus the signal's number), or None while it runs. What it left behind is ended, too."""
        code = self._process.poll()
        if code is not None:
            kill_group(self._process.pid)
            self._reader.join(_DRAIN_SECONDS)
        return code

    def stop(self, grace: float) -> None:
        """SIGTERM, and SIGKILL for the whole group after `grace` seconds."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                kill_group(self._process.pid)
                self._process.wait()
        self.exit_code()


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"ComfyUI ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = "; the system does that when memory runs out" if name == "SIGKILL" else ""
    return f"ComfyUI was ended by {name}{hint}"
