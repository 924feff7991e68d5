"""The process that owns one ComfyUI: starts it, restarts it when it crashes or hangs, recycles it, ends it.

It is started apart from any terminal, takes what to run from the server's state file, and keeps that file true.
SIGTERM stops it and ComfyUI.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import OutputUnwritable, PortTaken
from . import options as ports
from . import state
from .child import BEGINNING, Child, RotatingLog, how_it_ended
from .options import Limits, Options, Place, url
from .processes import ProcessId
from .state import Probe, ServerState

_TICK_SECONDS = 0.5
_PORT_SECONDS = 30.0
_MOVES = 5
_STOPPED, _RECYCLE = "stopped", "recycle"


class Supervisor:
    """Runs the server that `known` describes until it is stopped or given up."""

    def __init__(self, known: ServerState) -> None:
        self.state = known
        self.options = Options.read(known.options)
        self._limits: Limits = self.options.limits
        self._log = RotatingLog(Place(known.name).log, self._limits.log_bytes)
        self._stopping = False
        self._finished = 0
        self._counted = 0
        self._last_job = 0.0
        self._mended = 0.0
        self._count_lock = threading.Lock()
        self._crashes: deque[float] = deque()
        self._ever_ready = False
        self._moves = _MOVES
        self._bell, self._ear = socket.socketpair()
        for end in (self._bell, self._ear):
            end.setblocking(False)
        self._guard = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.processes"], stdin=subprocess.PIPE, start_new_session=True
        )

    def run(self) -> int:
        """Until the end; the exit code."""
        self._take_signals()
        while True:
            ended = self._stop_wanted() or self._live_once()
            if ended == _STOPPED:
                return self._leave(state.STOPPED, None)
            if ended == _RECYCLE:
                self.state.recycled += 1
                continue
            if not self._ever_ready and self._moved():
                continue
            if not self._ever_ready:
                return self._leave(state.FAILED, ended)
            if self._too_many_crashes():
                often = f"{len(self._crashes)} times within {self._limits.window:g} s"
                return self._leave(state.FAILED, f"Given up: ComfyUI crashed {often}. The last time: {ended}.")
            self.state.restarts += 1
            self._say(state.RESTARTING, error=ended)
            self._sleep(self._backoff())

    def _stop_wanted(self) -> str | None:
        return _STOPPED if self._stopping else None

    def _live_once(self) -> str:
        """Start ComfyUI and watch it to its end: `_STOPPED`, `_RECYCLE`, or why it must be started again."""
        self._log.write(f"{BEGINNING}{state.now()}\n".encode())
        port = self.state.port
        if not ports.wait_free(self.options.listen, port, _PORT_SECONDS if self._ever_ready else 0.0):
            return f"port {port} was taken by another program"
        try:
            child = Child(self.state.command, Path(self.state.folder), self._log, self._count, self._ring)
        except OSError as error:
            return f"ComfyUI could not be started ({error})"
        self._guard_process(child.id)
        probe = Probe(self.state.url, self.state.command[1:], self._limits.probe, self._ring)
        self._say(state.RESTARTING if self._ever_ready else state.STARTING, server=child.id)
        try:
            probe.start()
            return self._watch(child, probe)
        finally:
            probe.end()
            child.stop(self._limits.grace)
            self._guard_process(None)
            self.state.server = None

    def _watch(self, child: Child, probe: Probe) -> str:
        began, jobs_before = time.monotonic(), self._finished
        while True:
            if self._stopping:
                return _STOPPED
            code = child.exit_code()
            if code is not None:
                return how_it_ended(code)
            if probe.ready and self.state.state != state.READY:
                self._ever_ready = True
                self.state.recycling = False
                self._say(state.READY)
            silent = time.monotonic() - (probe.answered if probe.ready else began)
            if silent > (self._limits.hang if probe.ready else self._limits.start):
                return f"ComfyUI did not answer for {silent:.0f} s"
            if self._recycle_now(probe, self._finished - jobs_before):
                return _RECYCLE
            self._note_jobs()
            self._mend()
            self._hear(_TICK_SECONDS)

    def _recycle_now(self, probe: Probe, jobs: int) -> bool:
        """Whether enough prompts were finished and nobody would lose one by a restart at this moment."""
        if not self.state.recycle_after or jobs < self.state.recycle_after:
            return False
        if not self.state.recycling:
            self.state.recycling = True
            self._write()
            probe.watch_queue()
        if probe.idle_since is None:
            return False
        quiet_since = max(probe.idle_since, self._last_job)
        return probe.collected or time.monotonic() - quiet_since >= self._limits.quiet

    def _moved(self) -> bool:
        """Take another port if another program took ours while ComfyUI started, and the user had named none."""
        listen = self.options.listen
        if self.options.port is not None or self._moves == 0 or ports.is_free(listen, self.state.port):
            return False
        self._moves -= 1
        try:
            port = ports.choose(listen, None, state.ports_given(self.state.name))
        except PortTaken:
            return False
        self.state.command[self.state.command.index("--port") + 1] = str(port)
        self.state.url = url(self.options, port)
        return True

    def _too_many_crashes(self) -> bool:
        now = time.monotonic()
        self._crashes.append(now)
        while self._crashes and now - self._crashes[0] > self._limits.window:
            self._crashes.popleft()
        return len(self._crashes) >= self._limits.crashes

    def _backoff(self) -> float:
        longest = min(self._limits.longest_backoff, self._limits.backoff * 2 ** (len(self._crashes) - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret

    def _count(self, jobs: int) -> None:
        with self._count_lock:
            self._finished += jobs
            self._last_job = time.monotonic()
        self._ring()

    def _note_jobs(self) -> None:
        """Put the count of finished prompts into the state file, where it changed."""
        with self._count_lock:
            fresh, self._counted = self._finished - self._counted, self._finished
        if fresh:
            self.state.jobs += fresh
            self._write()

    def _say(self, word: str, error: str | None = None, server: ProcessId | None = None) -> None:
        self.state.state = word
        self.state.last_error = error or self.state.last_error
        self.state.server = server or self.state.server
        self._write()

    def _mend(self) -> None:
        """Write the state file anew where it was damaged or deleted: nobody finds the server without it."""
        now = time.monotonic()
        if now - self._mended >= state.MEND_SECONDS:
            self._mended = now
            if not self.state.is_written():
                self._write()

    def _write(self) -> None:
        """Keep the state file true; a full disk is no reason to stop."""
        with suppress(OutputUnwritable):
            self.state.write()

    def _leave(self, word: str, error: str | None) -> int:
        self._note_jobs()
        self.state.server = None
        if error:
            self._log.write(f"[likeness] {error}\n".encode())
        self._say(word, error)
        with suppress(OSError):
            if self._guard.stdin:
                self._guard.stdin.close()
        self._log.close()
        return 1 if error else 0

    def _guard_process(self, process: ProcessId | None) -> None:
        """Tell the guard what to end when this process dies; a guard that is gone itself is no reason to stop."""
        line = f"{process.pid} {process.stamp}\n" if process else "\n"
        with suppress(OSError):
            if self._guard.stdin:
                self._guard.stdin.write(line.encode())
                self._guard.stdin.flush()

    def _take_signals(self) -> None:
        """Signals ring the bell: an event set in a handler could wait for the very code that it interrupted."""

        def stop(*_: Any) -> None:
            self._stopping = True
            self._ring()

        for name in ("SIGTERM", "SIGINT"):
            signal.signal(getattr(signal, name), stop)
        with suppress(AttributeError):
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _ring(self) -> None:
        with suppress(OSError):
            self._bell.send(b"!")

    def _hear(self, seconds: float) -> None:
        """Wait for the bell, `seconds` at most."""
        self._ear.settimeout(max(seconds, 0.001))
        with suppress(OSError):
            self._ear.recv(1 << 12)

    def _sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stopping and (left := deadline - time.monotonic()) > 0:
            self._hear(left)


def main() -> int:
    """``python -m …supervisor NAME``: run the server of that name as its state file says."""
    known = state.read(sys.argv[1])
    if known is None:
        return 2
    known.supervisor = ProcessId.of(os.getpid())
    known.state, known.last_error = state.STARTING, None
    return Supervisor(known).run()


if __name__ == "__main__":
    sys.exit(main())
