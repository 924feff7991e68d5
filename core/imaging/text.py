"""Letters on pictures: Pillow's own font, or one of the system's where the words need letters that it lacks."""

from __future__ import annotations

from functools import cache

from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

BUILT_IN = frozenset("·°…±")
"""What Pillow's font has beside ASCII, as far as it is used here."""

SYSTEM = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "arial.ttf", "Arial Unicode.ttf", "segoeui.ttf")


@cache
def _system(size: int) -> Font | None:
    for name in SYSTEM:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None


@cache
def _own(size: int) -> Font:
    return ImageFont.load_default(size)


def font_for(text: str, size: int) -> Font:
    """A font of `size` pixels that has the letters of `text`, as far as this machine has one."""
    if all(letter.isascii() or letter in BUILT_IN for letter in text):
        return _own(size)
    return _system(size) or _own(size)


def width_of(text: str, size: int) -> float:
    """How wide `text` is, in pixels."""
    return font_for(text, size).getlength(text)


def fitted(text: str, size: int, width: float) -> str:
    """`text`, cut off with dots where it would be wider than `width` pixels."""
    if width_of(text, size) <= width:
        return text
    while text and width_of(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: str,
    anchor: str = "la",
    *,
    halo: int = 0,
) -> None:
    """Draw `text` at a point, which is where Pillow's `anchor` says (la: left and top), on a white rim of `halo`."""
    font = font_for(text, size)
    if halo:
        draw.text(at, text, font=font, fill="white", anchor=anchor, stroke_width=halo, stroke_fill="white")
    draw.text(at, text, font=font, fill=colour, anchor=anchor)
