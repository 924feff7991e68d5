"""Judges a photo by the rules of a document: measures against limits, one failure for one cause, and the report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..faces.choose import largest_face
from ..faces.mesh import find_mesh
from ..quality.aligned_face import Portrait
from ..quality.all_measures import measure_portrait
from ..quality.checks import (
    Check,
    Measure,
    Outcome,
    Verdict,
    faults,
    judge_measure,
    not_known_behind,
    titles,
    verdict_of,
)
from ..quality.face_parsing import offer
from ..quality.light import NO_COLOUR
from ..quality.usable_photo import NOT_JUDGED, upright
from .document import HeadTop
from .head import find_head
from .head_in_photo import FACE_SIDES, HEAD_TO_FACE
from .limits import BACKGROUND, limits_for, table
from .make_report import of_the_photo
from .measures import FileFacts, measure_edits, measure_file, measure_geometry, measure_size

if TYPE_CHECKING:
    import torch

    from ..faces.engines import FaceEngine
    from ..faces.face import Face
    from .document import Document
    from .head import Head
    from .measures import History, IDPhoto

BLACK_AND_WHITE = "The photo is black and white; use a colour photo."


def group_by_root_cause(checks: list[Check], *, grey: bool = False) -> list[Check]:
    """The checks, those not known that stand on one that failed itself. `grey`: there is no colour."""
    found = []
    for check in not_known_behind(checks):
        wrong = check.outcome in (Outcome.FAIL, Outcome.UNCERTAIN)
        if wrong and grey and check.name == "natural_colour":
            check = replace(check, advice=BLACK_AND_WHITE, failing="black and white")
        found.append(check)
    return found


BEYOND = (
    "whether it was taken recently",
    "whether it looks like you today",
    "whether you are allowed glasses or a head covering",
    "the quality of the paper and the print",
)
"""What no look at the pixels can tell, and every authority asks."""


@dataclass(frozen=True, eq=False)
class Compliance:
    """The report on one photo of `width` x `height` pixels.

    faces: those that were found; head: that of the face that was looked at, in the photo's pixels, None without one.
    uncut: it was judged as a photo that is still to be cut.
    """

    document: Document
    checks: list[Check]
    width: int
    height: int
    faces: list[Face] = field(default_factory=list)
    head: Head | None = None
    notes: list[str] = field(default_factory=list)
    name: str = ""
    uncut: bool = False

    @property
    def verdict(self) -> Verdict:
        """Pass only where nothing failed and nothing is uncertain."""
        return verdict_of(self.checks)

    @property
    def passed(self) -> bool:
        """Whether every rule that can be measured is met for certain."""
        return self.verdict is Verdict.PASS

    def of(self, *outcomes: Outcome) -> list[Check]:
        """The checks that ended so."""
        return [check for check in self.checks if check.outcome in outcomes]

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        title = self.document.title
        failed, unsure = self.of(Outcome.FAIL), self.of(Outcome.UNCERTAIN)
        missing = self.of(Outcome.NOT_MEASURED)
        if failed:
            return f"{_count(len(failed), 'rule')} not met for the {title}: {faults(failed)}."
        if unsure:
            return f"No rule is broken for the {title}, but a person must look at: {titles(unsure)}."
        if missing:
            return f"The photo meets every rule for the {title} that was measured; not known: {titles(missing)}."
        return f"The photo meets every rule for the {title} that can be measured."

    def as_dict(self) -> dict[str, Any]:
        """The report as data."""
        document = self.document
        return {
            "kind": "id_photo",
            "name": self.name,
            "document": document.id,
            "document_title": document.title,
            "country": document.country,
            "verdict": str(self.verdict),
            "passed": self.passed,
            "headline": self.headline,
            "width": self.width,
            "height": self.height,
            "faces": [[round(value, 1) for value in face.box] for face in self.faces],
            "checks": [check.as_dict() for check in self.checks],
            "notes": list(self.notes),
            "not_measurable": list(BEYOND),
            "sources": [{"url": source.url, "checked": source.checked} for source in document.sources],
            "confidence": document.confidence,
        }

    def text(self) -> str:
        """The report for people: what is wrong first, what to do, and what cannot be told."""
        lines = [self.headline]
        for check in self.of(Outcome.FAIL):
            lines.append(f"FAIL       {_line(check)}")
        for check in self.of(Outcome.UNCERTAIN):
            lines.append(f"uncertain  {_line(check, why=True)}")
        passed = self.of(Outcome.PASS)
        if passed:
            lines.append(f"pass       {titles(passed)}.")
        for why, checks in _by_reason(self.of(Outcome.NOT_MEASURED)).items():
            lines.append(f"not known  {titles(checks)}. {why}".rstrip())
        lines += self.notes
        lines.append(f"No program can tell: {'; '.join(BEYOND)}.")
        return "\n".join(lines)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"


def _by_reason(checks: list[Check]) -> dict[str, list[Check]]:
    """The checks by what was seen instead of a value."""
    found: dict[str, list[Check]] = {}
    for check in checks:
        found.setdefault(check.detail, []).append(check)
    return found


LONG_UNIT = 6
"""Letters of a unit from which on it is said once: 8.0 ± 0.8, asked: at most 4.5 % of the eye-chin distance."""


def _line(check: Check, *, why: bool = False) -> str:
    """A check as one line; `why`: with what was seen, which a person needs who must decide."""
    figures = f"{check.shown}, asked: {check.limit}" if check.shown and check.limit else check.shown or check.detail
    value, _, unit = check.shown.partition(" % of ")
    if len(unit) >= LONG_UNIT and check.limit.partition(";")[0].endswith(f" % of {unit}"):
        figures = f"{value}, asked: {check.limit}"
    seen = check.detail if (why or check.group == "Pose") and check.shown else ""
    return " ".join(part for part in (f"{check.title} ({figures.rstrip('.')}).", seen, check.advice) if part)


@dataclass(frozen=True)
class About:
    """What is known of a photo beside its pixels. `uncut`: it is still to be cut to the document.

    `told`: what its own file says of its making.
    """

    file: FileFacts | None = None
    made: IDPhoto | None = None
    uncut: bool = False
    parsing: bool = False
    told: History | None = None


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured on a photo, before it is judged. head: in the photo's pixels, None without a face."""

    measures: list[Measure]
    faces: list[Face]
    head: Head | None


