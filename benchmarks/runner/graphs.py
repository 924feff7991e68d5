"""The graphs that the benchmarks run, each marked by a colour of its own, and whether a picture is the right one."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIDE = 64
"""Pixels."""

_marks = itertools.count(random.SystemRandom().randrange(1 << 22))


def new_mark() -> int:
    """A colour that no earlier job of this process had; never black or white."""
    return 0x10101 + (next(_marks) * 7919) % 0xFDFDFD


def graph(mark: int, *, wait: float = 0.0, prefix: str = "bench", nan: bool = False) -> dict[str, Any]:
    """EmptyImage -> ImageInvert [-> BenchWait] [-> BenchNaN] -> SaveImage, in API format."""
    nodes = {
        "1": _node("EmptyImage", "Colour", width=SIDE, height=SIDE, batch_size=1, color=mark),
        "2": _node("ImageInvert", "Invert", image=["1", 0]),
    }
    last = "2"
    if wait:
        nodes["3"] = _node("BenchWait", "Wait", image=[last, 0], seconds=wait)
        last = "3"
    if nan:
        nodes["4"] = _node("BenchNaN", "Spoil", image=[last, 0])
        last = "4"
    nodes["9"] = _node("SaveImage", "Save", images=[last, 0], filename_prefix=prefix)
    return nodes


def _node(class_type: str, title: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": title}}


def add_node(nodes: dict[str, Any], name: str, class_type: str, title: str, **inputs: Any) -> None:
    """One more node."""
    nodes[name] = _node(class_type, title, **inputs)


def is_right(file: Path, mark: int) -> bool:
    """Whether the picture is the inverted colour, all of it; ComfyUI's rounding may take one step off."""
    wanted = [255 - ((mark >> shift) & 0xFF) for shift in (16, 8, 0)]
    try:
        with Image.open(file) as picture:
            levels = np.asarray(picture.convert("RGB"), np.int16)
    except OSError:
        return False
    return levels.shape == (SIDE, SIDE, 3) and bool((np.abs(levels - wanted) <= 1).all())
