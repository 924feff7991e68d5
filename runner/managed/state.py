"""What is known about one managed server: a JSON file that is always whole, and whether the server answers."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...core.files import written_whole
from .options import Place, names, unwritable
from .processes import ProcessId

STARTING, READY, RESTARTING, FAILED, STOPPED = "starting", "ready", "restarting", "failed", "stopped"
RUNNING = frozenset({STARTING, READY, RESTARTING})


@dataclass
class ServerState:
    """One managed server as its supervisor last described it. `jobs` counts the prompts finished since `started`.

    `recycling`: enough prompts are finished; ComfyUI is restarted at the next moment without work, or just now.
    """

    name: str
    url: str = ""
    state: str = STARTING
    comfyui: str = ""
    python: str = ""
    started: str = ""
    jobs: int = 0
    restarts: int = 0
    recycled: int = 0
    recycle_after: int | None = None
    recycling: bool = False
    last_error: str | None = None
    log: str = ""
    supervisor: ProcessId | None = None
    server: ProcessId | None = None
    command: list[str] = field(default_factory=list)
    folder: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def port(self) -> int:
        """Where it listens; 0 when that is not known."""
        return int(self.command[self.command.index("--port") + 1]) if "--port" in self.command else 0

    def as_dict(self) -> dict[str, Any]:
        """For machine output: what a program can use, without how the server was started."""
        values = asdict(self)
        for inner in ("options", "command", "folder"):
            del values[inner]
        return values | {"ready": self.state == READY}

    def write(self) -> None:
        """Replace the server's file in one step. Raises OutputUnwritable."""
        place = Place(self.name)
        place.make()
        try:
            with written_whole(place.state, private=True) as part:
                part.write_text(json.dumps(asdict(self), indent=1), "utf-8")
        except OSError as error:
            raise unwritable(place.state, error) from error


def read(name: str) -> ServerState | None:
    """What is known about the server of that name, and whether it is still true; None when nothing is.

    A supervisor that is gone without a word leaves a file that says it runs: that is reported as failed.
    """
    state = _parse(Place(name).state)
    if state is None:
        return None
    if state.state in RUNNING and state.supervisor and not state.supervisor.alive():
        state.state = FAILED
        state.last_error = "The supervisor of the server is gone: it was killed, or the machine was restarted."
    return state


def ports_given(except_to: str) -> dict[int, str]:
    """The ports of the other servers, which need not listen yet, and whose they are."""
    others = (read(name) for name in names() if name != except_to)
    return {other.port: other.name for other in others if other is not None and other.state in RUNNING}


def now() -> str:
    """The time as the state has it: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _parse(path: Path) -> ServerState | None:
    known = {entry.name for entry in fields(ServerState)}
    try:
        values = json.loads(path.read_text("utf-8"))
        kept = {key: value for key, value in values.items() if key in known}
        kept["supervisor"] = ProcessId.read(kept.get("supervisor"))
        kept["server"] = ProcessId.read(kept.get("server"))
        return ServerState(**kept)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


_ANSWER_SECONDS = 5.0
_START_SECONDS = 0.25
_IDLE_SECONDS = 0.05


def ask(url: str, path: str) -> Any:
    """The JSON that a server of this machine answers to GET. Raises OSError or ValueError.

    The standard library's client: a supervisor that runs for weeks needs no more, and stays small.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        # The server is our own child on this machine, and its certificate is made out to another name.
        unverified = ssl._create_unverified_context()  # noqa: S323
        connection: HTTPConnection = HTTPSConnection(host, parts.port, timeout=_ANSWER_SECONDS, context=unverified)
    else:
        connection = HTTPConnection(host, parts.port, timeout=_ANSWER_SECONDS)
    with closing(connection):
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except HTTPException as error:
            raise ValueError(str(error)) from error
    if response.status != 200:
        raise ValueError(f"{path} was answered with {response.status}")
    return json.loads(body)


class Probe(threading.Thread):
    """Watches one life of a server until `end`. `changed` is called when an answer matters to the supervisor.

    `arguments` are what ComfyUI was started with: an answer that names others comes from somebody else's server.
    """

    def __init__(self, url: str, arguments: Sequence[str], seconds: float, changed: Callable[[], None]) -> None:
        super().__init__(name="likeness-probe", daemon=True)
        self._url, self._arguments, self._seconds, self._changed = url, list(arguments), seconds, changed
        self._ended = threading.Event()
        self._hurry = threading.Event()
        self.ready = False
        self.answered = time.monotonic()
        self.idle_since: float | None = None
        self.collected = False

    def run(self) -> None:
        """Ask again and again."""
        while not self._ended.is_set():
            if self._hurry.is_set():
                self._ask_idle()
            if not self._hurry.is_set() or time.monotonic() - self.answered >= self._seconds:
                self._ask_alive()
            self._pause()

    def watch_queue(self) -> None:
        """From now on ask for the queue, too, and often."""
        self._hurry.set()

    def end(self) -> None:
        """Stop asking."""
        self._ended.set()
        self._hurry.set()

    def _pause(self) -> None:
        if self._hurry.is_set():
            self._ended.wait(_IDLE_SECONDS)
        elif self.ready:
            self._hurry.wait(self._seconds)
        else:
            self._ended.wait(_START_SECONDS)

    def _ask_alive(self) -> None:
        try:
            answer = ask(self._url, "/system_stats")
            named = answer["system"].get("argv")
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return
        if named is not None and named != self._arguments:
            return
        self.answered = time.monotonic()
        if not self.ready:
            self.ready = True
            self._changed()

    def _ask_idle(self) -> None:
        try:
            queue = ask(self._url, "/queue")
            busy = bool(queue["queue_running"] or queue["queue_pending"])
            self.collected = not busy and ask(self._url, "/history?max_items=1") == {}
        except (OSError, ValueError, TypeError, KeyError):
            return
        if busy:
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = time.monotonic()
        if not busy:
            self._changed()
