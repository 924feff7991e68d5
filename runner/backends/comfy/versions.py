"""What ComfyUI does differently from one version to another, where the runner has to know."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

Version = tuple[int, ...]

NEWEST: Version = (sys.maxsize,)
"""Stands for a server that does not tell its version."""

READS_WITH_PYAV: Version = (0, 21)
"""From this version on core's LoadImage decodes with PyAV (ComfyUI pull request 13594), before with Pillow.

Measured on 0.33.0 against Pillow, in steps of 255: JPEG 4:2:0 up to 36, 4:4:4 3, WebP and grey 1, BMP 1; lossy WebP of
a width that is no multiple of 32 up to 232 at its edge; EXIF orientations 2, 4, 5 and 7 are not mirrored. PNG in RGB
and RGBA is exact.
"""

FORGETS_CACHED_REPORTS: tuple[Version, Version] = (0, 3, 68), (0, 19)
"""From the first version on (pull request 10454) a history entry has what output nodes and nodes that ran have shown,
and nothing of other nodes whose results came from the cache. From the second on (pull request 13048) a node may ask for
that: ours do."""


def comfyui_version(stats: Mapping[str, Any]) -> Version:
    """The version of ComfyUI in what a server says of itself; one that does not say is taken for the newest."""
    system = stats.get("system")
    said = system.get("comfyui_version") if isinstance(system, Mapping) else None
    numbers = re.findall(r"\d+", str(said))[:3]
    return tuple(int(number) for number in numbers) or NEWEST


def forgets_cached_reports(version: Version) -> bool:
    """Whether a node in the middle of a graph has to run again for its report to be told."""
    first, last = FORGETS_CACHED_REPORTS
    return first <= version < last
