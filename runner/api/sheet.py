"""ID photos on paper in their exact size, as PDF or PNG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors.formats import PrintSizeUnknown
from ..errors import Misuse

if TYPE_CHECKING:
    from PIL import Image

    from ...core.id_photo.document import Document
    from ...core.id_photo.sheet_draw import Size
    from ...core.id_photo.sheet_layout import Orientation, Sheet
    from ...core.imaging.encode import Stated

FORMATS = frozenset({".pdf", ".png"})


@dataclass(frozen=True)
class PrintedSheet:
    """The files that were written and how the photos lie on them. `notes`: what the user should know."""

    files: tuple[Path, ...]
    sheet: Sheet
    photo_mm: Size
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        laid = self.sheet
        first = laid.pages[0]
        return {
            "files": [str(path) for path in self.files],
            "paper": laid.paper.name,
            "paper_mm": [laid.width_mm, laid.height_mm],
            "photo_mm": list(self.photo_mm),
            "count": laid.count,
            "sheets": len(laid.pages),
            "columns": laid.columns,
            "rows": laid.rows,
            "gap_mm": laid.gap_mm,
            "margin_mm": laid.margin_mm,
            "block_mm": [round(first.block.width, 3), round(first.block.height, 3)],
            "scale_bar": first.strip is not None,
            "notes": list(self.notes),
        }


def lay_out_sheet(
    photos: Iterable[str | Path],
    output: str | Path,
    *,
    paper: str | None = None,
    document: str | Document | None = None,
    size: str | None = None,
    count: int = 0,
    dpi: int = 300,
    orientation: Orientation = "auto",
    gap_mm: float | None = None,
    margin_mm: float | None = None,
    cut_marks: bool = True,
    caption: bool = True,
) -> PrintedSheet:
    """Lay `photos`, which take turns, out on paper with cut marks, and write `output`, a PDF or PNG.

    The size is that of `document`, or `size` (``35x45``, ``2x2in``), or what the photos' files state. `count`: prints
    in all; without it the sheet is filled. `dpi`, 300 or 600, is that of a PNG; a PDF keeps the photos' own pixels.
    Raises Misuse, DocumentUnknown, PrintSizeUnknown, what reading a photo raises, and what the layout and the files do.
    """
    from ...core.id_photo.sheet_draw import check_proportions
    from ...core.id_photo.sheet_files import caption_of, summary
    from ...core.id_photo.sheet_layout import DEFAULT_PAPER, PAPERS, lay_out
    from ...core.imaging.files import load_on_white, to_pil
    from ...core.provenance.save import stated_of_photos

    out, files = Path(output), [Path(path) for path in photos]
    if out.suffix.lower() not in FORMATS:
        raise Misuse(f"{out.name} must end in .pdf or .png.")
    if document is not None and size is not None:
        raise Misuse("Give --document or --size, not both.")
    pictures = [to_pil(load_on_white(path)) for path in files]
    size_mm, title, told = _size(files, document, size)
    for path, picture in zip(files, pictures, strict=True):
        check_proportions(picture.size, size_mm, path.name)
    laid = lay_out(
        PAPERS[paper or DEFAULT_PAPER],
        size_mm,
        len(pictures),
        count=count,
        orientation=orientation,
        gap_mm=gap_mm,
        margin_mm=margin_mm,
        cut_marks=cut_marks,
        caption=caption_of(size_mm, title) if caption else "",
    )
    written = _write(laid, pictures, dpi, out, title, stated_of_photos(files))
    return PrintedSheet(tuple(written), laid, size_mm, (*told, *summary(laid, [picture.size for picture in pictures])))


def _size(photos: list[Path], document: str | Document | None, size: str | None) -> tuple[Size, str, list[str]]:
    """Width and height in mm, the document's title, and what the user should know of where the size is from."""
    from ...core.id_photo.documents import document as document_of
    from ...core.id_photo.sheet_draw import read_size, size_of

    if document is not None:
        found = document_of(document) if isinstance(document, str) else document
        return size_of(found), found.title, []
    if size is not None:
        return read_size(size), "", []
    stated = {path: _stated_size(path) for path in photos}
    sizes = set(stated.values())
    if len(sizes) > 1:
        listed = ", ".join(f"{path.name}: {width:g} x {height:g} mm" for path, (width, height) in stated.items())
        raise PrintSizeUnknown(f"By their files the photos differ in size ({listed}); give --document or --size.")
    width, height = sizes.pop()
    return (width, height), "", [f"The size, {width:g} x {height:g} mm, is what the photo's own resolution says."]


def _stated_size(path: Path) -> Size:
    """The size by the resolution that the file states, as the photo is seen."""
    from PIL import ExifTags

    from ...core.id_photo.sheet_draw import size_by_density
    from ...core.imaging.files import opened

    with opened(path) as photo:
        (width, height), dpi = photo.size, photo.info.get("dpi")
        lying = photo.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    across, down = (float(dpi[0]), float(dpi[1])) if dpi else (0.0, 0.0)
    density = (across, down) if dpi else None
    if lying:
        return size_by_density((height, width), density and (down, across))
    return size_by_density((width, height), density)


def _write(laid: Sheet, pictures: list[Image.Image], dpi: int, out: Path, title: str, stated: Stated) -> list[Path]:
    from ...core.id_photo.sheet_draw import check_pixels, draw_page
    from ...core.id_photo.sheet_files import pdf_bytes, png_bytes, png_name, save_as

    if out.suffix.lower() == ".pdf":
        return save_as(out, [(out.suffix, pdf_bytes(laid, pictures, title, stated))])
    check_pixels(laid, dpi)
    many = len(laid.pages)
    pages = ((index, draw_page(laid, page, pictures, dpi)) for index, page in enumerate(laid.pages))
    return save_as(out, [(png_name(index, many), png_bytes(page, dpi, stated)) for index, page in pages])
