"""Is the photo turned by 90 or 180 degrees? Detectors then find a face where eyes and mouth are not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..faces.mesh import find_mesh
from .measure import Measure

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
        if find_mesh(turned, max(found, key=lambda each: each.size)).presence >= MESH:
            words = f"The photo lies wrong: turn it by {WAYS[90 * quarter]}."
            value = 180.0 if quarter == 2 else 90.0
            placed = [_back(face, quarter, photo.shape[1], photo.shape[0]) for face in found]
            return Measure("upright", value, "°", detail=words, source="own"), placed
    return Measure("upright", 0.0, "°", detail="The photo is the right way up.", source="own"), faces


def _score(faces: list[Face]) -> float:
    return max(faces, key=lambda each: each.size).score if faces else 0.0


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
