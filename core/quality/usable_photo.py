"""Is this photo of use as a reference photo, and is it upright? Said with what to change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..choices import FacePolicy
from ..faces.choose import choose_face, largest_face
from ..faces.mesh import find_mesh
from .aligned_face import Portrait
from .all_measures import measure_portrait
from .checks import (
    Check,
    Limit,
    Measure,
    Outcome,
    Verdict,
    faults,
    judge_measure,
    not_known_behind,
    read_limits,
    verdict_of,
)
from .face_parsing import offer

if TYPE_CHECKING:
    from ..faces.engines import FaceEngine
    from ..faces.face import Face

SURE = 0.9
"""A detector's score from which on no other way up is looked at: turned photos of portraits stay below it."""

BETTER, LEAST = 0.05, 0.85
"""By how much the score must rise when the photo is turned, and to what at least."""

MESH = 0.9
"""The mesh network must be so sure of the face in the turned photo."""

NOT_JUDGED = "The photo is turned: what it shows is judged when it is upright."

WAYS = {90: "90° to the left", 180: "180°", 270: "90° to the right"}
"""How to turn the photo, by degrees counter-clockwise."""


def upright(photo: torch.Tensor, engine: FaceEngine, faces: list[Face]) -> tuple[Measure, list[Face]]:
    """By how many degrees `photo` [H,W,3] is turned (0, 90 or 180, either way), and its faces in its own pixels.

    `faces` are those found in it as it is; they are returned unless another way up shows faces more surely.
    """
    score = _score(faces)
    for quarter in (1, 3, 2) if score < SURE else ():
        turned = torch.rot90(photo, quarter).contiguous()
        found = engine.detect(turned)
        if _score(found) < max(LEAST, score + BETTER):
            continue
        if find_mesh(turned, largest_face(found)).presence >= MESH:
            words = f"The photo lies wrong: turn it by {WAYS[90 * quarter]}."
            value = 180.0 if quarter == 2 else 90.0
            placed = [_back(face, quarter, photo.shape[1], photo.shape[0]) for face in found]
            return Measure("upright", value, "°", detail=words, source="own"), placed
    return Measure("upright", 0.0, "°", detail="The photo is the right way up.", source="own"), faces


def _score(faces: list[Face]) -> float:
    return largest_face(faces).score if faces else 0.0


def _back(face: Face, quarter: int, width: int, height: int) -> Face:
    """A face of the photo turned `quarter` times counter-clockwise, in the pixels of the photo itself."""
    corners = np.array(face.box, dtype=np.float64).reshape(2, 2)
    points = np.vstack([corners, face.landmarks])
    sides = [(width, height) if step % 2 == 0 else (height, width) for step in range(quarter)]
    for across, _ in reversed(sides):
        points = np.stack([across - points[:, 1], points[:, 0]], 1)
    low, high = points[:2].min(0), points[:2].max(0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return replace(face, box=box, landmarks=points[2:])


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
    photo: torch.Tensor,
    engine: FaceEngine,
    *,
    parsing: bool = False,
    policy: FacePolicy = FacePolicy.REFUSE,
    name: str = "",
) -> Usability:
    """Judge `photo` [H,W,3] in 0..1 as a reference photo.

    `policy`: which of several faces is meant, and whether the others are a fault. Raises ModelMissing and
    DependencyMissing where a network cannot be had.
    """
    tilt, faces = upright(photo, engine, engine.detect(photo))
    choice = choose_face(faces, photo.shape, policy)
    people = len(choice.people)
    counted = people if choice.problem else 1
    words = [f"{people or 'No'} face{'s' if people > 1 else ''} found.", *choice.not_counted]
    measures = {"faces": Measure("faces", float(counted), detail=" ".join(words)), "upright": tilt}
    if choice.face is not None and not tilt.value:
        portrait = Portrait(photo, choice.face, find_mesh(photo, choice.face), faces)
        measures |= {each.name: each for each in measure_portrait(portrait, parsing=parsing) if each.name != "faces"}
    missing = NOT_JUDGED if tilt.value else "It was not measured." if faces else "No face was found."
    checks = not_known_behind(
        judge_measure(measures.get(key) or Measure(key, None, detail=missing), limit) for key, limit in limits().items()
    )
    doubtful = [check.name for check in checks if check.outcome is Outcome.UNCERTAIN]
    notes = [words] if not parsing and (words := offer(doubtful)) else []
    return Usability(checks, photo.shape[1], photo.shape[0], faces, name, notes)
