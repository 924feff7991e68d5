"""`likeness id`: photos for documents and profiles, cut by the rules, checked, and never generated."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...nodes.errors import LikenessError
from ...nodes.id_photo.document import Document
from ...nodes.id_photo.documents import document as by_id
from ...nodes.id_photo.sheet_paper import PAPERS
from ..result import Event
from .output import FAILED, VERDICT_FAILED, Output, current_output, json_option
from .words import clean

if TYPE_CHECKING:
    from ..id_photos import IDPhotoFile, Job
    from ..result import Stopped

BACKGROUNDS = ("keep", "as the document allows", "plain")
SIZES = ("auto", "print", "upload")
HEAD_SIZES = ("safest", "smaller", "larger")
SUFFIXES = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".webp": "webp"}
DEFAULT_FOLDER = Path("output") / "id"


class DocumentParam(click.ParamType):
    """A document's id."""

    name = "DOCUMENT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Document:
        """Look it up; an unknown one ends the command with the ids that are near."""
        return by_id(value)


@click.command("id")
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO...")
@click.option("--document", "-d", type=DocumentParam(), required=True, help="Whose rules; see `likeness documents`.")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="A folder or a file.",
)
@click.option(
    "--background",
    type=click.Choice(BACKGROUNDS),
    default=BACKGROUNDS[1],
    show_default=True,
    help="What becomes of the background; plain is refused where edits are forbidden.",
)
@click.option("--size", type=click.Choice(SIZES), default="auto", show_default=True, help="For paper or for an upload.")
@click.option("--head-size", type=click.Choice(HEAD_SIZES), default="safest", show_default=True, help="In the rule.")
@click.option("--largest", is_flag=True, help="Of several people take the largest face.")
@click.option("--matte", type=click.Choice(["u2net", "u2netp"]), default="u2net", show_default=True, help="Network.")
@click.option("--sheet", type=click.Choice(list(PAPERS), case_sensitive=False), help="Also a PDF of prints on paper.")
@click.option("--check/--no-check", default=True, show_default=True, help="Judge the result by the document's rules.")
@click.option("--sign", is_flag=True, help="Sign content credentials (C2PA); see docs/provenance.md.")
@json_option
def id_command(
    photos: tuple[Path, ...],
    document: Document,
    out: Path,
    background: str,
    size: str,
    head_size: str,
    largest: bool,
    matte: str,
    sheet: str | None,
    check: bool,
    sign: bool,
) -> None:
    """Make the photo of a document from each PHOTO (a file or a folder), as NAME.DOCUMENT.jpg with its report.

    Nothing is generated or retouched, and nothing leaves this machine. Files are never written over.

    Exit codes: 0 made and no rule broken, 1 some photo refused, 2 usage, 3 some rule is broken, 130 stopped.
    """
    os.environ.setdefault(
        "OMP_WAIT_POLICY", "PASSIVE"
    )  # threads that spin while they wait cost the networks their time
    from ...nodes.id_photo.background import Background
    from ...nodes.id_photo.framing import HeadSize
    from ...nodes.id_photo.make import MakeOptions
    from ...nodes.id_photo.sizes import Size
    from ...nodes.provenance.credentials import Signing, c2pa
    from ..files_in import photos_in
    from ..id_photos import Job
    from ..stop import stoppable

    files = [file for path in photos for file in photos_in(path)]
    form = SUFFIXES.get(out.suffix.lower())
    if form is not None and len(files) > 1:
        raise click.UsageError(f"--out {out} is one file for {len(files)} photos; give a folder.")
    options = MakeOptions(document, Background(background), Size(size), HeadSize(head_size), largest)
    signing = None
    if sign:
        c2pa()
        signing = Signing.from_environment()
    job = Job(options, form or document.formats[0], matte, check, signing)
    session = _Session(current_output(), job, out, single=form is not None)
    stoppable(lambda stopped: session.run(files, stopped))
    session.finish(sheet)


