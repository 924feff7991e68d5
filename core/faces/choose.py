"""Which face in a picture is the person in question, or why there is none: one rule for every step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import torch

from ..choices import MIN_FACE, SeveralFaces
from ..errors import FaceNotUsable
from ..imaging.tensors import pixels, planes
from ..imaging.warp import Cut, rotate, sample
from .engines import FaceEngine
from .face import Face

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


CLOSE_UP = 4.0
"""Side of the close-up on which landmarks are measured again, in face spreads (see `_spread`)."""

CLOSE_UP_PIXELS = 320
"""Its side in pixels."""

ROUNDS = 2
"""At most this many close-ups."""

CLOSE_ENOUGH = 0.7
"""No further close-up when the face leans by less than this on the last one, in degrees."""


def one_face(faces: list[Face], largest: bool, picture: int = 0) -> Face:
    """The only face, or with `largest` the largest one. Raises FaceNotUsable for none, or several without `largest`."""
    if not faces:
        raise FaceNotUsable(f"Picture {picture} has no face; give a photo in which the face is seen from the front.")
    if len(faces) > 1 and not largest:
        raise FaceNotUsable(
            f"Picture {picture} has {len(faces)} faces; crop it to one person or choose several_faces = largest."
        )
    return max(faces, key=lambda face: face.size)


def steady_landmarks(engine: FaceEngine, image: torch.Tensor, face: Face) -> np.ndarray:
    """The face's landmarks [5,2] in pixels of IMAGE `image` [1,H,W,3], measured again on a level close-up.

    Detectors see a small tilted face as more level than it is: YuNet reports 3 degrees for some faces that lean 8.
    On a close-up that is levelled by the first answer, and again by the second, what remains is small.
    """
    landmarks = face.landmarks.astype(np.float64)
    for _ in range(ROUNDS):
        angle = _tilt(landmarks)
        x, y = rotate(landmarks.mean(0)[None], (0.0, 0.0), -angle)[0]
        side = CLOSE_UP * _spread(landmarks)
        cut = Cut(x, y, side, side, (0.0, 0.0), angle)
        close = pixels(sample(planes(image), cut, CLOSE_UP_PIXELS, CLOSE_UP_PIXELS)[0])[0]
        found = [seen.landmarks for seen in engine.detect(close)]
        found.sort(key=lambda points: float(np.hypot(*(points.mean(0) - CLOSE_UP_PIXELS / 2))))
        if not found or abs(_spread(found[0]) * CLOSE_UP - CLOSE_UP_PIXELS) > 0.5 * CLOSE_UP_PIXELS:
            return landmarks
        level = (found[0] / CLOSE_UP_PIXELS - 0.5) * side + [x, y]
        landmarks = cut.to_photo(level)
        if abs(_tilt(found[0])) < CLOSE_ENOUGH:
            break
    return landmarks


def _tilt(landmarks: np.ndarray) -> float:
    across = landmarks[1] - landmarks[0]
    return float(np.degrees(np.arctan2(across[1], across[0])))


def _spread(landmarks: np.ndarray) -> float:
    """Twice the mean distance of the five points from their middle: a face's size that hardly depends on its pose."""
    return 2 * float(np.hypot(*(landmarks - landmarks.mean(0)).T).mean())
