"""`likeness sheet`: ID photos on paper in their exact size, as PDF or PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...core.id_photo.sheet_layout import DEFAULT_PAPER, PAPERS
from .output import Output, current_output, json_option, told_as_usage

if TYPE_CHECKING:
    from ...core.id_photo.sheet_layout import Orientation
    from ..api.sheet import PrintedSheet


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
    from ..api.sheet import lay_out_sheet

    output = current_output()
    with told_as_usage():
        made = lay_out_sheet(
            photos,
            out,
            paper=paper,
            document=document,
            size=size,
            count=count,
            dpi=int(dpi),
            orientation=orientation,
            gap_mm=gap,
            margin_mm=margin,
            cut_marks=not no_marks,
            caption=not no_caption,
        )
    output.result(made.as_dict(), lambda: _show(output, made))


def _show(out: Output, made: PrintedSheet) -> None:
    for path in made.files:
        out.say(f"Sheet    {path}")
    for line in made.notes:
        out.say(f"Note     {line}")
