"""A sheet as PDF: photos with their own pixels and without loss, cut marks as lines, the page in its exact size."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import DependencyMissing
from .sheet import MARK_WIDTH_MM, Mark, Page, Print, Sheet, Strip
from .sheet_draw import BAR_TOP_MM, CAPTION_MM, LABEL_GAP_MM, LABEL_MM, TICK_MM, bar_marks
from .sheet_paper import MM_PER_INCH

if TYPE_CHECKING:
    from PIL import Image

POINTS_PER_MM = 72 / MM_PER_INCH

FONT = "Vera"
"""Bitstream Vera Sans, which comes with reportlab and is embedded: printers refuse files without their fonts."""


def pdf_bytes(sheet: Sheet, photos: Sequence[Image.Image], title: str = "") -> bytes:
    """The PDF of a layout, the same bytes for the same sheet. `photos` are RGB.

    Pixels are stored without loss (Flate) and once for each photo, however often it is printed. The file asks the
    viewer not to scale when printing (PrintScaling None, ISO 32000-1 12.2). Raises DependencyMissing.
    """
    try:
        from reportlab.lib.utils import ImageReader
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.ttfonts import TTFont
        from reportlab.pdfgen.canvas import Canvas
    except ImportError as error:
        raise DependencyMissing("A PDF needs the package reportlab; install it, or save as PNG.") from error
    if FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(FONT, f"{FONT}.ttf"))
    buffer = io.BytesIO()
    size = sheet.width_mm * POINTS_PER_MM, sheet.height_mm * POINTS_PER_MM
    first_font: Any = FONT
    canvas = Canvas(buffer, pagesize=size, pageCompression=1, invariant=1, initialFontName=first_font)
    canvas.setTitle(title or "Print sheet")
    canvas.setCreator("Likeness Studio")
    canvas.setViewerPreference("PrintScaling", "None")
    readers = [ImageReader(photo) for photo in photos]
    for page in sheet.pages:
        _draw(canvas, page, readers)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _draw(canvas: Any, page: Page, readers: Sequence[Any]) -> None:
    """In millimetres from the upper left corner; y grows upwards in PDF, so that all y are negative."""
    canvas.translate(0, canvas._pagesize[1])
    canvas.scale(POINTS_PER_MM, POINTS_PER_MM)
    canvas.setLineWidth(MARK_WIDTH_MM)
    for each in page.prints:
        _photo(canvas, each, readers[each.photo])
    for mark in page.marks:
        _line(canvas, mark)
    if page.strip is not None:
        _strip(canvas, page.strip)


def _photo(canvas: Any, each: Print, reader: Any) -> None:
    box = each.box
    if not each.turned:
        canvas.drawImage(reader, box.left, -box.bottom, box.width, box.height)
        return
    canvas.saveState()
    canvas.translate(box.right, -box.bottom)
    canvas.rotate(90)
    canvas.drawImage(reader, 0, 0, box.height, box.width)
    canvas.restoreState()


def _line(canvas: Any, mark: Mark) -> None:
    canvas.line(mark.x1, -mark.y1, mark.x2, -mark.y2)


def _strip(canvas: Any, strip: Strip) -> None:
    box = strip.box
    canvas.saveState()
    length = box.height if strip.turned else box.width
    if strip.turned:
        canvas.translate(box.left, -box.bottom)
        canvas.rotate(90)
    else:
        canvas.translate(box.left, -box.top)
    canvas.setFont(FONT, CAPTION_MM)
    canvas.drawString(0, -(0.8 + 0.76 * CAPTION_MM), _fitted(strip.caption, CAPTION_MM, length))
    for mark in bar_marks(strip.bar_mm):
        _line(canvas, mark)
    canvas.setFont(FONT, LABEL_MM)
    middle = BAR_TOP_MM + TICK_MM / 2
    canvas.drawString(strip.bar_mm + LABEL_GAP_MM, -(middle + 0.36 * LABEL_MM), strip.bar_label)
    canvas.restoreState()


def _fitted(text: str, size: float, width: float) -> str:
    """`text` in letters that the font has, cut off with dots where it would be wider than `width`."""
    from reportlab.pdfbase.pdfmetrics import getFont, stringWidth

    known: dict[int, int] = getFont(FONT).face.charToGlyph  # pyright: ignore[reportAttributeAccessIssue]
    text = "".join(letter if ord(letter) in known else "?" for letter in text)
    if stringWidth(text, FONT, size) <= width:
        return text
    while text and stringWidth(text + "…", FONT, size) > width:
        text = text[:-1]
    return text.rstrip() + "…"
