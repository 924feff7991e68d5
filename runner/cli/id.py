"""`likeness id`: photos for documents and profiles, cut by the rules, checked, and never generated."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...core.errors import LikenessError
from ...core.id_photo.document import Document
from ...core.id_photo.documents import document as by_id
from ...core.id_photo.sheet import PAPERS
from ..backends.base import Event
from .output import FAILED, VERDICT_FAILED, Output, clean, current_output, json_option

if TYPE_CHECKING:
    from ...core.id_photo.judge import Compliance
    from ...core.interrupt import Stopped
    from ..id_photos import IDPhotoFile, Job

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
@click.option(
    "--document",
    "-d",
    "documents",
    type=DocumentParam(),
    multiple=True,
    required=True,
    help="Whose rules; see `likeness documents`. May be given several times.",
)
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
    help="What becomes of the background; where edits are forbidden, plain is refused and the photo's own kept.",
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
    documents: tuple[Document, ...],
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

    Nothing is generated or retouched, and nothing leaves this machine. Files are never written over. A plain background
    that a document forbids is refused by name, and the photo is made with its own.

    Exit codes: 0 made and no rule broken, 1 some photo refused, 2 usage, 3 some rule is broken or a change was refused,
    130 stopped.
    """
    os.environ.setdefault(
        "OMP_WAIT_POLICY", "PASSIVE"
    )  # threads that spin while they wait cost the networks their time
    from ...core.choices import Background, HeadSize, Size
    from ...core.id_photo.make import MakeOptions
    from ...core.interrupt import stoppable
    from ...core.provenance.credentials import Signing, c2pa
    from ..id_photos import Job
    from ..workflow.input_files import photos_in

    files = [file for path in photos for file in photos_in(path)]
    documents = tuple({document.id: document for document in documents}.values())
    form = _form_of(out, len(files) * len(documents))
    if sheet is not None:
        _check_prints(documents)
    signing = None
    if sign:
        c2pa()
        signing = Signing.from_environment()
    jobs = []
    for document in documents:
        options = MakeOptions(document, Background(background), Size(size), HeadSize(head_size), largest)
        jobs.append(Job(options, form or document.formats[0], matte, check, signing))
    session = _Session(current_output(), jobs, out, single=form is not None)
    stoppable(lambda stopped: session.run(files, stopped))
    session.finish(sheet)


def _form_of(out: Path, count: int) -> str | None:
    """The format of the one file that `out` names, or None for a folder."""
    from ...core.imaging.files import SUFFIXES as PICTURES

    suffix = out.suffix.lower()
    if suffix not in PICTURES or out.is_dir():
        return None
    if suffix not in SUFFIXES:
        raise click.UsageError(f"--out {out}: {suffix} is not written; give .jpg, .png, .webp or a folder.")
    if count > 1:
        raise click.UsageError(f"--out {out} is one file for {count} ID photos; give a folder.")
    return SUFFIXES[suffix]


def _check_prints(documents: tuple[Document, ...]) -> None:
    """Refuse a sheet for what is never printed, before anything is made."""
    from ...core.errors.formats import PrintSizeUnknown

    for document in documents:
        if document.width_mm is None:
            raise PrintSizeUnknown(
                f"{document.title} ({document.id}) has no size on paper; leave out --sheet, or make it in a run of its "
                "own."
            )


