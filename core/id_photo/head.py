"""Where the head is: eyes, chin, crown of the skull and top of the hair in a level frame, and how sure that is.

Lengths are in eye distances of the face seen from the front (63 mm in adults, Dodgson 2004), heights are above the
eye line. Both ways err, differently, and are weighed by their errors; the answer comes with its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..faces.mesh import CHIN, LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS, spots
from ..faces.pose import pose_from_mesh
from ..imaging.warp import rotate
from .document import HeadTop

if TYPE_CHECKING:
    import torch

    from ..faces.face import Face
    from ..faces.mesh import FaceMesh

SKULL, PER_DEGREE, SKULL_SIGMA = 1.74, 0.018, 0.12
"""The crown's height in a face that looks at the camera, what each degree of pitch adds (looking down brings the top
of the head, which lies behind the eyes, into view), and the standard deviation of what remains. Least squares on 44
bald or close-cropped heads of official portraits (26 and 18), none of them in the reference that the engine is
measured with: the tops were read by hand. `python benchmarks/id_photo/geometry.py` prints how they do on nine bald
heads there. They are men; women's heads are taken to have the same proportions."""

HAIR, HAIR_SIGMA = 0.235, 0.10
"""How thick hair lies on top, 15 mm, and how that differs between people: the mean and, after SKULL_SIGMA is taken
out, the standard deviation on 84 portraits of people with hair."""

BARE, BARE_SIGMA, BARE_SHARE = 0.01, 0.02, 0.12
"""The same for bald heads, and how many heads are bald: 12 of 100 portraits, with the nearly bald."""

TOP_SIGMA = 0.04
"""Standard error of the hair's top as a matte shows it."""


@dataclass(frozen=True)
class Crown:
    """Height above the eye line and its standard error, in eye distances of the face seen from the front."""

    height: float
    sigma: float


def crown_from_face(pitch: float) -> Crown:
    """By proportions alone; `pitch` in degrees, positive looking down."""
    return Crown(SKULL + PER_DEGREE * float(np.clip(pitch, -25, 25)), SKULL_SIGMA)


def crown_under_hair(face: Crown, top: float) -> Crown:
    """What the top of the hair at height `top` adds to what the `face` says.

    A mixture of two cases, hair and none. In each of them both estimates are weighed by their errors; the cases are
    weighed by how well the two estimates agree. The crown is never above the hair.
    """
    cases = []
    for share, thickness, sigma in ((1 - BARE_SHARE, HAIR, HAIR_SIGMA), (BARE_SHARE, BARE, BARE_SIGMA)):
        below = float(np.hypot(sigma, TOP_SIGMA))
        apart, spread = top - thickness - face.height, float(np.hypot(below, face.sigma))
        weight = share * np.exp(-0.5 * (apart / spread) ** 2) / spread
        height = face.height + apart * (face.sigma / spread) ** 2
        cases.append((weight, min(height, top), below * face.sigma / spread))
    weights, heights, sigmas = np.array(cases).T
    if weights.sum() <= 0:
        return Crown(min(face.height, top), face.sigma)
    weights = weights / weights.sum()
    height = float(weights @ heights)
    return Crown(height, float(np.sqrt(weights @ (sigmas**2 + (heights - height) ** 2))))


HIGHEST = 4.0
"""Highest place that is looked at, in eye distances above the eye line: enough for a tall hat."""

BESIDE = 1.4
"""How far to both sides of the face's middle line is looked."""

LOWEST = 0.3
"""From here on upwards the head is followed, in eye distances above the eye line: from the brows."""

STEP = 0.0125
COLUMN = 0.05
"""Distance of rows and columns, in eye distances."""

COVERED = 0.5
"""From this alpha on a place belongs to the person."""

NARROWEST = 0.35
"""The first row in which the head is this wide is looked for, in eye distances: single strands are narrower."""

CAP = 0.014
"""How far a head goes on above a row of that width: the height of that segment of a circle of radius 1.1."""


@dataclass(frozen=True)
class HairTop:
    """Height above the eye line in pixels. `cut_off`: the photo ends there, and the hair perhaps does not."""

    height: float
    cut_off: bool


def hair_top(
    matte: torch.Tensor, pivot: tuple[float, float], roll: float, unit: float, scale: float = 1.0
) -> HairTop | None:
    """The top of what `matte` [h,w] covers above the eyes, followed upwards from the forehead without a gap.

    `pivot` is half-way between the eyes and `unit` their distance, in pixels of the photo; `scale` is pixels of the
    matte per pixel of the photo. A hat is taken for hair, and so is a hand that lies on the head. None where the
    matte does not cover the face.
    """
    xs, ys = np.arange(-BESIDE, BESIDE + COLUMN / 2, COLUMN), np.arange(0.0, HIGHEST, STEP)
    covered, border = _look(matte, xs * unit, -ys * unit, pivot, roll, scale)
    run = covered[: round(1 / STEP)].any(0)
    least, last = round(NARROWEST / COLUMN), 0
    if run.sum() < least:
        return None
    at_border = np.zeros(len(xs), dtype=bool)
    for row in range(round(LOWEST / STEP), len(ys)):
        run = _longest(covered[row], np.convolve(run, np.ones(3), mode="same") > 0)
        at_border |= run & border[row]
        if run.sum() < least:
            break
        last = row
    if last == 0:
        return None
    cut_off = bool(at_border.sum() >= least)
    return HairTop((float(ys[last]) + (0.0 if cut_off else CAP)) * unit, cut_off)