class _Session:
    """One call of the command: the photos one after the other, what is said of each, and the end."""

    def __init__(self, out: Output, job: Job, target: Path, *, single: bool) -> None:
        self.out, self.job, self.target, self.single = out, job, target, single
        self.done: list[IDPhotoFile] = []
        self.refused: list[tuple[Path, LikenessError]] = []

    def run(self, files: list[Path], stopped: Stopped) -> None:
        """Make them all. One photo's error ends the command; among several it is said and the others go on."""
        from ...nodes.errors import Interrupted
        from ..id_photos import IDPhotoMaker, write_report

        maker = IDPhotoMaker(self.job)
        for index, file in enumerate(files):
            if stopped():
                raise Interrupted(f"The command was stopped after {index} of {len(files)} photos.")
            self.out.on_event(Event("node", node=str(index), title=clean(file.name), index=index, total=len(files)))
            try:
                made = write_report(maker.make(file, self._target(file)))
            except LikenessError as error:
                if len(files) == 1:
                    raise
                self.refused.append((file, error))
                self._told(file, error)
            else:
                self.done.append(made)
                self._show(made)

    def _target(self, file: Path) -> Path:
        """Where the photo goes; the format decides on the suffix."""
        return self.target if self.single else self.target / f"{file.stem}.{self.job.options.document.id}.jpg"

    def _told(self, file: Path, error: LikenessError) -> None:
        if self.out.as_json:
            self.out.line({"event": "refused", "photo": str(file)} | error.as_dict())
        else:
            self.out.close()
            click.echo(f"Refused  {clean(file.name)}: [{error.code}] {error}", err=True)

    def _show(self, made: IDPhotoFile) -> None:
        if self.out.as_json:
            self.out.line({"event": "photo"} | made.as_dict())
            return
        self.out.close()
        for line in lines_of(made):
            self.out.say(line)

    def finish(self, paper: str | None) -> None:
        """The sheet, the last word, and the exit code."""
        sheets = self._sheet(paper) if paper is not None and self.done else []
        values = {
            "document": self.job.options.document.id,
            "photos": [made.as_dict() for made in self.done],
            "refused": [{"photo": str(file)} | error.as_dict() for file, error in self.refused],
            "sheet": [str(path) for path in sheets],
        }
        self.out.result(values, lambda: self._end(sheets))
        if self.refused:
            sys.exit(FAILED)
        if any(made.failed for made in self.done):
            sys.exit(VERDICT_FAILED)

    def _end(self, sheets: list[Path]) -> None:
        for path in sheets:
            self.out.say(f"Sheet    {path}")
        if len(self.done) + len(self.refused) > 1:
            failed = sum(made.failed for made in self.done)
            self.out.say(
                f"{len(self.done)} made, {len(self.done) - failed} of them without a broken rule; "
                f"{len(self.refused)} refused"
            )

    def _sheet(self, paper: str) -> list[Path]:
        """All photos on paper, as PDF with their own pixels."""
        from ...nodes.id_photo.sheet import lay_out
        from ...nodes.id_photo.sheet_file import caption_of, save_as
        from ...nodes.id_photo.sheet_pdf import pdf_bytes
        from ...nodes.photos import to_pil

        first = self.done[0].made.id_photo
        size, title = (first.width_mm, first.height_mm), first.document.title
        laid = lay_out(PAPERS[paper], size, len(self.done), caption=caption_of(size, title))
        pictures = [to_pil(made.made.picture[0]) for made in self.done]
        name = f"{self.done[0].path.stem}.{paper}.pdf" if len(self.done) == 1 else f"{first.document.id}.{paper}.pdf"
        path = self.done[0].path.parent / name
        return save_as(path, [(path.suffix, pdf_bytes(laid, pictures, title))])


def lines_of(made: IDPhotoFile) -> list[str]:
    """What a person is told of one photo."""
    report, photo = made.made.report, made.made.id_photo
    size = f"{photo.width_px} x {photo.height_px} pixels"
    if photo.document.width_mm is not None:
        size += f", {photo.width_mm:.1f} x {photo.height_mm:.1f} mm at {photo.dpi:g} dpi"
    lines = [f"Photo    {made.path} ({size}, {len(made.encoded.data) / 1000:.0f} kB)"]
    lines += [
        f"Rule     {rule['name']} {rule['value']:g} ± {rule['uncertainty']:g} {rule['unit']}, "
        f"asked {rule['low']:g} to {rule['high']:g}: {'kept' if rule['met'] else 'BROKEN'}"
        for rule in report["rules"]
    ]
    lines += [f"To do    {line}" for line in report["to_do"]]
    lines += [f"Warning  {line}" for line in report["warnings"]]
    lines += [f"Edited   {line}" for line in photo.edits_made]
    lines += [f"Note     {line}" for line in report["notes"]]
    if made.compliance is not None:
        lines.append(f"Check    {made.compliance.headline}")
    lines.append(f"Report   {made.others.get('html') or made.others['json']}")
    return lines
