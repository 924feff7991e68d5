"""Which way a face looks: yaw, pitch and roll, from the dense mesh or from a detector's five points.

The convention is that of ISO/IEC 39794-5 (and 19794-5 before it), everywhere in this software. Each angle is a
counter-clockwise turn about an axis of the person, seen from the axis' end:

    yaw      +  looks to their own left, the viewer's right            -  to their own right
    pitch    +  looks down                                             -  looks up
    roll     +  leans to their own right shoulder, the viewer's left   -  to their own left shoulder

Only `Face.roll`, `FaceMesh.roll` and the angles of frames are not poses: they say how far the line through the eyes is
turned in the picture's own coordinates (x right, y down), clockwise, and are the negative of the pose's roll.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..imaging.warp import rotate
from .face import lean_of
from .mesh import PAIRS

if TYPE_CHECKING:
    from .mesh import FaceMesh

FOREHEAD = (10, 151, 9)
NOSE_BASE = (2, 98, 327)
"""Above and below on the middle line, both of them fixed to the skull: the jaw moves neither."""

NEUTRAL_PITCH = 4.0
"""How far the line from forehead to nose base leans, in degrees, in a face that looks at the camera: the mean of those
78 of 100 official portraits whose yaw is below 8 degrees; their standard deviation, 5.8, is mostly real pitch.
`python benchmarks/id_photo/geometry.py` prints both."""


@dataclass(frozen=True)
class Pose:
    """Degrees, 0 for a face that looks straight into the camera, with the signs of ISO/IEC 39794-5 (see above).

    Roll is 0 when both eye centres are level. Yaw and pitch are those of the photo straightened by it.
    """

    yaw: float
    pitch: float
    roll: float


def pose_from_mesh(mesh: FaceMesh) -> Pose:
    """The pose of a face from its 3D points, seen as from far away.

    The points are turned until the eyes are level. Yaw is then that of the line from side to side (the sum over the
    symmetric pairs), pitch that of the line from forehead to nose base in the plane across to it.
    """
    points = mesh.points.astype(np.float64)
    points[:, :2] = rotate(points[:, :2], (0.0, 0.0), -mesh.roll)
    left, right = np.array(PAIRS).T
    across = (points[right] - points[left]).sum(0)
    yaw = np.arctan2(across[2], across[0])
    down = points[list(NOSE_BASE)].mean(0) - points[list(FOREHEAD)].mean(0)
    depth = down[2] * np.cos(yaw) - down[0] * np.sin(yaw)
    pitch = np.degrees(np.arctan2(depth, down[1])) - NEUTRAL_PITCH
    return Pose(float(np.degrees(yaw)), float(pitch), -mesh.roll)


EYES_APART = 0.97
"""Distance of the eyes in a face seen from the front, in eye-to-mouth heights."""

NOSE_DEPTH = 0.494
"""How far the nose tip stands out before the plane of eyes and mouth, in eye-to-mouth heights.

Both were measured: a head that turns by y moves the nose tip by u = NOSE_DEPTH sin y off the middle and narrows the
eyes to e = EYES_APART cos y, so all faces lie on one ellipse in (u, e). Fitted to YuNet's points on 3,000 photos of LFW
it has the half axes 0.494 and 0.959, and on 100 official portraits 0.495 and 0.993.
"""

NOSE_DOWN = 0.575
"""How far down from eyes to mouth the nose tip lies in a level face: the mean of the medians on those photos."""


FRONTAL_WIDTHS = (0.8, 1.28)
"""`width_of` a face in a picture that keeps its proportions lies in here: 0.98 to 1.18 of 40 official portraits, 0.81
to 1.27 of 250 photos of LFW. Squeezed to half their width the detector still reads 0.62 to 0.83 and 0.36 to 0.92."""


def width_of(landmarks: np.ndarray) -> float:
    """How wide a face with `landmarks` [5,2] is, 1 = as faces are; half of it in a picture squeezed to half its width.

    The distance from the middle in units of the ellipse on which a head lies that turns (see `EYES_APART`), so that a
    face that is turned away is no narrow one.
    """
    _, aside, apart = _beside_nose(landmarks)
    return math.hypot(aside / NOSE_DEPTH, apart / EYES_APART)


def _beside_nose(landmarks: np.ndarray) -> tuple[float, float, float]:
    """How far down from eyes to mouth the nose tip lies, how far off their line, how far apart the eyes are: all in
    eye-to-mouth heights of the levelled face."""
    middle = landmarks[:2].mean(0)
    level = rotate(landmarks.astype(np.float64), (float(middle[0]), float(middle[1])), -lean_of(landmarks)) - middle
    mouth = level[3:].mean(0)
    height = max(float(mouth[1]), 1e-6)
    drop = float(level[2, 1]) / height
    return drop, float(level[2, 0] - drop * mouth[0]) / height, float(level[1, 0] - level[0, 0]) / height


def pose_from_points(landmarks: np.ndarray) -> Pose:
    """The pose of a face with `landmarks` [5,2] in pixels (eyes, nose tip, mouth corners; viewer's left first).

    Weak perspective: yaw = atan2(u / NOSE_DEPTH, e / EYES_APART) and pitch = atan((t - NOSE_DOWN) / NOSE_DEPTH) with u
    the nose tip's distance from the line between the middles of eyes and mouth, e the eyes' distance, t the nose tip's
    place between them, all in eye-to-mouth heights of the levelled face. Yaw is good to some 5 degrees for a face
    turned less than 45; beyond that detectors guess the hidden eye.
    """
    drop, aside, apart = _beside_nose(landmarks)
    yaw = math.degrees(math.atan2(aside / NOSE_DEPTH, apart / EYES_APART))
    pitch = math.degrees(math.atan((drop - NOSE_DOWN) / NOSE_DEPTH))
    return Pose(yaw, pitch, -lean_of(landmarks))
