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
from typing import Any
from urllib.parse import urlsplit

from ...core.files import write_whole
from ...core.host import state_dir
from ...core.models.answers import CHUNK, Budget, CountedResponse, TooMuch, within
from ..errors import ServerStateDamaged
from .options import Options, Place, names, unwritable
from .processes import ProcessId, find_module

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
            write_whole(place.state, self._text(), private=True)
        except OSError as error:
            raise unwritable(place.state, error) from error

    def is_written(self) -> bool:
        """Whether the server's file says this and nothing else."""
        try:
            return Place(self.name).state.read_text("utf-8", "replace") == self._text()
        except OSError:
            return False

    def _text(self) -> str:
        return json.dumps(asdict(self), indent=1)


def read(name: str) -> ServerState | None:
    """What is known about the server of that name, and whether it is still true; None when nothing is.

    A supervisor that is gone without a word leaves a file that says it runs: that is reported as failed. A file that
    was damaged or deleted is mended by the supervisor, which is waited for; raises ServerStateDamaged where it is not.
    """
    state = _parse(name) or _mended(name)
    if state is None:
        return None
    if state.state in RUNNING and state.supervisor and not state.supervisor.alive():
        state.state = FAILED
        state.last_error = "The supervisor of the server is gone: it was killed, or the machine was restarted."
    return state


def ports_given(except_to: str) -> dict[int, str]:
    """The ports of the other servers, which need not listen yet, and whose they are."""
    others = (_parse(name) for name in names() if name != except_to)
    return {other.port: other.name for other in others if other is not None and other.state in RUNNING}


def now() -> str:
    """The time as the state has it: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


SUPERVISOR = f"{__package__}.supervisor"
"""The module that a supervisor runs, with the server's name behind it."""

WHERE = "LIKENESS_STATE"
"""The variable that tells a supervisor where its state file lies."""

MEND_SECONDS = 1.0
"""A supervisor looks so often whether its file still says what it wrote."""

_MENDED_SECONDS = 3 * MEND_SECONDS
_TICK_SECONDS = 0.1


def _mended(name: str) -> ServerState | None:
    """What a supervisor that still runs says once it has mended its file; None where none runs."""
    place = Place(name)
    if not place.folder.is_dir():
        return None
    supervisor = find_module(SUPERVISOR, name, WHERE, str(state_dir()))
    deadline = time.monotonic() + _MENDED_SECONDS
    while supervisor is not None and supervisor.alive():
        state = _parse(name)
        if state is not None:
            return state
        if time.monotonic() >= deadline:
            raise ServerStateDamaged(
                f"{place.state} is damaged, and process {supervisor.pid}, which looks after the server {name!r}, does "
                f"not mend it; end that process and start the server again: likeness server start --name {name}."
            )
        time.sleep(_TICK_SECONDS)
    return _parse(name)


def _parse(name: str) -> ServerState | None:
    """What the file of the server says; None where it is not there, or is not what a supervisor writes."""
    known = {entry.name for entry in fields(ServerState)}
    try:
        values = json.loads(Place(name).state.read_text("utf-8"))
        kept = {key: value for key, value in values.items() if key in known}
        kept["supervisor"] = ProcessId.read(kept.get("supervisor"))
        kept["server"] = ProcessId.read(kept.get("server"))
        state = ServerState(**kept)
        return state if _is_right(state, name) else None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
        return None


_STATES = {STARTING, READY, RESTARTING, FAILED, STOPPED}


def _is_right(state: ServerState, name: str) -> bool:
    """Whether all of it is of the right kind. Raises ValueError, TypeError or IndexError where its parts are not."""
    words = (state.url, state.comfyui, state.python, state.started, state.log, state.folder, *state.command)
    counts = (state.jobs, state.restarts, state.recycled, state.recycle_after or 0)
    return (
        state.name == name
        and state.state in _STATES
        and all(isinstance(word, str) for word in (*words, state.last_error or ""))
        and all(isinstance(count, int) and count >= 0 for count in counts)
        and isinstance(state.recycling, bool)
        and isinstance(state.command, list)
        and 0 <= state.port < 1 << 16
        and (not state.options or isinstance(Options.read(state.options), Options))
    )


_ANSWER_SECONDS = 5.0
_LARGEST_ANSWER = 64 << 20
_START_SECONDS = 0.25
_IDLE_SECONDS = 0.05


def ask(url: str, path: str) -> Any:
    """The JSON that a server of this machine answers to GET, within 5 s and 64 MB. Raises OSError or ValueError.

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
    connection.response_class = CountedResponse
    with closing(connection), within(Budget(_ANSWER_SECONDS, _LARGEST_ANSWER)):
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = b"".join(iter(lambda: response.read(CHUNK), b""))
            if response.status != 200:
                raise ValueError(f"{path} was answered with {response.status}")
            return json.loads(body)
        except (HTTPException, TooMuch, RecursionError) as error:
            raise ValueError(str(error)) from error


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
