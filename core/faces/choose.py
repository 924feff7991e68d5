"""Which face in a picture is the person in question, or why there is none: one rule for every step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import torch

from ..choices import MIN_FACE, FacePolicy
from ..errors import FaceNotUsable
from ..imaging.tensors import pixels, planes
from ..imaging.warp import Cut, rotate, sample
from .engines import FaceEngine
from .face import Face

BACKGROUND = 0.35
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
class Wording:
    """How a step says that no face is meant. `{picture}` is the picture's number in its batch, `{count}` the faces."""

    no_face: str
    several: str


JUDGED = Wording(
    "No face was found; it takes a picture that shows the whole face.",
    "{count} faces were found; crop to one person or choose which face counts.",
)
BATCH = Wording(
    "Picture {picture} has no face; give a photo in which the face is seen from the front.",
    "Picture {picture} has {count} faces; crop it to one person or choose several_faces = largest.",
)
DESCRIBED = Wording(BATCH.no_face, "The photo has {count} faces; crop it to one person.")
DOCUMENT = Wording(
    "The photo has no face; give one in which the whole face is seen from the front.",
    "The photo has {count} faces; crop it to one person, or choose that the largest one is taken.",
)
TOO_SMALL = "The face is {size:.0f} pixels wide and at least {least} are needed; use a closer photo."


@dataclass(frozen=True)
class Choice:
    """What `choose_face` found.

    face: the one that is meant, or where there is a `problem` the one that it is about, if any. people: the faces that
    counted, the largest first. background: those that did not, because they are small beside the largest one.
    """

    face: Face | None
    people: tuple[Face, ...]
    background: tuple[Face, ...]
    policy: FacePolicy
    min_face: float
    problem: Outcome | None = None

    @property
    def not_counted(self) -> list[str]:
        """A sentence for each background face."""
        return [f"A background face of {face.size:.0f} pixels was not counted." for face in self.background]

    @property
    def notes(self) -> list[str]:
        """All that has to be said of the faces that are not meant."""
        notes = self.not_counted
        if len(self.people) > 1 and self.problem is not Outcome.SEVERAL_FACES:
            notes.append(f"{len(self.people)} faces were found; the {self.policy.value} one was taken, as chosen.")
        return notes

    def reason(self, wording: Wording, picture: int = 0) -> str:
        """Why no face is meant, "" where one is."""
        if self.problem is None or self.face is None:
            return "" if self.problem is None else wording.no_face.format(picture=picture)
        if self.problem is Outcome.SEVERAL_FACES:
            return wording.several.format(picture=picture, count=len(self.people))
        return TOO_SMALL.format(size=self.face.size, least=self.min_face)

    def require(self, wording: Wording = BATCH, picture: int = 0) -> Face:
        """The face that is meant. Raises FaceNotUsable where none is."""
        if self.face is None or self.problem is not None:
            raise FaceNotUsable(self.reason(wording, picture))
        return self.face


def choose_face(
    faces: Sequence[Face], size: Sequence[int], policy: FacePolicy = FacePolicy.REFUSE, min_face: float = 0
) -> Choice:
    """Which of the `faces` that a detector found in a picture of `size` (height, width) is meant.

    This is the one rule. A face whose size is below `min_face` pixels is meant by nobody: it is a problem.
    """
    found = sorted(faces, key=lambda face: -face.size)
    counts_all = policy is FacePolicy.STRICT
    people = tuple(face for face in found if counts_all or face.size >= BACKGROUND * found[0].size)
    choice = Choice(people[0] if people else None, people, tuple(found[len(people) :]), policy, min_face)
    if choice.face is None:
        return replace(choice, problem=Outcome.NO_FACE)
    if len(people) > 1 and policy in (FacePolicy.STRICT, FacePolicy.REFUSE):
        return replace(choice, problem=Outcome.SEVERAL_FACES)
    face = min(people, key=lambda each: off_centre(each, size)) if policy is FacePolicy.CENTRAL else choice.face
    return replace(choice, face=face, problem=Outcome.FACE_TOO_SMALL if face.size < min_face else None)


def largest_face(faces: Sequence[Face]) -> Face:
    """The largest of one or more faces: the one that is measured, where several are a fault to be reported."""
    return max(faces, key=lambda face: face.size)


def off_centre(face: Face, size: Sequence[int]) -> float:
    """Distance of the face from the middle of a picture of `size` (height, width), in pixels."""
    height, width = size[:2]
    return float(np.hypot(face.centre[0] - width / 2, face.centre[1] - height / 2))


@dataclass(frozen=True)
class Subject:
    """The one face of a picture, or the reason why there is none.

    face has its embedding exactly when problem is None; otherwise it is the face that the reason speaks of, if any.
    """

    face: Face | None
    problem: Outcome | None = None
    reason: str = ""
    notes: list[str] = field(default_factory=list)


def find_subject(
    engine: FaceEngine, image: torch.Tensor, policy: FacePolicy = FacePolicy.REFUSE, min_face: int = MIN_FACE
) -> Subject:
    """The face of image [H,W,3] in 0..1 that is meant, embedded."""
    choice = choose_face(engine.detect(image), image.shape, policy, min_face)
    if choice.face is None or choice.problem is not None:
        return Subject(choice.face, choice.problem, choice.reason(JUDGED), choice.notes)
    return Subject(engine.embed(image, choice.face), notes=choice.notes)


def find_subjects(
    engine: FaceEngine,
    images: Sequence[torch.Tensor],
    policy: FacePolicy = FacePolicy.REFUSE,
    min_face: int = MIN_FACE,
) -> list[Subject]:
    """`find_subject` for each picture, spread over the cores."""
    if len(images) < 2:
        return [find_subject(engine, image, policy, min_face) for image in images]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda image: find_subject(engine, image, policy, min_face), images))


CLOSE_UP = 4.0
"""Side of the close-up on which landmarks are measured again, in face spreads (see `_spread`)."""

CLOSE_UP_PIXELS = 320
"""Its side in pixels."""

ROUNDS = 2
"""At most this many close-ups."""

CLOSE_ENOUGH = 0.7
"""No further close-up when the face leans by less than this on the last one, in degrees."""


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
