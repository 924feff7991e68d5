"""Which way a face looks: yaw, pitch and roll, from the parts of its mesh that an expression does not move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..portrait.framing import rotate
from .points import PAIRS

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
    """Degrees, 0 for a face that looks straight into the camera, with the signs of ISO/IEC 39794-5.

    yaw: positive when the person looks to their own left (the viewer's right). pitch: positive when they look down.
    roll: positive when the head leans to their own right shoulder (counter-clockwise for the viewer): the negative of
    `FaceMesh.roll`, 0 when both eye centres are level. Yaw and pitch are those of the photo straightened by it.
    """

    yaw: float
    pitch: float
    roll: float


def pose_of(mesh: FaceMesh) -> Pose:
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
