"""What saved pictures are called: ComfyUI's rules for prefixes and numbers, so that both places give the same names."""

from __future__ import annotations

import re
import time
from pathlib import Path

from .. import host

_DATE_PARTS = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "hh": "%H", "mm": "%M", "ss": "%S"}


def expand(prefix: str, width: int, height: int, now: time.struct_time | None = None) -> str:
    """Fill in ``%width%``, ``%height%``, ``%year%`` … ``%second%`` and ``%date:yyyy-MM-dd%``."""
    now = now or time.localtime()
    words = {"width": str(width), "height": str(height), "year": str(now.tm_year)}
    for name, value in (
        ("month", now.tm_mon),
        ("day", now.tm_mday),
        ("hour", now.tm_hour),
        ("minute", now.tm_min),
        ("second", now.tm_sec),
    ):
        words[name] = f"{value:02}"

    def date(match: re.Match[str]) -> str:
        return re.sub("yyyy|yy|MM|dd|hh|mm|ss", lambda part: time.strftime(_DATE_PARTS[part[0]], now), match[1])

    prefix = re.sub(r"%date:([^%]*)%", date, prefix)
    return re.sub(r"%(\w+)%", lambda match: words.get(match[1], match[0]), prefix)


def next_counter(folder: Path, stem: str) -> int:
    """One more than the highest number of ``stem_00001_…`` in `folder`."""
    pattern = re.compile(re.escape(stem) + r"_(\d+)(?:_.*)?", re.IGNORECASE)
    numbers = (pattern.fullmatch(path.stem) for path in folder.iterdir())
    return max((int(match[1]) for match in numbers if match), default=0) + 1


def place(root: Path, prefix: str, width: int, height: int) -> tuple[Path, str]:
    """The folder and the beginning of the name for a prefix of pictures of that size, in pixels.

    Raises UnsafePath when it leads outside `root`.
    """
    path = host.inside(root, expand(prefix, width, height))
    return (path, "") if path == root.resolve() else (path.parent, path.name)


def relative(folder: Path, root: Path) -> str:
    """The subfolder as a server reports it: with slashes, empty for `root` itself."""
    path = folder.relative_to(root.resolve()).as_posix()
    return "" if path == "." else path
