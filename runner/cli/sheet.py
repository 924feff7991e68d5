"""`likeness sheet`: ID photos on paper in their exact size, as PDF or PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...core.id_photo.sheet import DEFAULT_PAPER, PAPERS
from .output import Output, current_output, json_option

if TYPE_CHECKING:
    from PIL import Image

    from ...core.id_photo.sheet import Orientation, Sheet
    from ...core.id_photo.sheet_draw import Size


def _form(_: click.Context, __: click.Parameter, path: Path) -> Path:
    if path.suffix.lower() not in {".pdf", ".png"}:
        raise click.BadParameter(f"{path.name} must end in .pdf or .png.")
    return path


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO...")
@click.option(
    "--paper",
    type=click.Choice(list(PAPERS), case_sensitive=False),
    default=DEFAULT_PAPER,
    show_default=True,
    help="The paper that is in the printer.",
)
@click.option("--document", help="Print in the size of this document; see `likeness documents`.")
@click.option("--size", help="Print in this size: 35x45 (mm), 3.5x4.5cm or 2x2in.")
@click.option("--count", type=click.IntRange(0, 5000), default=0, help="Prints in all; without it the sheet is filled.")
@click.option("--dpi", type=click.Choice(["300", "600"]), default="300", show_default=True, help="Of a PNG.")
@click.option(
    "--orientation",
    type=click.Choice(["auto", "portrait", "landscape"]),
    default="auto",
    show_default=True,
    help="How the paper lies; auto takes the way that holds the most photos.",
)
@click.option(
    "--gap", type=click.FloatRange(0, 50), help="Millimetres between photos; else the widest up to 3 that costs none."
)
@click.option("--margin", type=click.FloatRange(0, 100), help="Millimetres left blank all around; else the paper's.")
@click.option("--no-marks", is_flag=True, help="No cut marks.")
@click.option("--no-caption", is_flag=True, help="No caption and no scale bar.")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_form,
    required=True,
    help="The file to write, .pdf or .png; never over another one.",
)
@json_option
def sheet(
    photos: tuple[Path, ...],
    paper: str,
    document: str | None,
    size: str | None,
    count: int,
    dpi: str,
    orientation: Orientation,
    gap: float | None,
    margin: float | None,
    no_marks: bool,
    no_caption: bool,
    out: Path,
) -> None:
    """Lay PHOTOs, which take turns, out on paper with cut marks.

    Without --document and --size the size follows from the resolution that the photo's file states, where that can be
    an ID photo's. A PDF keeps the photos' own pixels.

    Exit codes: 0 written, 1 refused, 2 usage.
    """
    from ...core.id_photo.sheet import lay_out
    from ...core.id_photo.sheet_draw import check_proportions
    from ...core.id_photo.sheet_files import caption_of, summary

    if document is not None and size is not None:
        raise click.UsageError("Give --document or --size, not both.")
    pictures = [_picture(path) for path in photos]
    size_mm, title, told = _size(photos, document, size)
    for path, picture in zip(photos, pictures, strict=True):
        check_proportions(picture.size, size_mm, path.name)
    laid = lay_out(
        PAPERS[paper],
        size_mm,
        len(pictures),
        count=count,
        orientation=orientation,
        gap_mm=gap,
        margin_mm=margin,
        cut_marks=not no_marks,
        caption="" if no_caption else caption_of(size_mm, title),
    )
    written = _write(laid, pictures, int(dpi), out, title)
    said = [*told, *summary(laid, [picture.size for picture in pictures])]
    output = current_output()
    output.result(_described(laid, written, size_mm, said), lambda: _show(output, written, said))


def _picture(path: Path) -> Image.Image:
    """The photo; where it is transparent, white as the paper is, and not what colour the file hides there."""
    from ...core.imaging.files import load_photo, to_pil

    pictures, clear = load_photo(path)
    picture = pictures[0]
    if clear.shape[1:] == picture.shape[:2]:
        picture = picture.lerp(picture.new_ones(()), clear[0, ..., None])
    return to_pil(picture)


def _size(photos: tuple[Path, ...], document: str | None, size: str | None) -> tuple[Size, str, list[str]]:
    """Width and height in mm, the document's title, and what the user should know of where the size is from."""
    from ...core.errors.formats import PrintSizeUnknown
    from ...core.id_photo.documents import document as known
    from ...core.id_photo.sheet_draw import read_size, size_of

    if document is not None:
        found = known(document)
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


def _write(laid: Sheet, pictures: list[Image.Image], dpi: int, out: Path, title: str) -> list[Path]:
    from ...core.id_photo.sheet_draw import check_pixels, draw_page
    from ...core.id_photo.sheet_files import pdf_bytes, png_bytes, png_name, save_as

    if out.suffix.lower() == ".pdf":
        return save_as(out, [(out.suffix, pdf_bytes(laid, pictures, title))])
    check_pixels(laid, dpi)
    many = len(laid.pages)
    pages = ((index, draw_page(laid, page, pictures, dpi)) for index, page in enumerate(laid.pages))
    return save_as(out, [(png_name(index, many), png_bytes(page, dpi)) for index, page in pages])


def _described(laid: Sheet, written: list[Path], size_mm: Size, said: list[str]) -> dict[str, Any]:
    block = laid.pages[0].block
    return {
        "files": [str(path) for path in written],
        "paper": laid.paper.name,
        "paper_mm": [laid.width_mm, laid.height_mm],
        "photo_mm": list(size_mm),
        "count": laid.count,
        "sheets": len(laid.pages),
        "columns": laid.columns,
        "rows": laid.rows,
        "gap_mm": laid.gap_mm,
        "margin_mm": laid.margin_mm,
        "block_mm": [round(block.width, 3), round(block.height, 3)],
        "scale_bar": laid.pages[0].strip is not None,
        "notes": said,
    }


def _show(out: Output, written: list[Path], said: list[str]) -> None:
    for path in written:
        out.say(f"Sheet    {path}")
    for line in said:
        out.say(f"Note     {line}")
