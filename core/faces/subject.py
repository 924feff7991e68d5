"""The one face that a portrait step works on, or a clear reason why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import FaceNotUsable
from ..imaging.sample import sample
from ..imaging.tensors import pixels, planes
from ..portrait.framing import Cut, rotate

if TYPE_CHECKING:
    import torch

    from .engines import FaceEngine
    from .face import Face

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
