"""Names of jobs: readable, safe as a folder on any system, unique, and in the order that people count in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .job import JobSpec

NAME_BYTES = 120

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
"""Names of devices, which Windows does not take for folders."""


def natural(path: Path) -> tuple[list[tuple[bool, int, str]], str]:
    """A key that sorts ``photo2`` before ``photo10``."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part], path.name


def safe_name(name: str) -> str:
    """A name for a folder on any system that says the same: letters of all scripts, digits, hyphens, underscores."""
    text = re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFC", name)).strip("_-")
    text = text.encode()[:NAME_BYTES].decode(errors="ignore").rstrip("_-")
    return f"{text}_" if _RESERVED.fullmatch(text) else text or "photo"


def with_unique_names(jobs: Sequence[JobSpec]) -> list[JobSpec]:
    """The jobs, where the second ``anna`` is called ``anna_2``. Names that differ only in case count as the same."""
    taken = {job.name.casefold() for job in jobs}
    used: set[str] = set()
    last: dict[str, int] = {}
    found = []
    for job in jobs:
        name, plain = job.name, job.name.casefold()
        while name.casefold() in used or (name is not job.name and name.casefold() in taken):
            last[plain] = last.get(plain, 1) + 1
            name = f"{job.name}_{last[plain]}"
        used.add(name.casefold())
        found.append(replace(job, name=name))
    return found