class _Session:
    """One call of the command: the ID photos one after the other, what is said of each, and the end."""

    def __init__(self, out: Output, jobs: list[Job], target: Path, *, single: bool) -> None:
        self.out, self.jobs, self.target, self.single = out, jobs, target, single
        self.done: list[IDPhotoFile] = []
        self.refused: list[tuple[Path, Document, LikenessError]] = []

    def run(self, files: list[Path], stopped: Stopped) -> None:
        """Make them all. The error of a single one ends the command; among several it is said and the others go on."""
        from ...core.errors import Interrupted
        from ..id_photos import IDPhotoMaker, write_report

        tasks = [(file, job) for file in files for job in self.jobs]
        for index, (file, job) in enumerate(tasks):
            if stopped():
                raise Interrupted(f"The command was stopped after {index} of {len(tasks)} ID photos.")
            self.out.on_event(Event("node", node=str(index), title=clean(file.name), index=index, total=len(tasks)))
            document = job.options.document
            try:
                made = write_report(IDPhotoMaker(job).make(file, self._target(file, document)))
            except LikenessError as error:
                if len(tasks) == 1:
                    raise
                self.refused.append((file, document, error))
                self._told(file, document, error)
            else:
                self.done.append(made)
                self._show(made)

    def _target(self, file: Path, document: Document) -> Path:
        """Where the photo goes; the format decides on the suffix."""
        return self.target if self.single else self.target / f"{file.stem}.{document.id}.jpg"

    def _told(self, file: Path, document: Document, error: LikenessError) -> None:
        if self.out.as_json:
            self.out.line({"event": "refused"} | _refusal(file, document, error))
        else:
            self.out.close()
            click.echo(f"Refused  {clean(file.name)} for {document.id}: [{error.code}] {error}", err=True)

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
            "documents": [job.options.document.id for job in self.jobs],
            "photos": [made.as_dict() for made in self.done],
            "refused": [_refusal(*each) for each in self.refused],
            "sheet": [str(path) for path in sheets],
        }
        self.out.result(values, lambda: self._end(sheets))
        if self.refused:
            sys.exit(FAILED)
        if any(made.failed or made.refusal for made in self.done):
            sys.exit(VERDICT_FAILED)

    def _end(self, sheets: list[Path]) -> None:
        for path in sheets:
            self.out.say(f"Sheet    {clean(str(path))}")
        if len(self.done) + len(self.refused) > 1:
            failed = sum(made.failed for made in self.done)
            self.out.say(
                f"{len(self.done)} made, {len(self.done) - failed} of them without a broken rule; "
                f"{len(self.refused)} refused"
            )

    def _sheet(self, paper: str) -> list[Path]:
        """The photos of each document on paper, as PDF with their own pixels."""
        found = []
        for job in self.jobs:
            made = [each for each in self.done if each.made.id_photo.document.id == job.options.document.id]
            found += _sheet_of(made, paper) if made else []
        return found


def _refusal(file: Path, document: Document, error: LikenessError) -> dict[str, Any]:
    return {"photo": str(file), "document": document.id} | error.as_dict()


def _sheet_of(done: list[IDPhotoFile], paper: str) -> list[Path]:
    """The photos of one document on paper; the files that were written."""
    from ...core.id_photo.sheet import lay_out
    from ...core.id_photo.sheet_files import caption_of, pdf_bytes, save_as
    from ...core.imaging.files import to_pil

    first = done[0].made.id_photo
    size, title = (first.width_mm, first.height_mm), first.document.title
    laid = lay_out(PAPERS[paper], size, len(done), caption=caption_of(size, title))
    pictures = [to_pil(made.made.picture[0]) for made in done]
    name = f"{done[0].path.stem}.{paper}.pdf" if len(done) == 1 else f"{first.document.id}.{paper}.pdf"
    path = done[0].path.parent / name
    return save_as(path, [(path.suffix, pdf_bytes(laid, pictures, title))])


def check_lines(found: Compliance) -> list[str]:
    """The verdict, and behind broken rules also those that a person must look at."""
    from ...core.quality.limits import Outcome

    unsure = [check.title for check in found.of(Outcome.UNCERTAIN)]
    if not found.of(Outcome.FAIL) or not unsure:
        return [found.headline]
    return [found.headline, f"Uncertain, so a person must look at: {', '.join(unsure)}."]


def lines_of(made: IDPhotoFile) -> list[str]:
    """What a person is told of one photo."""
    report, photo = made.made.report, made.made.id_photo
    size = f"{photo.width_px} x {photo.height_px} pixels"
    if photo.document.width_mm is not None:
        size += f", {photo.width_mm:.1f} x {photo.height_mm:.1f} mm at {photo.dpi:g} dpi"
        if round(photo.source_dpi) < round(photo.dpi):
            size += f", enlarged from {photo.source_dpi:.0f} pixels per inch of the photo"
    lines = [f"Photo    {clean(str(made.path))} ({size}, {len(made.encoded.data) / 1000:.0f} kB)"]
    lines += [
        f"Rule     {rule['name']} {rule['value']:g} ± {rule['uncertainty']:g} {rule['unit']}, "
        f"asked {rule['low']:g} to {rule['high']:g}: {'kept' if rule['met'] else 'BROKEN'}"
        for rule in report["rules"]
    ]
    if made.refusal is not None:
        lines.append(f"Refused  [{made.refusal.code}] {made.refusal}")
    lines += [f"To do    {line}" for line in report["to_do"]]
    lines += [f"Warning  {line}" for line in report["warnings"]]
    lines += [f"Edited   {line}" for line in photo.edits_made]
    lines += [f"Note     {line}" for line in report["notes"]]
    lines += [f"Note     {photo.document.title}: {line}" for line in photo.document.notes]
    if made.compliance is not None:
        lines += [f"Check    {line}" for line in check_lines(made.compliance)]
    lines.append(f"Report   {clean(str(made.others.get('html') or made.others['json']))}")
    return lines
