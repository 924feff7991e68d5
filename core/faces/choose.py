"""Which face in a picture is the person in question, or why there is none: one rule for every step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
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
from .face import Face, lean_of

Likeness = Callable[[Face], float]
"""How like a face is to the person who is meant: the higher, the more."""

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
    MAIN_FACE_HIDDEN = "main_face_hidden"


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
            which = "one most like the person" if self.policy is FacePolicy.LIKEST else f"{self.policy.value} one"
            notes.append(f"{len(self.people)} faces were found; the {which} was taken, as chosen.")
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
    faces: Sequence[Face],
    size: Sequence[int],
    policy: FacePolicy = FacePolicy.REFUSE,
    min_face: float = 0,
    likeness: Likeness | None = None,
) -> Choice:
    """Which of the `faces` that a detector found in a picture of `size` (height, width) is meant.

    This is the one rule. A face whose size is below `min_face` pixels is meant by nobody: it is a problem. `likeness`
    is what LIKEST goes by; without it LIKEST is REFUSE.
    """
    if policy is FacePolicy.LIKEST and likeness is None:
        policy = FacePolicy.REFUSE
    found = sorted(faces, key=lambda face: -face.size)
    counts_all = policy in (FacePolicy.STRICT, FacePolicy.LIKEST)
    people = tuple(face for face in found if counts_all or face.size >= BACKGROUND * found[0].size)
    choice = Choice(people[0] if people else None, people, tuple(found[len(people) :]), policy, min_face)
    if choice.face is None:
        return replace(choice, problem=Outcome.NO_FACE)
    if len(people) > 1 and policy in (FacePolicy.STRICT, FacePolicy.REFUSE):
        return replace(choice, problem=Outcome.SEVERAL_FACES)
    face = choice.face
    if policy is FacePolicy.CENTRAL:
        face = min(people, key=lambda each: off_centre(each, size))
    elif policy is FacePolicy.LIKEST and likeness is not None and len(people) > 1:
        face = max([each for each in people if each.size >= min_face] or people[:1], key=likeness)
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


Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels."""

TILES = 3
"""Where a whole photo shows no face, squares of this part of its longer side are looked at, by halves overlapping."""

SEEN_AT = 640
"""Pixels on the longer side at which detectors see a picture, about: a larger one is reduced for them."""

SMALL_SEEN = 0.1
"""A face below this share of a large photo's longer side is looked at again: at 64 pixels or fewer of the detector's
input its landmarks are a pixel off, and likeness falls by half."""

ROUND_FACE = 4.0
"""Side of the part that is looked at again, in face sizes."""


def detect_faces(engine: FaceEngine, image: torch.Tensor) -> list[Face]:
    """The faces of image [H,W,3] in 0..1, in its pixels; also small ones in a photo of many megapixels."""
    height, width = image.shape[:2]

    def look(box: Box) -> list[Face]:
        left, top, right, bottom = box
        return [face.moved(-left, -top) for face in engine.detect(image[top:bottom, left:right])]

    return detect_in_tiles(look, (height, width)) if max(height, width) > SEEN_AT else engine.detect(image)


def detect_in_tiles(look: Callable[[Box], list[Face]], size: Sequence[int]) -> list[Face]:
    """The faces that `look` finds in the whole picture of `size` (height, width), or else in tiles of it.

    `look` gives the faces of a part in the pixels of the whole picture.
    """
    height, width = size[:2]
    found = look((0, 0, width, height))
    if found:
        return found
    for tile in _tiles(height, width):
        for face in look(tile):
            if all(np.hypot(*np.subtract(face.centre, other.centre)) > 0.5 * other.size for other in found):
                found.append(face)
    return found


def _tiles(height: int, width: int) -> Iterator[Box]:
    side = -(-max(width, height) // TILES)
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield left, top, min(left + side, width), min(top + side, height)


def _starts(length: int, side: int) -> list[int]:
    return [0] if length <= side else [*range(0, length - side, side // 2), length - side]


def look_closer(engine: FaceEngine, image: torch.Tensor, face: Face) -> Face:
    """`face` of a large image [H,W,3] as it is seen in the part round it, at full size; itself where it is large."""
    height, width = image.shape[:2]
    if max(height, width) <= SEEN_AT or face.size >= SMALL_SEEN * max(height, width):
        return face
    reach = 0.5 * ROUND_FACE * face.size
    (x, y), (left, top) = face.centre, (max(0, int(at - reach)) for at in face.centre)
    part = image[top : min(height, int(y + reach)), left : min(width, int(x + reach))]
    near = [each.moved(-left, -top) for each in engine.detect(part)]
    near = [each for each in near if np.hypot(*np.subtract(each.centre, face.centre)) < 0.5 * face.size]
    return max(near, key=lambda each: each.score, default=face)


def find_subject(
    engine: FaceEngine,
    image: torch.Tensor,
    policy: FacePolicy = FacePolicy.REFUSE,
    min_face: int = MIN_FACE,
    person: np.ndarray | None = None,
) -> Subject:
    """The face of image [H,W,3] in 0..1 that is meant, embedded. `person`: the embedding [D] that LIKEST goes by."""
    seen: dict[int, Face] = {}

    def embedded(face: Face) -> Face:
        return seen.setdefault(id(face), engine.embed(image, look_closer(engine, image, face)))

    def likeness(face: Face) -> float:
        embedding = embedded(face).embedding
        return -1.0 if embedding is None or person is None else float(embedding @ person)

    faces = detect_faces(engine, image)
    choice = choose_face(faces, image.shape, policy, min_face, None if person is None else likeness)
    if choice.face is None or choice.problem is not None:
        return Subject(choice.face, choice.problem, choice.reason(JUDGED), choice.notes)
    return Subject(embedded(choice.face), notes=choice.notes)


def find_subjects(
    engine: FaceEngine,
    images: Sequence[torch.Tensor],
    policy: FacePolicy = FacePolicy.REFUSE,
    min_face: int = MIN_FACE,
    person: np.ndarray | None = None,
) -> list[Subject]:
    """`find_subject` for each picture, spread over the cores."""
    if len(images) < 2:
        return [find_subject(engine, image, policy, min_face, person) for image in images]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda image: find_subject(engine, image, policy, min_face, person), images))


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
        angle = lean_of(landmarks)
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
        if abs(lean_of(found[0])) < CLOSE_ENOUGH:
            break
    return landmarks


def _spread(landmarks: np.ndarray) -> float:
    """Twice the mean distance of the five points from their middle: a face's size that hardly depends on its pose."""
    return 2 * float(np.hypot(*(landmarks - landmarks.mean(0)).T).mean())
