"""A sheet as a picture, and how large a photo is on paper: typed in, by its document, or by its file's resolution."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from ..errors.formats import PrintProportionsDiffer, PrintsDoNotFit, PrintSizeUnknown
from ..imaging.text import fitted, write
from .document import MM_PER_INCH
from .sheet_layout import MARK_WIDTH_MM, Mark, Page, Print, Sheet, Strip

if TYPE_CHECKING:
    from .document import Document

LEAST_MM, MOST_MM = 10.0, 300.0
"""Sides of a photo that may be typed in."""

PLAUSIBLE_DPI = (150.0, 1300.0)
"""Pixels per inch that somebody chose on purpose; 72 and 96 are what programs write where nobody did."""
PLAUSIBLE_MM = (18.0, 110.0)
"""Sides of ID photos. A camera's photo that says 300 is half a metre wide by that, and tells nothing."""

STRETCH = 0.005
"""Difference of both ratios that is taken for rounding: 0.2 mm of 45 mm."""

Size = tuple[float, float]

_WRITTEN = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*[x×*]\s*(\d+(?:[.,]\d+)?)\s*(mm|cm|in)?\s*", re.IGNORECASE)
_UNIT_MM = {"mm": 1.0, "cm": 10.0, "in": MM_PER_INCH}


def read_size(text: str) -> Size:
    """Width and height in mm of 35x45, 35 x 45 mm, 3.5x4.5cm or 2x2in. Raises PrintSizeUnknown."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise PrintSizeUnknown(f"{text[:40]!r} is no size; write it as 35x45 (millimetres), 3.5x4.5cm or 2x2in.")
    unit = _UNIT_MM[(found[3] or "mm").lower()]
    width, height = (float(found[group].replace(",", ".")) * unit for group in (1, 2))
    return checked_size(width, height)


def checked_size(width_mm: float, height_mm: float) -> Size:
    """Both, where they can be a photo's. Raises PrintSizeUnknown."""
    if not (LEAST_MM <= width_mm <= MOST_MM and LEAST_MM <= height_mm <= MOST_MM):
        raise PrintSizeUnknown(
            f"A photo cannot be {width_mm:g} x {height_mm:g} mm; give sides of {LEAST_MM:g} to {MOST_MM:g} mm."
        )
    return width_mm, height_mm


def size_of(document: Document) -> Size:
    """Width and height in mm of a document's print. Raises PrintSizeUnknown for one that is only uploaded."""
    if document.width_mm is None or document.height_mm is None:
        raise PrintSizeUnknown(f"{document.title} is uploaded as a file and has no size on paper; give a size in mm.")
    return document.width_mm, document.height_mm


def size_by_density(pixels: tuple[int, int], dpi: tuple[float, float] | None) -> Size:
    """Width and height in mm by what the file states, if that can be an ID photo's. Raises PrintSizeUnknown.

    `pixels` and `dpi` are (across, down) in one direction of reading.
    """
    if dpi is None:
        raise PrintSizeUnknown("The photo's file states no resolution; give a document or a size such as 35x45.")
    low, high = PLAUSIBLE_DPI
    if not all(low <= value <= high for value in dpi):
        raise PrintSizeUnknown(
            f"The photo's file states {dpi[0]:g} pixels per inch, which programs write where nobody chose one; give a "
            "document or a size such as 35x45."
        )
    width, height = (side / value * MM_PER_INCH for side, value in zip(pixels, dpi, strict=True))
    if not all(PLAUSIBLE_MM[0] <= side <= PLAUSIBLE_MM[1] for side in (width, height)):
        raise PrintSizeUnknown(
            f"By its file's {dpi[0]:g} pixels per inch the photo is {width:.0f} x {height:.0f} mm, which is no ID "
            "photo; give a document or a size such as 35x45."
        )
    return round(width, 1), round(height, 1)


def check_proportions(pixels: tuple[int, int], size: Size, name: str = "The photo") -> None:
    """Raise PrintProportionsDiffer where the photo would be stretched by more than rounding explains."""
    width, height = pixels
    wanted = height * size[0] / size[1]
    if abs(width - wanted) > max(1.0, STRETCH * width):
        raise PrintProportionsDiffer(
            f"{name} has {width} x {height} pixels, which at {size[0]:g} x {size[1]:g} mm would be stretched by "
            f"{abs(width / wanted - 1):.1%}; cut it to that ratio first."
        )


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
