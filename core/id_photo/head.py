"""Where the head is: eyes, chin, crown and top of the hair in a level frame, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..faces.points import CHIN, LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS, spots
from ..faces.pose import pose_of
from ..portrait.framing import rotate
from .crown import TOP_SIGMA, crown_from_face, crown_under_hair
from .document import HeadTop
from .hair import hair_top

if TYPE_CHECKING:
    import torch

    from ..faces.face import Face
    from ..faces.mesh import FaceMesh

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
    pose, unit, frontal = pose_of(mesh), mesh.eye_distance, frontal_unit(mesh)
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