def _longest(covered: np.ndarray, near: np.ndarray) -> np.ndarray:
    """The longest run of covered places among those that touch `near`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], covered.astype(np.int8), [0]])))
    best = np.zeros(len(covered), dtype=bool)
    for first, end in edges.reshape(-1, 2):
        if near[first:end].any() and end - first > best.sum():
            best[:] = False
            best[first:end] = True
    return best


def _look(
    matte: torch.Tensor, xs: np.ndarray, ys: np.ndarray, pivot: tuple[float, float], roll: float, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where the matte covers the places (x, y) about `pivot`, [len(ys),len(xs)], and where the photo's top edge is."""
    grid = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2) + np.array(pivot)
    columns, rows = np.floor(rotate(grid, pivot, roll) * scale).astype(int).T
    height, width = matte.shape
    known = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    values = np.zeros(len(known), dtype=bool)
    values[known] = matte.detach().cpu().numpy()[rows[known], columns[known]] > COVERED
    border = known & (rows <= abs(float(ys[1] - ys[0])) * scale)
    return values.reshape(len(ys), len(xs)), border.reshape(len(ys), len(xs))


MESH_CHIN_OFFSET, MESH_CHIN_SIGMA = 0.024, 0.07
"""Where nobody looked for the chin in the picture: how far it lies below the mesh's, in eye distances, on average."""

FRONTAL_YAW, SIGMA_PER_DEGREE = 15.0, 0.012
"""A face turned by more degrees than the first hides its chin: each degree adds to the standard error, in eye
distances."""

CUT_OFF_SIGMA = 0.25
"""Standard error of the top of hair that the photo cuts off, in eye distances."""

LOWEST_TOP = 2.5
"""A top of the hair that is lower than the skull is expected by more of its standard errors shows a mask that lost the
hair, as dark hair before a dark wall is lost. It is left aside."""


@dataclass(frozen=True)
class Head:
    """A head in level coordinates: pixels of the photo, turned about `pivot` by -`roll`, so that the eyes are level.

    `pivot` is half-way between the eye centres (x, y), the same in both frames. `roll` is degrees, clockwise. `eyes`,
    `chin`, `crown` and `hair` are heights (y, down); `hair` is None where nothing shows it (no matte, or one without
    the hair), `centre` is the x of the head's middle line at eye level. `unit` is the distance between the eye
    centres. The `_sigma` are standard errors in pixels. `cut_off`: the photo's edge cuts the top of the head, and
    `hair` is that edge.
    """

    pivot: tuple[float, float]
    roll: float
    centre: float
    eyes: float
    chin: float
    crown: float
    hair: float | None
    unit: float
    chin_sigma: float
    crown_sigma: float
    hair_sigma: float
    cut_off: bool = False

    def top(self, which: HeadTop) -> tuple[float, float]:
        """The height of the head's top as a document means it, and its standard error, in level pixels."""
        if which is HeadTop.HAIR and self.hair is not None:
            return self.hair, self.hair_sigma
        return self.crown, self.crown_sigma

    def to_photo(self, points: np.ndarray) -> np.ndarray:
        """Level coordinates [N,2] as pixels of the photo."""
        return rotate(points, self.pivot, self.roll)


def find_head(face: Face, mesh: FaceMesh, matte: torch.Tensor | None, scale: float = 1.0) -> Head:
    """The head of `face`, from its mesh and the person's MASK `matte` [h,w], where there is one.

    `scale`: pixels of the matte per pixel of the photo, for a matte that is smaller than it.
    """
    middle = (mesh.eyes[0].centre + mesh.eyes[1].centre) / 2
    pivot = (float(middle[0]), float(middle[1]))
    pose, unit, frontal = pose_from_mesh(mesh), mesh.eye_distance, frontal_unit(mesh)
    chin, chin_sigma = _chin(mesh, pivot)
    turned = max(0.0, abs(pose.yaw) - FRONTAL_YAW) * SIGMA_PER_DEGREE * frontal
    hair = None if matte is None else hair_top(matte, pivot, mesh.roll, unit, scale)
    crown = crown_from_face(pose.pitch)
    if hair is not None and hair.height / frontal < crown.height - LOWEST_TOP * crown.sigma and not hair.cut_off:
        hair = None
    if hair is not None and not hair.cut_off:
        crown = crown_under_hair(crown, hair.height / frontal)
    return Head(
        pivot=pivot,
        roll=mesh.roll,
        centre=pivot[0],
        eyes=pivot[1],
        chin=chin,
        crown=pivot[1] - crown.height * frontal,
        hair=None if hair is None else pivot[1] - hair.height,
        unit=unit,
        chin_sigma=float(np.hypot(chin_sigma, turned)),
        crown_sigma=float(np.hypot(crown.sigma * frontal, turned)),
        hair_sigma=(CUT_OFF_SIGMA if hair is None or hair.cut_off else TOP_SIGMA) * unit,
        cut_off=hair is not None and hair.cut_off,
    )


def frontal_unit(mesh: FaceMesh) -> float:
    """The distance between the eyes in space, in pixels: what it would be if the face looked at the camera."""
    points = mesh.points.astype(np.float64)
    left, right = spots(points, LEFT_EYE_CORNERS).mean(0), spots(points, RIGHT_EYE_CORNERS).mean(0)
    return float(np.linalg.norm(right - left))


def _chin(mesh: FaceMesh, pivot: tuple[float, float]) -> tuple[float, float]:
    """The chin's level height and its standard error."""
    if mesh.chin is not None:
        return float(rotate(mesh.chin.place[None], pivot, -mesh.roll)[0, 1]), mesh.chin.sigma
    spot = rotate(mesh.points[CHIN, :2].astype(np.float64)[None], pivot, -mesh.roll)[0, 1]
    return float(spot) + MESH_CHIN_OFFSET * mesh.eye_distance, MESH_CHIN_SIGMA * mesh.eye_distance
