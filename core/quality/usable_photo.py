"""Is this photo of use as a reference photo? Said before it enrolls, steers or trains anything, with what to change."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..faces.mesh import find_mesh
from .gather import measure_portrait
from .limit import Limit, read_limits
from .limits import Check, Outcome, Verdict, faults, judge_measure, verdict_of
from .measure import Measure
from .parsing import offer
from .portrait import Portrait
from .upright import NOT_JUDGED, upright

if TYPE_CHECKING:
    import torch

    from ..faces.engines import FaceEngine
    from ..faces.face import Face

DIRECTED = ("upright", "yaw", "pitch")
"""Checks of whose detail the direction is to be read."""

FILE = Path(__file__).with_name("usable.toml")


@dataclass(frozen=True, eq=False)
class Usability:
    """The report on one selfie of `width` x `height` pixels. faces: those that were found."""

    checks: list[Check]
    width: int
    height: int
    faces: list[Face] = field(default_factory=list)
    name: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """Fail where the photo is of no use; uncertain where it could be better."""
        return verdict_of(self.checks)

    @property
    def usable(self) -> bool:
        """Whether nothing speaks against the photo for certain."""
        return self.verdict is not Verdict.FAIL

    @property
    def problems(self) -> list[Check]:
        """What is wrong for certain."""
        return [check for check in self.checks if check.outcome is Outcome.FAIL]

    @property
    def remarks(self) -> list[Check]:
        """What could be better."""
        return [check for check in self.checks if check.outcome is Outcome.UNCERTAIN]

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        if self.problems:
            return f"Not usable as a reference photo: {faults(self.problems)}."
        if self.remarks:
            return f"Usable, and it could be better: {faults(self.remarks)}."
        return "Usable as a reference photo."

    def advice(self) -> list[str]:
        """What to change, each said once, what matters first."""
        wanted = [check for check in (*self.problems, *self.remarks) if check.advice]
        return list(dict.fromkeys(said(check) for check in wanted))

    def as_dict(self) -> dict[str, Any]:
        """The report as data."""
        return {
            "kind": "selfie",
            "name": self.name,
            "verdict": str(self.verdict),
            "passed": self.usable,
            "headline": self.headline,
            "width": self.width,
            "height": self.height,
            "faces": [[round(value, 1) for value in face.box] for face in self.faces],
            "checks": [check.as_dict() for check in self.checks],
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """The report for people."""
        return "\n".join([self.headline, *(f"- {each}" for each in self.advice()), *self.notes])


def said(check: Check) -> str:
    """The advice, with what was seen where only that says which way."""
    return f"{check.detail} {check.advice}" if check.name in DIRECTED else check.advice


@cache
def limits() -> dict[str, Limit]:
    """The limits of a reference photo, usable.toml. Raises LimitsInvalid."""
    return read_limits(FILE)


def usable(
    photo: torch.Tensor, engine: FaceEngine, *, parsing: bool = False, largest: bool = False, name: str = ""
) -> Usability:
    """Judge `photo` [H,W,3] in 0..1 as a reference photo.

    `largest`: of several faces the largest counts and the others are no fault. Raises ModelMissing and
    DependencyMissing where a network cannot be had.
    """
    tilt, faces = upright(photo, engine, engine.detect(photo))
    counted = min(len(faces), 1) if largest else len(faces)
    words = f"{len(faces) or 'No'} face{'s' if len(faces) > 1 else ''} found."
    measures = {"faces": Measure("faces", float(counted), detail=words), "upright": tilt}
    if faces and not tilt.value:
        face = max(faces, key=lambda each: each.size)
        portrait = Portrait(photo, face, find_mesh(photo, face), faces)
        measures |= {each.name: each for each in measure_portrait(portrait, parsing=parsing) if each.name != "faces"}
    missing = NOT_JUDGED if tilt.value else "It was not measured." if faces else "No face was found."
    checks = [
        judge_measure(measures.get(key) or Measure(key, None, detail=missing), limit) for key, limit in limits().items()
    ]
    doubtful = [check.name for check in checks if check.outcome is Outcome.UNCERTAIN]
    notes = [words] if not parsing and (words := offer(doubtful)) else []
    return Usability(checks, photo.shape[1], photo.shape[0], faces, name, notes)
