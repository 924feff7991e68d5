"""What is known about one managed server: a JSON file that is always whole, for this user only."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .places import Place, names, unwritable
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
        part = place.state.with_name(f".{place.state.name}.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                json.dump(asdict(self), out, indent=1)
            part.replace(place.state)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
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
