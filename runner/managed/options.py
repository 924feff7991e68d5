"""What a user can choose about a managed server: its name and folder, its address, and the command line."""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...core.host import state_dir
from ..errors import BadServerName, OutputUnwritable, PortTaken

DEFAULT_NAME = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Place:
    """The files of one managed server. Raises BadServerName for a name that is no plain word."""

    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadServerName(
                f"{self.name!r} cannot name a server; use letters, digits, dots, dashes and underscores, 64 at most."
            )

    @property
    def folder(self) -> Path:
        """All of its files."""
        return state_dir() / "servers" / self.name

    @property
    def state(self) -> Path:
        """What the supervisor says about the server."""
        return self.folder / "server.json"

    @property
    def log(self) -> Path:
        """What ComfyUI prints."""
        return self.folder / "comfyui.log"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor itself prints, which should be nothing."""
        return self.folder / "supervisor.log"

    @property
    def temp(self) -> Path:
        """ComfyUI's temporary files: it empties that folder at every start, so servers must not share one."""
        return self.folder / "work"

    def make(self) -> None:
        """Create the folder, for this user only. Raises OutputUnwritable."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise unwritable(self.folder, error) from error


def unwritable(path: Path, error: OSError) -> OutputUnwritable:
    """The error for a state folder that cannot be written to."""
    return OutputUnwritable(
        f"{path} cannot be written ({error.strerror or error}); set LIKENESS_STATE to a folder that can."
    )


def names() -> list[str]:
    """The servers that were ever started and not forgotten, by name."""
    found = (path.parent.name for path in (state_dir() / "servers").glob("*/server.json"))
    return sorted(name for name in found if _NAME.fullmatch(name))


PREFERRED = 8188
"""ComfyUI's own default."""

_TICK_SECONDS = 0.1
_TRIES = 200


def is_loopback(listen: str) -> bool:
    """Whether every address of a comma-separated list can be reached from this machine only."""
    return all(_is_loopback(address.strip()) for address in listen.split(","))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def reachable_host(listen: str) -> str:
    """The address under which this machine itself reaches a server that listens on `listen`."""
    first = listen.split(",")[0].strip()
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(first, first)  # noqa: S104 - read, not bound


def is_free(listen: str, port: int) -> bool:
    """Whether `port` can be listened on at each address of `listen`, and nobody answers there."""
    return all(_is_free(address.strip(), port) for address in listen.split(","))


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.settimeout(1.0)
            if probe.connect_ex((reachable_host(address), port)) == 0:
                return False
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
    except OSError:
        return False
    return True


def wait_free(listen: str, port: int, seconds: float) -> bool:
    """Wait until `port` is free, `seconds` at most; whether it is."""
    deadline = time.monotonic() + seconds
    while not is_free(listen, port):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_TICK_SECONDS)
    return True


def choose(listen: str, wanted: int | None, avoid: Collection[int] = ()) -> int:
    """`wanted` itself, or else the first free port from ComfyUI's default on. Raises PortTaken.

    `avoid`: ports that were given to others who do not listen yet.
    """
    if wanted is not None:
        if wanted in avoid or not is_free(listen, wanted):
            raise PortTaken(
                f"Port {wanted} on {listen} is taken or not allowed; stop what listens there, or leave out --port."
            )
        return wanted
    for port in range(PREFERRED, PREFERRED + _TRIES):
        if port not in avoid and is_free(listen, port):
            return port
    raise PortTaken(f"No port from {PREFERRED} to {PREFERRED + _TRIES - 1} is free on {listen}; give one with --port.")


@dataclass(frozen=True)
class Limits:
    """When the supervisor acts. All times are seconds.

    A server that does not answer for `hang` is restarted; one that is not ready after `start` was never going to be.
    After `crashes` within `window` the supervisor gives up. Between two starts it waits `backoff`, twice as long each
    time, `longest_backoff` at most, half of it by chance. `grace` lies between SIGTERM and SIGKILL. `probe` is the
    time between two questions whether the server answers. A recycling waits until nothing is queued and either every
    result was collected or nothing happened for `quiet`. `log_bytes` is the size at which the log is rotated.
    """

    hang: float = 180.0
    start: float = 600.0
    crashes: int = 5
    window: float = 600.0
    backoff: float = 1.0
    longest_backoff: float = 60.0
    grace: float = 10.0
    probe: float = 5.0
    quiet: float = 5.0
    log_bytes: int = 10 * 2**20


@dataclass(frozen=True)
class Options:
    """How to start a server. `install` False changes nothing in ComfyUI: without the pack there, the start fails.

    `wait` is the time in seconds to wait until it is ready; 0 does not wait.

    `recycle_after`: restart ComfyUI after that many finished prompts. `base`: ComfyUI's ``--base-directory``, the
    folder of its models, custom_nodes, input, output and user. `extra`: further arguments for ComfyUI; they are kept
    in the state file for the next restart. (With ``--verbose`` above INFO it no longer says when a prompt is finished,
    and is not recycled.)
    """

    name: str = DEFAULT_NAME
    comfyui: Path | None = None
    python: Path | None = None
    cpu: bool = False
    port: int | None = None
    listen: str = "127.0.0.1"
    recycle_after: int | None = None
    base: Path | None = None
    extra: tuple[str, ...] = ()
    wait: float = 180.0
    install: bool = True
    limits: Limits = field(default_factory=Limits)

    def as_dict(self) -> dict[str, Any]:
        """For the state file."""
        paths = {"comfyui": self.comfyui, "python": self.python, "base": self.base}
        return asdict(self) | {name: str(path) if path else None for name, path in paths.items()}

    @classmethod
    def read(cls, values: dict[str, Any]) -> Options:
        """From the state file."""
        paths: dict[str, Any] = {
            name: Path(values[name]) if values.get(name) else None for name in ("comfyui", "python", "base")
        }
        rest: dict[str, Any] = {"extra": tuple(values.get("extra", ())), "limits": Limits(**values.get("limits", {}))}
        return cls(**{**values, **paths, **rest})


def url(options: Options, port: int) -> str:
    """Where this machine reaches the server."""
    scheme = "https" if any(word.startswith("--tls-keyfile") for word in options.extra) else "http"
    host = reachable_host(options.listen)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def command(options: Options, comfyui: Path, python: Path, port: int) -> list[str]:
    """The command line that starts ComfyUI."""
    words = [str(python), str(comfyui / "main.py"), "--listen", options.listen, "--port", str(port)]
    words += ["--disable-auto-launch"]
    if options.cpu:
        words.append("--cpu")
    if options.base:
        words += ["--base-directory", str(options.base)]
    if not any(word.startswith("--temp-directory") for word in options.extra):
        words += ["--temp-directory", str(Place(options.name).temp)]
    return [*words, *options.extra]
