"""One life of ComfyUI: a process in a group of its own, its output read to the end, ended with all it started."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from .log import RotatingLog
from .processes import ProcessId, for_another_python, kill_group, own_group

_EXECUTED = re.compile(rb"^Prompt executed in ", re.MULTILINE)
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
