"""ID photos from photo files, one after the other: looked at, cut at full size, checked, written, and put on paper."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ...core.choices import BACKGROUNDS, PERSON_MATTE
from ...core.errors import Interrupted, LikenessError
from ...core.errors.formats import AlterationForbidden, PrintSizeUnknown
from ...core.id_photo.background_colours import allowed_colour
from ...core.id_photo.document import Document
from ...core.id_photo.documents import document as document_of
from ...core.imaging.encode import FORM_OF_SUFFIX
from ...core.interrupt import Stopped, stoppable
from ..backends.base import Event
from ..errors import Misuse
from ..workflow.input_files import photos_in
from .id_photo_files import print_sheet, save_new, write_id_overview, write_report

if TYPE_CHECKING:
    from ...core.id_photo.judge import Compliance
    from ...core.id_photo.make import Made, MakeOptions
    from ...core.id_photo.measures import FileFacts
    from ...core.imaging.encode import Encoded, Form
    from ...core.provenance.credentials import Signing
    from ...core.provenance.save import Target
    from ...core.provenance.trace import Making
    from ...core.provenance.xmp import Record

DEFAULT_FOLDER = Path("output") / "id"
QUALITY = 95
"""Of a JPEG whose size no rule limits."""

CHECK_STEP, SAVE_STEP = "5", "6"
"""Ids of the steps that follow on those of `make_id_photo`."""


@dataclass(frozen=True)
class Job:
    """What is made of every photo. `form`: the file format, where the document takes it. `signing`: by whom content
    credentials are signed; None leaves them out."""

    options: MakeOptions
    form: str = "jpeg"
    matte: str = PERSON_MATTE
    check: bool = True
    signing: Signing | None = None


@dataclass(frozen=True, eq=False)
class IDPhotoFile:
    """A finished photo and the files that were written: the photo, its overlay, its report.

    `compliance` is None where it was not checked. `seconds` is the time from the photo's file to the finished one.
    `refusal`: a change that was asked for and that the document forbids; the photo was made without it.
    """

    source: Path
    path: Path
    made: Made
    encoded: Encoded
    record: Record
    compliance: Compliance | None
    seconds: float
    refusal: AlterationForbidden | None = None
    others: dict[str, Path] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether a rule is broken: one on the head's place, or one that was checked. Doubt is no failure."""
        from ...core.quality.checks import Outcome

        checks = self.compliance.of(Outcome.FAIL) if self.compliance is not None else []
        return bool(checks) or not self.made.met

    @property
    def look(self) -> list[str]:
        """What a person must look at, because it could not be measured for sure."""
        from ...core.quality.checks import Outcome

        unsure = self.compliance.of(Outcome.UNCERTAIN) if self.compliance is not None else []
        return [f"Uncertain: {', '.join(check.title for check in unsure)}."] if unsure else []

    def as_dict(self) -> dict[str, Any]:
        """For machine output, and the report's file: `runner.report.schemas.IDPhotoReport`."""
        return {
            "photo": str(self.source),
            "file": str(self.path),
            "bytes": len(self.encoded.data),
            "quality": self.encoded.quality,
            "failed": self.failed,
            "refused": None if self.refusal is None else self.refusal.as_dict(),
            "made": self.made.report,
            "check": None if self.compliance is None else self.compliance.as_dict(),
            "provenance": self.record.as_dict(),
            "files": {name: str(path) for name, path in self.others.items()},
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class RefusedPhoto:
    """A photo of which none was made for a document, and why."""

    source: Path
    document: Document
    error: LikenessError

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {"photo": str(self.source), "document": self.document.id} | self.error.as_dict()


@dataclass(frozen=True)
class IDPhotos:
    """What came of all photos and documents. `sheets`: the PDFs with prints, where they were wanted.

    `overview` and `csv` show all together, where there were several.
    """

    documents: tuple[Document, ...]
    made: tuple[IDPhotoFile, ...]
    refused: tuple[RefusedPhoto, ...]
    sheets: tuple[Path, ...] = ()
    overview: Path | None = None
    csv: Path | None = None

    @property
    def failed(self) -> int:
        """How many of those that were made break a rule."""
        return sum(each.failed for each in self.made)

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {
            "documents": [document.id for document in self.documents],
            "photos": [each.as_dict() for each in self.made],
            "refused": [each.as_dict() for each in self.refused],
            "sheet": [str(path) for path in self.sheets],
            "overview": None if self.overview is None else str(self.overview),
            "csv": None if self.csv is None else str(self.csv),
        }


OnIDPhoto = Callable[[Event | IDPhotoFile | RefusedPhoto], None]
"""Is told of each photo: that it is begun, and then the finished photo, or that there is none."""


def make_id_photos(
    photos: Iterable[str | Path],
    documents: Iterable[str | Document],
    output: str | Path = DEFAULT_FOLDER,
    *,
    background: str = "as the document allows",
    size: str = "auto",
    head_size: str = "safest",
    largest: bool = False,
    matte: str = PERSON_MATTE,
    sheet: str | None = None,
    count: int = 0,
    check: bool = True,
    sign: bool = False,
    on_event: OnIDPhoto = lambda event: None,
    stopped: Stopped | None = None,
) -> IDPhotos:
    """Make the photo of each document from each of `photos` (files or folders), as NAME.DOCUMENT.jpg with its report.

    `output` is a folder, or the file of a single photo. Files are never written over. `background`: one of
    `core.choices.BACKGROUNDS`, or a colour that the documents take, by its name; a change that a document forbids is
    left out and told as `refusal`. `sheet` is the paper of a PDF with `count` prints, or as many as it holds. The error
    of a single photo is raised; among several it is in `refused` and the others go on. Raises Misuse, DocumentUnknown,
    BackgroundNotAllowed, PhotoMissing, PrintSizeUnknown, CredentialsNotSetUp, OutputUnwritable, Interrupted, and what
    a photo raises.
    """
    from ...core.id_photo.framing import HeadSize, Size
    from ...core.id_photo.make import Background, MakeOptions
    from ...core.provenance.credentials import Signing, c2pa

    files = [file for path in photos for file in photos_in(Path(path))]
    known = [each if isinstance(each, Document) else document_of(each) for each in documents]
    chosen = tuple({document.id: document for document in known}.values())
    target = Path(output)
    form = _form_of(target, len(files) * len(chosen))
    if count and sheet is None:
        raise Misuse("--count is the number of prints on a --sheet; give the paper, too.")
    if sheet is not None:
        _check_prints(chosen)
    colour = "" if background in BACKGROUNDS else background
    for document in chosen if colour else ():
        allowed_colour(document, colour)
    signing = None
    if sign:
        c2pa()
        signing = Signing.from_environment()
    jobs = []
    for document in chosen:
        plain = Background.PLAIN if colour else Background(background)
        options = MakeOptions(document, plain, Size(size), HeadSize(head_size), largest, colour)
        jobs.append(Job(options, form or document.formats[0], matte, check, signing))
    tasks = [(file, job) for file in files for job in jobs]
    made: list[IDPhotoFile] = []
    refused: list[RefusedPhoto] = []

    def make_all(stopped: Stopped) -> None:
        for index, (file, job) in enumerate(tasks):
            if stopped():
                raise Interrupted(f"The command was stopped after {index} of {len(tasks)} ID photos.")
            document = job.options.document
            on_event(Event("node", node=str(index), title=file.name, index=index, total=len(tasks)))
            place = target if form is not None else target / f"{file.stem}.{document.id}.jpg"
            try:
                made.append(write_report(IDPhotoMaker(job).make_file(file, place)))
            except LikenessError as error:
                if len(tasks) == 1:
                    raise
                refused.append(RefusedPhoto(file, document, error))
                on_event(refused[-1])
            else:
                on_event(made[-1])

    try:
        stoppable(make_all, stopped)
    except Interrupted as error:
        if not made:
            raise
        page, _ = write_id_overview(made, refused, target, len(chosen))
        raise Interrupted(f"{error} {page} shows what was made.") from error
    sheets = (
        [] if sheet is None else [path for document in chosen for path in print_sheet(document, made, sheet, count)]
    )
    page, table = None, None
    if len(tasks) > 1:
        page, table = write_id_overview(made, refused, target, len(chosen))
    return IDPhotos(chosen, tuple(made), tuple(refused), tuple(sheets), page, table)


def _form_of(out: Path, count: int) -> str | None:
    """The format of the one file that `out` names, or None for a folder."""
    from ...core.imaging.files import SUFFIXES as PICTURES

    suffix = out.suffix.lower()
    if suffix not in PICTURES or out.is_dir():
        return None
    if suffix not in FORM_OF_SUFFIX:
        raise Misuse(f"--out {out}: {suffix} is not written; give .jpg, .png, .webp or a folder.")
    if count > 1:
        raise Misuse(f"--out {out} is one file for {count} ID photos; give a folder.")
    return FORM_OF_SUFFIX[suffix]


def _check_prints(documents: Sequence[Document]) -> None:
    """Refuse a sheet for what is never printed, before anything is made."""
    for each in documents:
        if each.width_mm is None:
            raise PrintSizeUnknown(
                f"{each.title} ({each.id}) has no size on paper; leave out --sheet, or make it in a run of its own."
            )


class IDPhotoMaker:
    """Makes ID photos in this process; the networks are loaded once, at the first photo."""

    def __init__(self, job: Job) -> None:
        """Take the job; a change that its document forbids is left out, and said of each photo."""
        self.job, self.refusal = _allowed(job)

    def make(self, photo: Path) -> Made:
        """The ID photo of a file, not yet written or checked.

        Raises AlterationForbidden where the file says that it was retouched and the document forbids that, and what
        reading and `make_id_photo` raise.
        """
        import torch

        from ...core.faces.engines import load_engine
        from ...core.id_photo.head_in_photo import FileSource
        from ...core.id_photo.make import make_id_photo
        from ...core.id_photo.measures import refuse_retouch
        from ...core.portrait.person_matte import PersonFinder
        from ...core.provenance.retouched import retouch_in_file

        said = retouch_in_file(photo)
        if refused := refuse_retouch([said] if said else [], self.job.options.document):
            raise AlterationForbidden(refused)
        with torch.inference_mode():
            return make_id_photo(FileSource(photo), load_engine(), self.job.options, PersonFinder(self.job.matte))

    def make_file(self, photo: Path, path: Path) -> IDPhotoFile:
        """Make the ID photo of the file `photo`, check it, and write it to `path`, or to name_2 where that is taken.

        The document decides on the format, and so on the ending. Raises what `make`, `encode` and `check` raise, and
        OutputUnwritable.
        """
        from ...core.id_photo.measures import FileFacts
        from ...core.provenance.save import SUFFIXES, target_for

        began = time.perf_counter()
        made, document = self.make(photo), self.job.options.document
        target = target_for(document, cast("Form", self.job.form), QUALITY, made.id_photo.dpi)
        path = path.with_suffix(SUFFIXES[target.form])
        if target.form != self.job.form:
            taken = f"the {document.title} takes no {self.job.form.upper()}"
            made.report["notes"].append(f"Saved as {target.form.upper()}: {taken}.")
        encoded, record = self.encode(photo, made, target)
        compliance = None
        if self.job.check:
            quality = encoded.quality if target.form == "jpeg" else None
            file = FileFacts(path.name, len(encoded.data), target.form, target.dpi, quality)
            compliance = self.check(photo, made, file)
        written = save_new(path, encoded.data)
        seconds = time.perf_counter() - began
        return IDPhotoFile(photo, written, made, encoded, record, compliance, seconds, self.refusal)

    def encode(self, photo: Path, made: Made, target: Target) -> tuple[Encoded, Record]:
        """The file of the picture, signed where that is asked for, and the record of its making that stands in it."""
        from ...core.provenance.save import Signature, ingredients_from, picture_file, record_of
        from ...core.provenance.trace import actions_of

        making, signature = self.making(photo, made), None
        record = record_of(making, self.steps(made), SAVE_STEP, made.id_photo)
        if self.job.signing is not None:
            actions = actions_of(making.steps, made.id_photo.edits_made)
            signature = Signature(self.job.signing, actions, ingredients_from([photo]))
        return picture_file(made.picture[0], target, record, signature=signature), record

    def check(self, photo: Path, made: Made, file: FileFacts) -> Compliance:
        """The report on what was made. The original's JPEG quality counts, too: turning hides the blocks, no more."""
        import torch

        from ...core.faces.engines import load_engine
        from ...core.id_photo.judge import About, check_id_photo
        from ...core.id_photo.measures import read_facts

        saved = [quality for quality in (file.quality, read_facts(photo).quality) if quality is not None]
        file = dataclasses.replace(file, quality=min(saved, default=None))
        cover = None if made.matte is None else made.matte[0]
        document = self.job.options.document
        with torch.inference_mode():
            about = About(file=file, made=made.id_photo)
            found = check_id_photo(made.picture[0], load_engine(), document, cover, about)
        refused = [] if self.refusal is None else [f"Refused: {self.refusal}"]
        found.notes[:0] = [*refused, *made.report["to_do"], *made.report["warnings"]]
        found.notes.extend(f"{document.title}: {note}" for note in document.notes)
        return found

    def steps(self, made: Made) -> dict[str, Any]:
        """Every step that ran, in API format: its hash is that of the workflow `id_photo` with the same settings."""
        from ...core.id_photo.make import ENGINE_STEP, MAKE_STEP

        picture, about, engine = [MAKE_STEP, 0], [MAKE_STEP, 1], [ENGINE_STEP, 0]
        judged = {"image": picture, "document": "as made", "stage": "finished photo", "matte_model": self.job.matte}
        judged |= {"parsing": False, "id_photo": about, "engine": engine}
        saved = {"images": picture, "filename_prefix": "id_photo", "format": self.job.form, "quality": QUALITY}
        saved |= {"declare": "no generative step (refuse otherwise)", "creator": "", "include_workflow": False}
        saved |= {"sign": self.job.signing is not None, "id_photo": about}
        check = {CHECK_STEP: {"class_type": "LikenessCheckIDPhoto", "inputs": judged}} if self.job.check else {}
        return {**made.steps, **check, SAVE_STEP: {"class_type": "LikenessSaveWithProvenance", "inputs": saved}}

    def making(self, photo: Path, made: Made) -> Making:
        """How it was made, by the steps that ran, with this photo at their beginning."""
        from ...core.id_photo.make import MAKE_ID_PHOTO
        from ...core.provenance.origin import origin_of
        from ...core.provenance.trace import trace

        return trace(self.steps(made), [SAVE_STEP], lambda node: origin_of(photo), {MAKE_ID_PHOTO: made.effect})


def _allowed(job: Job) -> tuple[Job, AlterationForbidden | None]:
    """The job without what its document forbids, and the refusal; with its own background the photo can be made."""
    from ...core.id_photo.make import Background, choose_background

    try:
        choose_background(job.options.document, job.options.background, has_matte=True, colour=job.options.colour)
    except AlterationForbidden as error:
        kept = dataclasses.replace(job.options, background=Background.KEEP, colour="")
        return dataclasses.replace(job, options=kept), error
    return job, None
