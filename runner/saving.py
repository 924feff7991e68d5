"""Where SaveImage puts its files and what it calls them: ComfyUI's rules, so that both places give the same names."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import torch
from PIL.PngImagePlugin import PngInfo

from ..nodes import host
from ..nodes.photos import to_pil
from .errors import OutputUnwritable

COMPRESS_LEVEL = 4
"""Core's zlib level for saved pictures."""

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


def save_images(
    images: torch.Tensor, prefix: str, root: Path, prompt: Any = None, extra: dict[str, Any] | None = None
) -> list[dict[str, str]]:
    """Write IMAGE [B,H,W,3] as PNG under `root`; return the names as a server reports them.

    The files carry the graph as text chunks (``prompt``, and each key of `extra`). Raises UnsafePath when the prefix
    leads outside `root`, OutputUnwritable when they cannot be written.
    """
    path = host.inside(root, expand(prefix, images.shape[2], images.shape[1]))
    folder, stem = path.parent, path.name
    if path == root.resolve():
        folder, stem = path, ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        counter = next_counter(folder, stem)
        saved = []
        for index, image in enumerate(images):
            name = f"{stem.replace('%batch_num%', str(index))}_{counter + index:05}_.png"
            to_pil(image).save(folder / name, pnginfo=_text_chunks(prompt, extra), compress_level=COMPRESS_LEVEL)
            saved.append({"filename": name, "subfolder": _relative(folder, root), "type": "output"})
    except OSError as error:
        raise OutputUnwritable(
            f"The pictures cannot be written to {folder} ({error.strerror or error}); choose another --output."
        ) from error
    return saved


def _relative(folder: Path, root: Path) -> str:
    relative = folder.relative_to(root.resolve()).as_posix()
    return "" if relative == "." else relative


def _text_chunks(prompt: Any, extra: dict[str, Any] | None) -> PngInfo:
    chunks = PngInfo()
    for key, value in ({"prompt": prompt} | (extra or {})).items():
        if value is not None:
            chunks.add_text(key, json.dumps(value))
    return chunks
