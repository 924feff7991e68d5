"""Finds the dense landmarks of one face: 468 points by MediaPipe Face Mesh, lids and irises by MediaPipe Iris.

Both networks want a level close-up. The first is cut by the detector's five points, the second by the mesh itself,
as MediaPipe does from one video frame to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..imaging.sample import sample
from ..imaging.tensors import pixels, planes
from ..models import store
from ..models.litert import Network, network
from ..portrait.framing import Cut, rotate
from .chin import Chin, find_chin

if TYPE_CHECKING:
    import torch

    from .face import Face

MODELS = ("face_mesh", "iris")
"""Their names in the model store."""

CLOSE_UP = 1.5
"""Side of the close-up in sides of the box round the mesh: face_landmark_landmarks_to_roi.pbtxt of MediaPipe."""

FIRST_CLOSE_UP = 4.6
"""Side of the first close-up in eye distances: 1.5 times a face that is about three of them high."""

ROUNDS = 3
"""Close-ups in all: after the third, no point of a clear face moves by more than a hundredth of the eye distance."""

EYE_CLOSE_UP = 2.3
"""Side of an eye's close-up in widths of the eye: iris_landmark_landmarks_to_roi.pbtxt of MediaPipe."""

EYE_CORNERS = ((33, 133), (362, 263))
"""Points of the viewer-left and the viewer-right eye's corners, from left to right."""

LID_POINTS = 16
"""The contour of the lids: 9 points of the lower lid from outer to inner corner, 7 of the upper lid between them."""


@dataclass(frozen=True, eq=False)
class Eye:
    """One eye, in pixels of the photo.

    lids: [16,2], the lower lid's nine points from the outer to the inner corner, then the upper lid's seven between
    them in the same direction. iris: centre (x, y). radius: of the iris.
    """

    lids: np.ndarray
    iris: np.ndarray
    radius: float

    @property
    def centre(self) -> np.ndarray:
        """Half-way between the corners (x, y): what ISO/IEC 39794-5 calls the eye centre. It does not follow a gaze."""
        return (self.lids[0] + self.lids[8]) / 2

    @property
    def width(self) -> float:
        """Corner to corner."""
        return float(np.hypot(*(self.lids[8] - self.lids[0])))


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """The dense landmarks of one face.

    points: [468,3] in MediaPipe's order (x right, y down in pixels of the photo; z away from the camera on the same
    scale, 0 at the head's middle). eyes: viewer-left, viewer-right. presence: the network's certainty that this is a
    face, 0..1. chin: its lower edge, measured in the picture beside the mesh; None where nobody looked.
    """

    points: np.ndarray
    eyes: tuple[Eye, Eye]
    presence: float
    chin: Chin | None = None

    @property
    def eye_distance(self) -> float:
        """Between the eye centres, in pixels."""
        return float(np.hypot(*(self.eyes[1].centre - self.eyes[0].centre)))

    @property
    def roll(self) -> float:
        """How far the eyes are from level, in degrees; positive is clockwise.

        The mean of two lines, through the eye centres and through the irises: lids that hang unevenly disturb the
        first, a dark or hidden iris the second.
        """
        centres = self.eyes[1].centre - self.eyes[0].centre
        irises = self.eyes[1].iris - self.eyes[0].iris
        dx, dy = centres / np.hypot(*centres) + irises / np.hypot(*irises)
        return float(np.degrees(np.arctan2(dy, dx)))


def find_mesh(image: torch.Tensor, face: Face) -> FaceMesh:
    """The dense landmarks of `face` in one picture, `image` [H,W,3] in 0..1.

    Raises ModelMissing where the networks cannot be had, DependencyMissing without ai-edge-litert.
    """
    mesh, iris = (network(path) for path in store.paths(*MODELS))
    photo = planes(image[None])
    middle = face.landmarks[:3].mean(0)
    span = np.hypot(*(face.landmarks[3:5].mean(0) - face.landmarks[:2].mean(0)))
    side = FIRST_CLOSE_UP * max(face.eye_distance, float(span) / 1.155)
    points, presence = _mesh(photo, mesh, middle, side, face.roll)
    for _ in range(ROUNDS - 1):
        across = points[263, :2] - points[33, :2]
        roll = float(np.degrees(np.arctan2(across[1], across[0])))
        level = rotate(points[:, :2].astype(np.float64), (0.0, 0.0), -roll)
        low, high = level.min(0), level.max(0)
        centre = rotate(((low + high) / 2)[None], (0.0, 0.0), roll)[0]
        points, presence = _mesh(photo, mesh, centre, CLOSE_UP * float((high - low).max()), roll)
    eyes = (
        _eye(photo, iris, points, EYE_CORNERS[0], mirrored=False),
        _eye(photo, iris, points, EYE_CORNERS[1], mirrored=True),
    )
    found = FaceMesh(points, eyes, presence)
    middle = (eyes[0].centre + eyes[1].centre) / 2
    return replace(found, chin=find_chin(photo, points, middle, found.eye_distance, found.roll))


def _mesh(photo: torch.Tensor, net: Network, centre: np.ndarray, side: float, roll: float) -> tuple[np.ndarray, float]:
    cut, close = _close_up(photo, net.side, centre, side, roll)
    found = net(close)
    (raw,) = (value for value in found.values() if value.size == 468 * 3)
    (logit,) = (value for value in found.values() if value.size == 1)
    points = raw.reshape(468, 3).astype(np.float64)
    spots = cut.to_photo((points[:, :2] / net.side - 0.5) * side + [cut.x, cut.y])
    depth = points[:, 2:] * side / net.side
    return np.hstack([spots, depth]).astype(np.float32), float(1 / (1 + np.exp(-logit.item())))


def _eye(photo: torch.Tensor, net: Network, points: np.ndarray, corners: tuple[int, int], mirrored: bool) -> Eye:
    """The network knows the viewer-left eye; the other one is shown to it mirrored."""
    first, last = points[list(corners), :2].astype(np.float64)
    across = last - first
    side = EYE_CLOSE_UP * float(np.hypot(*across))
    roll = float(np.degrees(np.arctan2(across[1], across[0])))
    cut, close = _close_up(photo, net.side, (first + last) / 2, side, roll)
    found = net(close[:, :, ::-1] if mirrored else close)

    def spots(name: str, count: int) -> np.ndarray:
        flat = found[name].reshape(-1, 3)[:count, :2].astype(np.float64) / net.side - 0.5
        if mirrored:
            flat[:, 0] = -flat[:, 0]
        return cut.to_photo(flat * side + [cut.x, cut.y])

    iris = spots("output_iris", 5)
    radius = float(np.hypot(*(iris[1:] - iris[0]).T).mean())
    return Eye(spots("output_eyes_contours_and_brows", LID_POINTS), iris[0], radius)


def _close_up(
    photo: torch.Tensor, pixels_wide: int, centre: np.ndarray, side: float, roll: float
) -> tuple[Cut, np.ndarray]:
    """A level square of the photo as [1,side,side,3], and how its places become places of the photo."""
    x, y = rotate(centre[None].astype(np.float64), (0.0, 0.0), -roll)[0]
    cut = Cut(float(x), float(y), side, side, (0.0, 0.0), roll)
    return cut, pixels(sample(photo, cut, pixels_wide, pixels_wide)[0]).numpy()
