"""Print sheets as files: PDF in exact size and PNG, under names that never take another file's place."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import host
from ..errors import DependencyMissing, UnsafePath
from ..errors.formats import SheetNotSaved
from ..files import numbered_paths, write_exclusively
from ..imaging.encode import PNG_COMPRESSION, Stated, srgb_profile
from .document import MM_PER_INCH
from .sheet_draw import BAR_TOP_MM, CAPTION_MM, LABEL_GAP_MM, LABEL_MM, TICK_MM, bar_marks
from .sheet_layout import MARK_WIDTH_MM, Mark, Page, Print, Sheet, Strip, sized

if TYPE_CHECKING:
    from PIL import Image

USUAL_PPI = 250
"""Below this a print looks soft at reading distance, and offices ask for 300."""

File = tuple[str, bytes]
"""What follows a sheet's name, and the content: `.pdf`, or `_2.png` for the second of several pages."""


def png_bytes(picture: Image.Image, dpi: float, stated: Stated) -> bytes:
    """A page as PNG with its resolution (pHYs: pixels per metre), the sRGB profile and what is `stated`."""
    from PIL.PngImagePlugin import PngInfo

    buffer, chunks = io.BytesIO(), PngInfo()
    if stated.packet:
        chunks.add_itxt("XML:com.adobe.xmp", stated.packet.decode("utf-8"))
    profile = srgb_profile()
    picture.save(buffer, "PNG", dpi=(dpi, dpi), icc_profile=profile, compress_level=PNG_COMPRESSION, pnginfo=chunks)
    return buffer.getvalue()


def png_name(index: int, pages: int) -> str:
    """How a page's file name ends."""
    return ".png" if pages == 1 else f"_{index + 1}.png"


def save_numbered(root: Path, prefix: str, files: Sequence[File]) -> list[Path]:
    """Write all `files` as ``prefix_00001.pdf`` and so on under `root`, with the first number that no file there has.

    Raises UnsafePath and SheetNotSaved; then none of them is there.
    """
    path = host.inside(root, prefix.strip())
    if path == root.resolve():
        raise UnsafePath(f"The name {prefix!r} is that of the folder {host.shown(path)} itself; give a file's name.")
    if not prefix.isprintable():
        raise UnsafePath(f"The name {prefix[:80]!r} has characters that are not seen; give another name.")
    folder, stem = path.parent, path.name
    try:
        host.make_result_folder(folder)
        first = _next_number(folder, stem)
        return _first_free(files, (folder / f"{stem}_{number:05}" for number in count(first)))
    except OSError as error:
        raise _not_saved(path, error) from error


def save_as(path: Path, files: Sequence[File]) -> list[Path]:
    """Write all `files` under the name of `path`, or the first free one of ``name_2``, ``name_3`` … beside it.

    Raises SheetNotSaved; then none of them is there.
    """
    try:
        host.make_result_folder(path.parent)
        return _first_free(files, (each.with_suffix("") for each in numbered_paths(path)))
    except OSError as error:
        raise _not_saved(path, error) from error


def _not_saved(path: Path, error: OSError) -> SheetNotSaved:
    return SheetNotSaved(
        f"{path.name[:80]} cannot be written to {host.shown(path.parent)} "
        f"({error.strerror or error}); give another name or room."
    )


def _next_number(folder: Path, stem: str) -> int:
    pattern = re.compile(re.escape(stem) + r"_(\d+)(?:[_.].*)?", re.IGNORECASE)
    numbers = (pattern.fullmatch(path.name) for path in folder.iterdir())
    return max((int(match[1]) for match in numbers if match), default=0) + 1


def _first_free(files: Sequence[File], names: Iterable[Path]) -> list[Path]:
    for name in names:
        written: list[Path] = []
        try:
            for ending, data in files:
                target = name.with_name(name.name + ending)
                write_exclusively(target, data, private=host.results_are_private())
                written.append(target)
        except FileExistsError:
            _remove(written)
        except BaseException:
            _remove(written)
            raise
        else:
            return written
    return []


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink()


def pixels_per_inch(sheet: Sheet, pixels: tuple[int, int]) -> float:
    """How many pixels per inch a photo of that size in pixels has on paper, in the direction that has fewer."""
    return min(side / length * MM_PER_INCH for side, length in zip(pixels, sheet.photo_mm, strict=True))


def summary(sheet: Sheet, pixels: Sequence[tuple[int, int]], enlarged: float = 1.0) -> list[str]:
    """What a person needs to know to print the sheet, a sentence or two each. `pixels`: sizes of the photos.

    `enlarged`: the photos' pixels on a side for each of the photo that they were made from.
    """
    block, pages = sheet.pages[0].block, len(sheet.pages)
    photos = "1 photo" if sheet.count == 1 else f"{sheet.count} photos"
    sheets = "1 sheet" if pages == 1 else f"{pages} sheets"
    lies = ("landscape" if sheet.landscape else "portrait") + (", photos on their side" if sheet.turned else "")
    said = [
        f"{photos} of {sized(sheet.photo_mm)} on {sheets} {sheet.paper.name} "
        f"({sized((sheet.width_mm, sheet.height_mm))}, {lies}), with {sheet.gap_mm:g} mm between them.",
        "Print at 100 % (actual size), without fitting to the page. "
        f"On the first sheet all photos together measure {sized((block.width, block.height))}; check with a ruler.",
    ]
    strip = sheet.pages[0].strip
    if strip is not None:
        said.append(f"The scale bar is {'2 in' if sheet.paper.inches else '5 cm'} long.")
    density = min(pixels_per_inch(sheet, each) for each in pixels)
    own = density / enlarged
    how = f" (enlarged to {density:.0f})" if round(own) < round(density) else ""
    said.append(
        f"On paper the photos have {own:.0f} pixels per inch{how}"
        + (f", fewer than {USUAL_PPI}: the print may look soft." if own < USUAL_PPI else ".")
    )
    return said


def caption_of(sheet_size: tuple[float, float], title: str = "") -> str:
    """The line above the scale bar; what matters most is first, as a long one is cut off."""
    return " · ".join(word for word in ("Print at 100 %", sized(sheet_size), title) if word)


POINTS_PER_MM = 72 / MM_PER_INCH

FONT = "Vera"
"""Bitstream Vera Sans, which comes with reportlab and is embedded: printers refuse files without their fonts."""


def pdf_bytes(sheet: Sheet, photos: Sequence[Image.Image], title: str, stated: Stated) -> bytes:
    """The PDF of a layout, the same bytes for the same sheet. `photos` are RGB. The words `stated` are its subject.

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
    if stated.words:
        canvas.setSubject(stated.words)
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
