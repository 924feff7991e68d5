"""What all pages share: one environment for templates, versions, and small pictures inside the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

LARGE, SMALL = 960, 320
"""Longest sides in pixels."""

QUALITY = 86


@dataclass(frozen=True)
class Thumb:
    """A picture as a data URI, and its width divided by its height."""

    uri: str
    ratio: float


def thumbnail(path: Path, side: int = LARGE) -> Thumb | None:
    """The picture as a small JPEG in a data URI; None when it cannot be read."""
    made = small_jpeg(path, side)
    if made is None:
        return None
    data, width, height = made
    return Thumb("data:image/jpeg;base64," + base64.b64encode(data).decode(), round(width / height, 4))


def small_jpeg(path: Path, side: int) -> tuple[bytes, int, int] | None:
    """The picture as a JPEG of at most `side` pixels, its width and its height; None when it cannot be read.

    Upright, on white where it is transparent.
    """
    try:
        with Image.open(path) as opened:
            opened.draft("RGB", (side * 2, side * 2))
            picture = ImageOps.exif_transpose(opened)
            if picture.mode == "I" or picture.mode.startswith("I;16"):
                picture = picture.convert("I").point(lambda value: value * (1 / 257)).convert("L")
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
            if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
                layer = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
            buffer = io.BytesIO()
            picture.convert("RGB").save(buffer, "JPEG", quality=QUALITY, optimize=True)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
    return buffer.getvalue(), picture.width, picture.height
