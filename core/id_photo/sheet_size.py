"""How large a photo is on paper: typed in, by its document, or by the resolution that its file states."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors.sheet_errors import PrintProportionsDiffer, PrintSizeUnknown
from .sheet_paper import MM_PER_INCH

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
