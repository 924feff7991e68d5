"""What a user can choose about a managed server, and the command line that comes of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .places import DEFAULT_NAME, Place
from .ports import reachable_host


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
