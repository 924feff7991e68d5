"""Where the head is in a photo that is framed, from five face points and a matte: hair, outline, and body's end."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..faces.anthropometry import EYE_TO_CHIN, EYE_TO_CROWN, EYE_TO_MOUTH, frontal_eye_distance
from ..faces.face import lean_of
from ..imaging.warp import rotate

HAIR = 0.2
"""Hair above the skull, in eye distances, where no matte shows it: 13 mm."""

TALLEST_HAIR = 4.0
"""Highest point of hair or hat that is looked for, in eye distances above the eye line."""

LARGEST_TURN = 5.0
"""Degrees by which a picture is turned to level the eyes, at most: a head that leans further is a pose, and a body
that stands upright would lean when the head does not."""

HEAD_PULL = 0.5
"""How far the frame's middle follows the middle of the whole head instead of the face, for a head that is turned."""


FACE_WIDTH = 2.2
"""Width of a face at the cheekbones, in eye distances: 140 by 63 mm (Gordon et al., ANSUR 1988; Dodgson 2004)."""

NO_POINTS = np.zeros((0, 2))


@dataclass(frozen=True)
class Head:
    """A head in level coordinates (x, y in pixels of the photo, turned about `pivot` by `angle` degrees).

    `centre` is where the frame is centred, `eyes`, `chin` and `crown` are heights, `unit` is the eye distance of the
    face seen from the front.
    """

    pivot: tuple[float, float]
    angle: float
    centre: float
    eyes: float
    chin: float
    crown: float
    unit: float


def measure_head(landmarks: np.ndarray, mask: np.ndarray | None, scale: float, straighten: float = 1.0) -> Head:
    """Find the head from landmarks [5,2] in pixels and, for the top of the hair, from a matte if there is one.

    `mask` is [h,w], the matte of the photo shrunk by `scale` (0..1). `straighten`: the share of the lean that is taken
    away, 0..1, within LARGEST_TURN.
    """
    eyes = landmarks[:2].mean(0)
    pivot = (float(eyes[0]), float(eyes[1]))
    across = landmarks[1] - landmarks[0]
    angle = float(np.clip(lean_of(landmarks), -LARGEST_TURN, LARGEST_TURN)) * straighten
    level = rotate(landmarks.astype(np.float64), pivot, -angle)
    mouth = level[3:5].mean(0)
    down = math.hypot(mouth[0] - pivot[0], mouth[1] - pivot[1])
    unit = frontal_eye_distance(float(np.hypot(*across)), down)
    centre, crown = float(pivot[0] + mouth[0]) / 2, None
    if mask is not None:
        crown = _hair_top(mask, scale, pivot, angle, unit)
        centre += HEAD_PULL * _head_offset(mask, scale, pivot, angle, unit)
    return Head(
        pivot=pivot,
        angle=angle,
        centre=centre,
        eyes=pivot[1],
        chin=pivot[1] + EYE_TO_CHIN * unit,
        crown=crown if crown is not None else pivot[1] - (EYE_TO_CROWN + HAIR) * unit,
        unit=unit,
    )


def _hair_top(mask: np.ndarray, scale: float, pivot: tuple[float, float], angle: float, unit: float) -> float | None:
    """Height of the matte's top above the face, in level coordinates, or None where the matte does not cover it."""
    ys = np.linspace(-TALLEST_HAIR, 0.0, 161)
    values = _look(mask, scale, pivot, angle, unit, np.linspace(-1.1, 1.1, 23), ys)
    covered = (values > 0.5).mean(1) > 0.08
    if not covered[-8:].any():
        return None
    gaps = np.flatnonzero(~covered)
    first = int(gaps[-1]) + 1 if len(gaps) else 0
    return pivot[1] + min(float(ys[min(first, len(ys) - 1)]), -1.2) * unit


def _head_offset(mask: np.ndarray, scale: float, pivot: tuple[float, float], angle: float, unit: float) -> float:
    """How far the middle of the head's matte, between brow and mouth, lies beside the eye centre, in pixels."""
    xs = np.linspace(-2.2, 2.2, 89)
    weight = _look(mask, scale, pivot, angle, unit, xs, np.linspace(-1.0, 0.6, 17)).sum(0)
    if weight.sum() <= 0:
        return 0.0
    return float(np.clip((weight * xs).sum() / weight.sum(), -0.6, 0.6)) * unit


def _look(
    mask: np.ndarray,
    scale: float,
    pivot: tuple[float, float],
    angle: float,
    unit: float,
    xs: np.ndarray,
    ys: np.ndarray,
) -> np.ndarray:
    """The matte [len(ys),len(xs)] at places given in eye distances from the eye centre; 0 outside the photo."""
    grid = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2) * unit + np.array(pivot)
    spots = np.floor(rotate(grid, pivot, angle) * scale).astype(int)
    height, width = mask.shape
    known = (spots[:, 0] >= 0) & (spots[:, 0] < width) & (spots[:, 1] >= 0) & (spots[:, 1] < height)
    values = np.zeros(len(spots), dtype=np.float32)
    values[known] = mask[spots[known, 1], spots[known, 0]]
    return values.reshape(len(ys), len(xs))


NECK = 0.45
"""Half the width round the middle in which a body is looked for below the chin, in eye distances: a neck's."""


def _levelled(head: Head, matte: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Places [N,2] of the matte's covered pixels in level coordinates, and in pixels of the photo."""
    rows, columns = np.nonzero(matte > 0.5)
    spots = (np.stack([columns, rows], 1) + 0.5) * block
    return rotate(spots, head.pivot, -head.angle), spots


def head_outline(head: Head, matte: np.ndarray, block: int) -> np.ndarray:
    """Points [N,2] in pixels of the photo of the head's outline in its matte [h,w], from the crown to the mouth.

    Lower down shoulders stand beside the chin of many people, and a frame may cut those.
    What lies further beside the face than a head is long is not the head: a raised hand, another person.
    """
    level, spots = _levelled(head, matte, block)
    reach = 0.7 * (head.chin - head.crown)
    mouth = head.eyes + EYE_TO_MOUTH * head.unit
    near = (level[:, 1] < mouth) & (np.abs(level[:, 0] - head.centre) < reach)
    level, spots = level[near], spots[near]
    rows = np.floor((level[:, 1] - level[:, 1].min()) / (2 * block)).astype(int) if len(level) else []
    found = []
    for row in np.unique(rows):
        members = np.flatnonzero(rows == row)
        found += [members[level[members, 0].argmin()], members[level[members, 0].argmax()]]
    return spots[found]


def body_end(head: Head, matte: np.ndarray, block: int) -> np.ndarray:
    """Points [N,2] in pixels of the photo where the matte [h,w] ends below the chin before the photo does.

    A network that loses a dark suit leaves a head and a neck: a frame that goes on below shows them in mid-air.
    """
    level, spots = _levelled(head, matte, block)
    below = (np.abs(level[:, 0] - head.pivot[0]) < NECK * head.unit) & (level[:, 1] > head.eyes)
    if not below.any():
        return NO_POINTS
    lowest = spots[below][level[below, 1].argmax()]
    height, width = matte.shape[0] * block, matte.shape[1] * block
    edge = 0.02 * height
    if lowest[1] > height - edge or not edge < lowest[0] < width - edge:
        return NO_POINTS
    across = np.linspace(-FACE_WIDTH, FACE_WIDTH, 9)[:, None] * [head.unit / 2, 0.0]
    return lowest + across
