"""Dense landmarks of one face: 468 points by MediaPipe Face Mesh, lids and irises by MediaPipe Iris, chin by its edge.

The numbering is MediaPipe Face Mesh's. Left and right are the viewer's, as in the photo. Contours run from the
viewer's left to the viewer's right, those of eyes and brows from the outer to the inner end.

The mesh's chin is off by 7 % of the eye distance (one standard deviation), mostly in faces that smile or look up.
Under a chin the skin darkens towards the neck, and that darkening has a typical course: it is searched along the jaw.

Both networks want a level close-up. The first is cut by the detector's five points, the second by the mesh itself,
as MediaPipe does from one video frame to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..imaging.tensors import pixels, planes
from ..imaging.warp import Cut, rotate, sample
from ..models import store
from ..models.runtimes import Network, network
from ..node_facts import MESH

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from .face import Face

FOREHEAD_TOP = 10
"""The highest point of the middle line: about the hairline."""

GLABELLA = 9
"""Between the brows."""

SUBNASALE = 2
"""Where the nose meets the upper lip."""

UPPER_LIP, LOWER_LIP = 13, 14
"""Middle of the lips' inner edges: they touch when the mouth is closed."""

CHIN = 152
"""The lowest place of the chin (menton)."""

MIDDLE = (
    *(10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164),
    *(0, 11, 12, 13, 14, 15, 16, 17, 18, 200, 199, 175, 152),
)
"""The middle line from the hairline to the chin."""

NOSTRILS = (129, 98, 97, 2, 326, 327, 358)
"""Under the nose, from wing to wing."""

MOUTH_CORNERS = (61, 291)
UPPER_LIP_OUTSIDE = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_LIP_OUTSIDE = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
UPPER_LIP_INSIDE = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP_INSIDE = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)

LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS = (33, 133), (263, 362)
"""Outer and inner corner."""

EYE_CORNERS = (LEFT_EYE_CORNERS, (RIGHT_EYE_CORNERS[1], RIGHT_EYE_CORNERS[0]))
"""Those of the viewer-left and of the viewer-right eye, from left to right."""

OUTER_EYE_CORNERS = (LEFT_EYE_CORNERS[0], RIGHT_EYE_CORNERS[0])
NOSE_TIP = 4

LEFT_BROW_TOP, LEFT_BROW_BOTTOM = (70, 63, 105, 66, 107), (46, 53, 52, 65, 55)
RIGHT_BROW_TOP, RIGHT_BROW_BOTTOM = (300, 293, 334, 296, 336), (276, 283, 282, 295, 285)

LEFT_CHEEK, RIGHT_CHEEK = (50, 205, 187, 123, 117, 118, 101, 36), (280, 425, 411, 352, 346, 347, 330, 266)
"""A ring on each cheek, between the eye's hollow, the nose and the mouth's corner."""

LEFT_SIDE, RIGHT_SIDE = 234, 454
"""The outline at the height of the cheekbones: in front of the ears."""

OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The face's outline, clockwise from the hairline: closed, from the last point back to the first."""

PAIRS = (
    *((33, 263), (133, 362), (127, 356), (162, 389), (234, 454), (54, 284), (103, 332), (21, 251)),
    *((129, 358), (98, 327), (116, 345), (123, 352), (143, 372), (35, 265), (122, 351), (193, 417)),
)
"""Points that lie opposite each other on both halves of the face, and that neither the jaw nor the lips move."""


def spots(points: np.ndarray, which: Sequence[int]) -> np.ndarray:
    """The points of one group, [N,3] or [N,2], out of all `points` [468,3] or [468,2]."""
    return points[list(which)]


def area(contour: np.ndarray) -> float:
    """The area inside a closed contour [N,2] (more columns are ignored), in square pixels: the shoelace formula."""
    x, y = contour[:, 0].astype(np.float64), contour[:, 1].astype(np.float64)
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


JAW = (149, 176, 148, 152, 377, 400, 378)
"""The outline on both sides of the chin: its curve is the shape of the edge that is searched."""

STEP = 0.01
"""Rows and columns that are looked at lie this far apart, in eye distances; all numbers below count in this unit."""

ABOVE, BELOW, BESIDE = 30, 40, 20
"""How far from the mesh's chin the picture is looked at."""

BLUR = 1.5
"""Standard deviation of the Gaussian whose derivative finds edges."""

COURSE = np.array(
    [
        *(-0.37, -0.41, -0.45, -0.49, -0.53, -0.56, -0.6, -0.65, -0.69, -0.72, -0.74, -0.73, -0.72, -0.68, -0.6),
        *(-0.48, -0.34, -0.21, -0.1, -0.03, 0.03, 0.08, 0.12, 0.14, 0.15, 0.16, 0.17, 0.18, 0.19),
    ]
)
"""The slope of the red channel from row to row across a chin's edge, in parts of the steepest slope seen: what lies
above the edge first. Mean of 43 portraits, every second one of the reference: `python benchmarks/id_photo/geometry.py
--fit` prints this and the next three."""