def check_id_photo(
    photo: torch.Tensor,
    engine: FaceEngine,
    document: Document,
    matte: torch.Tensor | None = None,
    about: About | None = None,
) -> Compliance:
    """Judge `photo` [H,W,3] in 0..1 by the rules of `document`. `matte`: the person's MASK [H,W].

    No face, several faces and faces that cannot be measured are outcomes, not errors. Raises ModelMissing and
    DependencyMissing where a network cannot be had.
    """
    about = about or About()
    height, width = photo.shape[:2]
    seen = measure_all(photo, engine, document, matte, about)
    checks = judge_all(of_the_photo(seen.measures, about.made), document, len(seen.faces), uncut=about.uncut)
    name = about.file.name if about.file else ""
    notes = _notes(document, about)
    doubtful = [check.name for check in checks if check.outcome is Outcome.UNCERTAIN]
    if not about.parsing and (words := offer(doubtful)):
        notes.insert(0, words)
    return Compliance(document, checks, width, height, seen.faces, seen.head, notes, name, about.uncut)


def measure_all(
    photo: torch.Tensor, engine: FaceEngine, document: Document, matte: torch.Tensor | None, about: About
) -> Measured:
    """Every measure of `photo` that `judge_all` knows a limit for; raises what `check_id_photo` raises."""
    height, width = photo.shape[:2]
    faces = engine.detect(photo)
    measures = [
        *measure_size(width, height, document),
        *measure_file(about.file, width, document),
        measure_edits(about.made, document, about.told),
    ]
    tilt, faces = upright(photo, engine, faces)
    measures.append(tilt)
    if not faces or tilt.value:
        return Measured(measures, faces, None)
    face = largest_face(faces)
    portrait = Portrait(photo, face, find_mesh(photo, face), faces, matte)
    head = find_head(portrait.face, portrait.mesh, matte)
    measures += [*measure_geometry(head, width, height, document), _head_width(portrait, width, document)]
    colours = document.background_colours
    found = measure_portrait(portrait, allowed=colours, parsing=about.parsing)
    measures += [
        _whole_head(head, document),
        *(each for each in found if matte is not None or each.name not in BACKGROUND),
    ]
    return Measured(measures, faces, head)


