"""What all pages share: one environment for templates, versions, and small pictures inside the page."""

from __future__ import annotations

import base64
import io
import platform
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps, UnidentifiedImageError

from ...core import __version__
from .values import is_number

if TYPE_CHECKING:
    import jinja2

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


LIBRARIES = ("torch", "onnxruntime", "numpy", "pillow")


def versions() -> dict[str, str]:
    """What this run was made with."""
    found = {"likeness-studio": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


TEMPLATES = Path(__file__).parent / "templates"


@cache
def templates() -> jinja2.Environment:
    """The templates of all pages. Everything from outside is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "chance": chance, "megabytes": megabytes}
    return environment


def number(value: Any, digits: int = 2) -> str:
    """A number for people, with a real minus sign; a dash for none."""
    if not is_number(value):
        return "–"
    return f"{value:.{digits}f}".replace("-", "−")


def chance(value: float) -> str:
    """A probability in percent that is never rounded to certainty."""
    if value > MOST_CERTAIN:
        return f"> {MOST_CERTAIN:.1%}"
    return f"< {1 - MOST_CERTAIN:.1%}" if value < 1 - MOST_CERTAIN else f"{value:.1%}"


def megabytes(value: float | None) -> str:
    """Bytes for people; a dash for none."""
    if value is None:
        return "–"
    return f"{value / 2**30:.1f} GB" if value >= 2**30 else f"{value / 2**20:,.0f} MB"


MOST_CERTAIN = 0.999
