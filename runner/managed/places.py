"""Where the managed servers keep what they remember: a folder for each name, below the user's state folder."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ..errors import BadServerName, OutputUnwritable

DEFAULT_NAME = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def root() -> Path:
    """The folder of all managed servers; ``LIKENESS_STATE`` moves it."""
    chosen = os.environ.get("LIKENESS_STATE")
    return (
        Path(chosen).expanduser().resolve() if chosen else Path(platformdirs.user_state_dir("likeness-studio", False))
    )


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
        return root() / "servers" / self.name

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
    found = (path.parent.name for path in (root() / "servers").glob("*/server.json"))
    return sorted(name for name in found if _NAME.fullmatch(name))
