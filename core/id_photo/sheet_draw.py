"""A sheet as a picture: photos pasted pixel by pixel where their resolution is the sheet's, else resized once."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from ..errors.sheet_errors import PrintsDoNotFit
from ..imaging.text import fitted, write
from .sheet import MARK_WIDTH_MM, Mark, Page, Print, Sheet, Strip
from .sheet_paper import MM_PER_INCH

MAX_PIXELS = 150_000_000
"""All sheets of a run together: three A4 sheets at 600 DPI, 1.3 GB as float32 RGB."""

CAPTION_MM, LABEL_MM = 2.6, 2.4
"""Height of the letters' em."""
BAR_TOP_MM, TICK_MM, LABEL_GAP_MM = 4.6, 2.4, 2.0
"""In a strip: where the scale bar lies, how high its ends are, and its distance from its label."""


def pixels_of(mm: float, dpi: float) -> int:
    """A length in pixels."""
    return round(mm * dpi / MM_PER_INCH)


def page_pixels(sheet: Sheet, dpi: float) -> tuple[int, int]:
    """Width and height of each page in pixels."""
    return pixels_of(sheet.width_mm, dpi), pixels_of(sheet.height_mm, dpi)


def check_pixels(sheet: Sheet, dpi: float) -> None:
    """Raise PrintsDoNotFit where the sheets as pictures would take too much memory."""
    width, height = page_pixels(sheet, dpi)
    if width * height * len(sheet.pages) > MAX_PIXELS:
        raise PrintsDoNotFit(
            f"{len(sheet.pages)} sheets of {width} x {height} pixels are more than the limit of "
            f"{MAX_PIXELS // 1_000_000} megapixels; ask for fewer prints, or for fewer pixels per inch."
        )


def draw_page(sheet: Sheet, page: Page, photos: Sequence[Image.Image], dpi: float) -> Image.Image:
    """One page in RGB at `dpi` pixels per inch. A pixel is the least step: 0.085 mm at 300, 0.042 mm at 600."""
    picture = Image.new("RGB", page_pixels(sheet, dpi), "white")
    for each in page.prints:
        place = pixels_of(each.box.left, dpi), pixels_of(each.box.top, dpi)
        picture.paste(_at_size(photos[each.photo], each, dpi), place)
    draw = ImageDraw.Draw(picture)
    for mark in page.marks:
        _line(draw, mark, dpi)
    if page.strip is not None:
        _paste_strip(picture, page.strip, dpi)
    return picture


def _at_size(photo: Image.Image, each: Print, dpi: float) -> Image.Image:
    """The photo with the pixels of its print. One pixel more or less is left as it is: that is rounding."""
    lying = photo.transpose(Image.Transpose.ROTATE_90) if each.turned else photo
    wanted = pixels_of(each.box.width, dpi), pixels_of(each.box.height, dpi)
    if all(abs(have - want) <= 1 for have, want in zip(lying.size, wanted, strict=True)):
        return lying
    return lying.resize(wanted, Image.Resampling.LANCZOS)


def _line(draw: ImageDraw.ImageDraw, mark: Mark, dpi: float) -> None:
    """An even number of pixels, half of them on each side of the cut."""
    half = max(1, round(pixels_of(MARK_WIDTH_MM, dpi) / 2))
    x1, y1, x2, y2 = (pixels_of(value, dpi) for value in (mark.x1, mark.y1, mark.x2, mark.y2))
    if x1 == x2:
        draw.rectangle((x1 - half, y1, x1 + half - 1, y2 - 1), fill="black")
    else:
        draw.rectangle((x1, y1 - half, x2 - 1, y1 + half - 1), fill="black")


def _paste_strip(picture: Image.Image, strip: Strip, dpi: float) -> None:
    box = strip.box
    length, height = (box.height, box.width) if strip.turned else (box.width, box.height)
    drawn = Image.new("RGB", (pixels_of(length, dpi), pixels_of(height, dpi)), "white")
    draw = ImageDraw.Draw(drawn)
    size = pixels_of(CAPTION_MM, dpi)
    write(draw, (0, pixels_of(0.8, dpi)), fitted(strip.caption, size, drawn.width), size, "black")
    for mark in bar_marks(strip.bar_mm):
        _line(draw, mark, dpi)
    label = pixels_of(strip.bar_mm + LABEL_GAP_MM, dpi), pixels_of(BAR_TOP_MM + TICK_MM / 2, dpi)
    write(draw, label, strip.bar_label, pixels_of(LABEL_MM, dpi), "black", "lm")
    if strip.turned:
        drawn = drawn.transpose(Image.Transpose.ROTATE_90)
    picture.paste(drawn, (pixels_of(box.left, dpi), pixels_of(box.top, dpi)))


def bar_marks(length_mm: float) -> list[Mark]:
    """The scale bar in its strip: a line whose outer ends are `length_mm` apart, with an upright tick at each end."""
    inner, middle = MARK_WIDTH_MM / 2, BAR_TOP_MM + TICK_MM / 2
    ends = (inner, length_mm - inner)
    return [
        Mark(0.0, middle, length_mm, middle),
        *(Mark(end, BAR_TOP_MM, end, BAR_TOP_MM + TICK_MM) for end in ends),
    ]
