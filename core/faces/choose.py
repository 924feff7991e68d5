"""Which face in a picture is the person in question, or why there is none: the verdicts before any comparison."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import torch

from .engines import FaceEngine
from .face import Face

MIN_FACE = 48
"""Default smallest face, as the shorter side of its box in pixels. Recognisers see 112 x 112; below half of that the
crop is mostly interpolation."""

BYSTANDER = 0.35
"""A face smaller than this fraction of the largest one is background: it is named in the notes, and not counted."""


class Outcome(StrEnum):
    """What became of one picture."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    FACE_TOO_SMALL = "face_too_small"
    POOR_PHOTO = "poor_photo"


class SeveralFaces(StrEnum):
    """What to do with a picture of several people."""

    REFUSE = "refuse"
    LARGEST = "largest"
    CENTRAL = "most central"


@dataclass(frozen=True)
class Subject:
    """The one face of a picture, or the reason why there is none.

    face has its embedding exactly when problem is None. box is the face that the reason speaks of, if any.
    """

    face: Face | None
    problem: Outcome | None = None
    reason: str = ""
    notes: list[str] = field(default_factory=list)


def find_subject(
    engine: FaceEngine,
    image: torch.Tensor,
    several: SeveralFaces = SeveralFaces.REFUSE,
    min_face: int = MIN_FACE,
) -> Subject:
    """The face of image [H,W,3] in 0..1 that counts, embedded."""
    faces = sorted(engine.detect(image), key=lambda face: -face.size)
    if not faces:
        return Subject(None, Outcome.NO_FACE, "No face was found; it takes a picture that shows the whole face.")
    people = [face for face in faces if face.size >= BYSTANDER * faces[0].size]
    notes = [f"A background face of {face.size:.0f} pixels was not counted." for face in faces[len(people) :]]
    if len(people) > 1 and several is SeveralFaces.REFUSE:
        return Subject(
            people[0],
            Outcome.SEVERAL_FACES,
            f"{len(people)} faces were found; crop to one person or choose which face counts.",
            notes,
        )
    face = people[0] if several is not SeveralFaces.CENTRAL else min(people, key=lambda each: off_centre(each, image))
    if len(people) > 1:
        notes.append(f"{len(people)} faces were found; the {several.value} one was taken, as chosen.")
    if face.size < min_face:
        return Subject(
            face,
            Outcome.FACE_TOO_SMALL,
            f"The face is {face.size:.0f} pixels wide and at least {min_face} are needed; use a closer photo.",
            notes,
        )
    return Subject(engine.embed(image, face), notes=notes)


def find_subjects(
    engine: FaceEngine,
    images: Sequence[torch.Tensor],
    several: SeveralFaces = SeveralFaces.REFUSE,
    min_face: int = MIN_FACE,
) -> list[Subject]:
    """`find_subject` for each picture, spread over the cores."""
    if len(images) < 2:
        return [find_subject(engine, image, several, min_face) for image in images]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda image: find_subject(engine, image, several, min_face), images))


def off_centre(face: Face, image: torch.Tensor) -> float:
    """Distance of the face from the picture's middle, in pixels."""
    height, width = image.shape[:2]
    return float(np.hypot(face.centre[0] - width / 2, face.centre[1] - height / 2))
