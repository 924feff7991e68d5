"""Photos judged by the rules of a document, or as reference photos, one after the other, with a report on all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import Interrupted, LikenessError
from ...core.files import free_path, make_private_folder, write_whole
from ...core.interrupt import Stopped, stoppable
from ..errors import OutputUnwritable
from ..workflow.input_files import photos_in

if TYPE_CHECKING:
    from PIL import Image

    from ...core.faces.engines import FaceEngine
    from ...core.id_photo.document import Document
    from ...core.id_photo.judge import Compliance
    from ...core.id_photo.measures import History
    from ...core.quality.usable_photo import Usability

OVERLAYS = "overlays"
"""Folder of the pictures with the measured lines, inside the one of the report."""


@dataclass(frozen=True)
class CheckedPhoto:
    """A photo that was judged. `name`: its file's name, with its folder where another photo has the same.

    `picture` is the photo with what was measured on it, where a report was asked for. `total`: of how many photos.
    """

    source: Path
    name: str
    found: Compliance | Usability
    picture: Path | None = None
    total: int = 1

    def as_dict(self) -> dict[str, Any]:
        """For machine output, and the report: `runner.report.schemas.ComplianceReport`."""
        return self.found.as_dict() | {"name": self.name}


@dataclass(frozen=True)
class UncheckedPhoto:
    """A photo that could not be judged, and why."""

    source: Path
    name: str
    error: LikenessError

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {"photo": str(self.source)} | self.error.as_dict()


@dataclass(frozen=True)
class CheckResult:
    """What came of all photos, and the report's files, where one was asked for."""

    photos: tuple[CheckedPhoto, ...]
    errors: tuple[UncheckedPhoto, ...]
    html: Path | None = None
    json: Path | None = None

    @property
    def verdict(self) -> str | None:
        """The worst one; None where no photo was judged."""
        verdicts = [str(each.found.verdict) for each in self.photos]
        return min(verdicts, key=("fail", "uncertain", "pass").index, default=None)

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {
            "verdict": self.verdict,
            "photos": [each.as_dict() for each in self.photos],
            "errors": [each.as_dict() for each in self.errors],
            "report": {} if self.html is None else {"html": str(self.html), "json": str(self.json)},
        }


@dataclass(frozen=True)
class _Rules:
    """By what the photos are judged; without a document as reference photos."""

    document: Document | None
    uncut: bool
    parsing: bool
    matte: str | None


def check_photos(
    photos: Iterable[str | Path],
    document: str | Document | None = None,
    *,
    uncut: bool = False,
    parsing: bool = False,
    matte: str | None = "u2net",
    output: str | Path | None = None,
    on_event: Callable[[CheckedPhoto | UncheckedPhoto], None] = lambda event: None,
    stopped: Stopped | None = None,
) -> CheckResult:
    """Judge `photos` (files or folders) by the rules of `document`; without one, as reference photos.

    `uncut`: they are still to be cut, so that size and position are not judged. `matte`: the network that tells person
    and background apart, or None. `output`: the folder for a report. The error of a single photo is raised; among
    several it is in `errors` and the others go on. Raises DocumentUnknown, PhotoMissing, OutputUnwritable,
    ModelMissing, and Interrupted, which then names the report on the photos before.
    """
    from ...core.id_photo.documents import document as document_of

    rules = _Rules(
        document_of(document) if isinstance(document, str) else document,
        uncut,
        parsing,
        None if document is None else matte,
    )
    folder = None if output is None else Path(output)
    if folder is not None:
        from ..backends.execute import check_writable

        check_writable(folder)
    files = [file for path in photos for file in photos_in(Path(path))]
    checked: list[CheckedPhoto] = []
    errors: list[UncheckedPhoto] = []

    def judge_all(stopped: Stopped) -> None:
        from ...core.faces.engines import load_engine

        engine = load_engine()
        for index, (file, name) in enumerate(zip(files, names_of(files), strict=True)):
            if stopped():
                raise Interrupted(f"The command was stopped after {index} of {len(files)} photos.")
            try:
                found, overlay = _judge(file, engine, rules)
            except LikenessError as error:
                if len(files) == 1:
                    raise
                errors.append(UncheckedPhoto(file, name, error))
                on_event(errors[-1])
                continue
            saved = None
            if folder is not None:
                saved = _save(overlay, file, folder / OVERLAYS, f"{len(checked) + 1:03}-{file.stem}")
            checked.append(CheckedPhoto(file, name, found, saved, len(files)))
            on_event(checked[-1])

    try:
        stoppable(judge_all, stopped)
    except Interrupted as error:
        if written := _write(list(checked), rules, folder):
            raise Interrupted(f"{error} The report on those is {written[0]}.") from error
        raise
    html, data = _write(checked, rules, folder) or (None, None)
    return CheckResult(tuple(checked), tuple(errors), html, data)


