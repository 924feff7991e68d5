"""Judges a photo by the rules of a document: every measure against its limit, and what that comes to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..faces.mesh import find_mesh
from ..quality.colour import NO_COLOUR
from ..quality.gather import measure_portrait
from ..quality.limits import Check, Outcome, judge_measure
from ..quality.measure import Measure
from ..quality.parsing import offer
from ..quality.portrait import Portrait
from ..quality.upright import NOT_JUDGED, upright
from .compliance import Compliance
from .document import HeadTop
from .enlarged import of_the_photo
from .geometry_measures import measure_geometry
from .head import find_head
from .limits import BACKGROUND, limits_for, table
from .look import FACE_SIDES, HEAD_TO_FACE
from .measures import FileFacts, measure_edits, measure_file, measure_size
from .one_cause import by_cause

if TYPE_CHECKING:
    import torch

    from ..faces.engines import FaceEngine
    from ..faces.face import Face
    from .document import Document
    from .head import Head
    from .history import History
    from .photo import IDPhoto


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
    face = max(faces, key=lambda each: each.size)
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
    return by_cause(checks, grey=colours is not None and colours.detail.startswith(NO_COLOUR))


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