def judge_all(measures: list[Measure], document: Document, faces: int, *, uncut: bool = False) -> list[Check]:
    """One check for every limit of the table, in its order. `faces`: how many the photo has."""
    found = {measure.name: measure for measure in measures}
    found["faces"] = Measure("faces", float(faces), detail=_faces(faces), source="OFIQ: single face present")
    lies = bool(found["upright"].value) if "upright" in found else False
    checks = []
    for name, limit in limits_for(document, uncut=uncut).items():
        if isinstance(limit, str):
            general = table()[name]
            why = f"{limit[0].upper()}{limit[1:]}."
            checks.append(Check(name, general.title, general.group, Outcome.NOT_ASKED, detail=why))
        else:
            unseen = (
                Measure(name, None, detail=NOT_JUDGED if lies else _why_unseen(name, faces)),
                replace(limit, unseen=""),
            )
            checks.append(judge_measure(found[name], limit) if name in found else judge_measure(*unseen))
    colours = found.get("natural_colour")
    return group_by_root_cause(checks, grey=colours is not None and colours.detail.startswith(NO_COLOUR))


def _why_unseen(name: str, faces: int) -> str:
    """Why there is no measure of this name at all."""
    if not faces:
        return "No face was found."
    return "Nothing said where the person is." if name in BACKGROUND else "It was not measured."


def _faces(count: int) -> str:
    return f"{('No face was', 'One face was')[count] if count < 2 else f'{count} faces were'} found."


def _head_width(portrait: Portrait, width: int, document: Document) -> Measure:
    """The head without the ears, from the mesh: its widest place, and what the head is wider than the face."""
    first, last = portrait.mesh.points[list(FACE_SIDES), :2]
    share = HEAD_TO_FACE * float(np.hypot(*(last - first))) / width
    unit, factor = ("mm", document.width_mm) if document.width_mm else ("% of the width", 100.0)
    return Measure("head_width", share * factor, unit, 0.05 * share * factor, "Between the ears.", "ISO/IEC 39794-5")


def _whole_head(head: Head, document: Document) -> Measure:
    """1: all of it is in the photo; 0.5: only hair is cut off and the document counts the skull; 0: it is cut off."""
    if not head.cut_off:
        return Measure("whole_head", 1.0, detail="The whole head is in the photo.")
    level = np.array([[head.centre, head.crown]], dtype=np.float64)
    if document.head_top is HeadTop.CROWN and head.to_photo(level)[0, 1] > 0:
        return Measure("whole_head", 0.5, detail="The photo's edge cuts off hair above the head.")
    return Measure("whole_head", 0.0, detail="The photo's edge cuts off the top of the head.")


def _notes(document: Document, about: About) -> list[str]:
    notes = []
    if about.uncut:
        notes.append("The photo is judged as one that is still to be cut: size and position are decided then.")
    if document.capture:
        who = document.authority or "The authority"
        notes.append(f"{who[0].upper()}{who[1:]} asks for a photo {document.capture}.")
    if document.confidence == "low":
        notes.append("The figures of this document are not sure: look at the authority's own page before you send it.")
    return [*notes, *(f"Disputed: {each}" for each in document.disputes)]
