"""How many pixels a document's photo has: exact millimetres at its density, or the pixels of an upload."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from ..errors.errors import SizeNotDefined

if TYPE_CHECKING:
    from .document import Document

MM_PER_INCH = 25.4


class Size(StrEnum):
    """Which of a document's sizes is made."""

    AUTO = "auto"
    PRINT = "print"
    UPLOAD = "upload"


def picture_size(document: Document, size: Size) -> tuple[int, int, float]:
    """Width and height in pixels, and pixels per inch. Raises SizeNotDefined.

    A print has millimetres x dpi / 25.4 pixels, rounded: up to 0.05 mm off at 300 dpi. "auto" is the print where there
    is one. An upload that is also a print gets the density at which it has the print's width.
    """
    width_mm, height_mm, pixels = document.width_mm, document.height_mm, document.pixels
    if size is not Size.UPLOAD and width_mm is not None and height_mm is not None:
        width, height = (round(mm * document.dpi / MM_PER_INCH) for mm in (width_mm, height_mm))
        return width, height, float(document.dpi)
    if size is Size.PRINT or pixels is None:
        kind, other = ("a print", "upload") if size is Size.PRINT else ("an upload", "print")
        raise SizeNotDefined(f"{document.title} ({document.id}) has no size for {kind}; choose {other} or auto.")
    density = float(document.dpi) if width_mm is None else round(pixels[0] * MM_PER_INCH / width_mm, 2)
    return *pixels, density