MISFIT = 1.50
"""How the squared distance from the course counts in a logarithmic chance."""

OFFSET, OFFSET_SIGMA = 2.4, 6.6
"""Where the edge lies below the mesh's chin, before anybody looked, and the standard deviation of that."""

LEAST_SIGMA = 3.5
"""The standard error where the edge is clear: how far such edges lay from those that were read by hand."""

REACH = len(COURSE) // 2


@dataclass(frozen=True, eq=False)
class Chin:
    """Where the chin ends (menton): (x, y) in pixels of the photo, and its standard error along the face's axis."""

    place: np.ndarray
    sigma: float


def find_chin(photo: torch.Tensor, points: np.ndarray, middle: np.ndarray, unit: float, roll: float) -> Chin:
    """The chin in `photo` [1,3,H,W] of a face with mesh `points` [468,3].

    `middle` is half-way between the eyes (x, y), `unit` their distance in pixels, `roll` in degrees, clockwise.
    """
    pivot = (float(middle[0]), float(middle[1]))
    level = rotate(points[:, :2].astype(np.float64), pivot, -roll)
    chance = _chances(slopes(photo, level, pivot, unit, roll))
    rows = _rows()
    below = float(chance @ rows)
    spread = float(np.sqrt(chance @ (rows - below) ** 2))
    spot = level[CHIN] + [0.0, below * STEP * unit]
    return Chin(rotate(spot[None], pivot, roll)[0], float(np.hypot(spread, LEAST_SIGMA)) * STEP * unit)


def slopes(photo: torch.Tensor, level: np.ndarray, pivot: tuple[float, float], unit: float, roll: float) -> np.ndarray:
    """How the red channel changes from row to row [ABOVE + BELOW], across curves parallel to the jaw, -1..1.

    `level` [468,2] are the mesh's points turned about `pivot` by -`roll`.
    """
    x, y = level[CHIN]
    jaw = (level[list(JAW)] - [x, y]) / (STEP * unit)
    columns = np.arange(-BESIDE, BESIDE + 1)
    curve = np.polyval(np.polyfit(jaw[:, 0], jaw[:, 1], 2)[:2], columns) * columns
    rows = np.arange(-ABOVE - BESIDE, BELOW + BESIDE)
    tall, wide = len(rows) * STEP * unit, len(columns) * STEP * unit
    cut = Cut(float(x), float(y + (rows[0] + rows[-1]) / 2 * STEP * unit), wide, tall, pivot, roll)
    red = sample(photo[:, :1], cut, len(rows), len(columns))[0][0, 0].numpy().astype(np.float64)
    wanted = np.arange(-ABOVE, BELOW)
    along = [np.interp(wanted + shift, rows, red[:, column]) for column, shift in enumerate(curve)]
    slope = np.convolve(np.pad(np.mean(along, 0), 6, mode="edge"), _edge_filter(), mode="valid")
    return slope / max(float(np.abs(slope).max()), 1e-6)


def _edge_filter() -> np.ndarray:
    """The derivative of a Gaussian, turned round for a convolution."""
    at = np.arange(-6, 7)
    bell = np.exp(-0.5 * (at / BLUR) ** 2)
    return -at * bell / (bell * at * at).sum()


def _rows() -> np.ndarray:
    """The rows at which the course fits into what is looked at."""
    return np.arange(-ABOVE, BELOW)[REACH:-REACH]


def _chances(slope: np.ndarray) -> np.ndarray:
    """For each of `_rows`, how likely the chin ends there; they sum to 1."""
    windows = np.lib.stride_tricks.sliding_window_view(slope, len(COURSE))
    logarithm = -MISFIT * ((windows - COURSE) ** 2).sum(1) - 0.5 * ((_rows() - OFFSET) / OFFSET_SIGMA) ** 2
    chance = np.exp(logarithm - logarithm.max())
    return chance / chance.sum()


CLOSE_UP = 1.5
"""Side of the close-up in sides of the box round the mesh: face_landmark_landmarks_to_roi.pbtxt of MediaPipe."""

FIRST_CLOSE_UP = 4.6
"""Side of the first close-up in eye distances: 1.5 times a face that is about three of them high."""

ROUNDS = 3
"""Close-ups in all: after the third, no point of a clear face moves by more than a hundredth of the eye distance."""

EYE_CLOSE_UP = 2.3
"""Side of an eye's close-up in widths of the eye: iris_landmark_landmarks_to_roi.pbtxt of MediaPipe."""

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
    mesh, iris = (network(path) for path in store.paths(*MESH))
    photo = planes(image[None])
    middle = face.landmarks[:3].mean(0)
    points, presence = _mesh(photo, mesh, middle, FIRST_CLOSE_UP * face.frontal_eye_distance, face.roll)
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