def names_of(files: Sequence[Path]) -> list[str]:
    """What each photo is called: its file's name, with its folder where another one has the same."""
    names = [file.name for file in files]
    return [
        f"{file.absolute().parent.name}/{name}" if names.count(name) > 1 else name
        for file, name in zip(files, names, strict=True)
    ]


def read_history(path: Path) -> History:
    """What the file at `path` says, in XMP, in content credentials or by what generating programs leave in it.

    A statement that speaks against the photo is believed from anybody. Raises what `check_file` raises.
    """
    from ...core.id_photo.measures import History
    from ...core.provenance.retouched import retouch_in_file
    from ...core.provenance.source_types import CHANGED, COMPOSED, GENERATIVE, short
    from ...core.provenance.verify_file import check_file
    from ...core.provenance.xmp import Claims, Generative

    seen = check_file(path)
    claims = seen.claims or Claims()
    record = claims.record
    sources = [each for each in (claims.source_type, *seen.credentials.source_types) if each]
    generated = [f"its source is {short(each)}" for each in sources if each in GENERATIVE]
    if not generated and seen.origin.generative is Generative.SOME:
        generated = [seen.origin.reason]
    changed = [f"its source is {short(each)}" for each in sources if each in CHANGED - GENERATIVE]
    composed = [f"its source is {short(each)}" for each in sources if each in COMPOSED]
    return History(
        edits=None if record is None else record.edits,
        changed=tuple(dict.fromkeys(generated + changed)),
        composed=tuple(dict.fromkeys(composed)),
        retouched=(said,) if (said := retouch_in_file(path)) else (),
    )


def _judge(file: Path, engine: FaceEngine, rules: _Rules) -> tuple[Compliance | Usability, Image.Image]:
    from ...core.id_photo.judge import About, check_id_photo
    from ...core.id_photo.measures import read_facts
    from ...core.id_photo.overlay import marked, matte_of, overlay_of
    from ...core.imaging.files import load_photo
    from ...core.quality.usable_photo import usable

    photo = load_photo(file, first=True)[0][0]
    if rules.document is None:
        selfie = usable(photo, engine, parsing=rules.parsing, name=file.name)
        return selfie, marked(photo, selfie)
    about = About(read_facts(file), None, rules.uncut, rules.parsing, read_history(file))
    found = check_id_photo(photo, engine, rules.document, matte_of(photo, None, rules.matte), about)
    return found, overlay_of(photo, found)


def _save(overlay: Image.Image, photo: Path, folder: Path, stem: str) -> Path:
    """The overlay of `photo` as a JPEG that says of its making what that says.

    `stem` has the photo's number, because two folders may have photos of one name.
    """
    from ...core.imaging.encode import drawn_file
    from ...core.provenance.save import stated_of_photos

    try:
        make_private_folder(folder)
        path = free_path(folder / f"{stem}.jpg")
        write_whole(path, drawn_file(overlay, "jpeg", stated_of_photos([photo])), private=True)
    except OSError as error:
        raise OutputUnwritable(f"{folder} takes no picture ({error.strerror or error}); choose another.") from error
    return path


def _write(checked: Sequence[CheckedPhoto], rules: _Rules, folder: Path | None) -> tuple[Path, Path] | None:
    """The report on what was judged so far: also where the work was stopped; None without any."""
    if folder is None or not checked:
        return None
    from ...core.faces.engines import load_engine
    from ...core.id_photo.overlay import used_models
    from ..report.compliance import Checked, write_compliance
    from ..report.schemas import ComplianceReport

    entries = [Checked(ComplianceReport.read(each.as_dict()), each.source, each.picture) for each in checked]
    return write_compliance(entries, used_models(load_engine(), rules.matte, parsing=rules.parsing), folder)
