"""Find the files that the nodes of a run say they wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ...core import host
from ...core.errors import UnsafePath
from ..errors import OutputMissing
from .result import RunResult, SavedFile

File = dict[str, Any]
"""A file as nodes report it: ``{filename, subfolder, type}``."""


def announced(result: RunResult) -> Iterator[tuple[str, File]]:
    """Every file that a node showed, with the node's id."""
    for node, shown in result.ui.items():
        for values in shown.values():
            for value in values if isinstance(values, list | tuple) else ():
                if isinstance(value, dict) and isinstance(value.get("filename"), str):
                    yield node, value


def relative_name(file: File) -> str:
    """The file's name inside the folder of its type. It comes from outside: use `local_path`."""
    return (PurePosixPath(str(file.get("subfolder") or "")) / file["filename"]).as_posix()


def local_path(folder: Path, file: File) -> Path:
    """Where `file` belongs under `folder`. Raises UnsafePath for a name that leads elsewhere or names no file."""
    path = host.inside(folder, relative_name(file))
    if path == folder.resolve():
        raise UnsafePath(f"The name {file['filename']!r} names no file in {folder}; the node that gave it is broken.")
    return path


def collect_files(result: RunResult, output: Path, temp: Path) -> None:
    """Add the files that the nodes announced to `result`. Raises OutputMissing or UnsafePath."""
    for node, file in announced(result):
        title = result.titles.get(node, node)
        kind = file.get("type", "output")
        folder, found = (temp, result.previews) if kind == "temp" else (output, result.outputs)
        path = local_path(folder, file)
        if not path.is_file():
            raise OutputMissing(f"{title} announced {file['filename']}, which is not in {folder}; run it again.")
        found.append(SavedFile(path, node, title))
