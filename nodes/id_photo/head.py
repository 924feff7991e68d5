"""Where the head is: eyes, chin, crown and top of the hair in a level frame, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..portrait.frame import measure_head, rotate
from .document import HeadTop

if TYPE_CHECKING:
    import torch

    from ..face_mesh.mesh import FaceMesh
    from ..identity.faces import Face

CHIN = 152
"""The mesh's point at the lowest place of the chin (menton)."""


@dataclass(frozen=True)
class Head:
    """A head in level coordinates: pixels of the photo, turned about `pivot` by -`roll`, so that the eyes are level.

    `pivot` is half-way between the eye centres (x, y), the same in both frames. `roll` is degrees, clockwise. `eyes`,
    `chin`, `crown` and `hair` are heights (y, down); `hair` is None where nothing shows it (no matte), `centre` is the
    x of the head's middle line at eye level. `unit` is the distance between the eye centres. The `_sigma` are standard
    errors in pixels. `cut_off`: the photo's edge cuts the top of the head.
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


def find_head(face: Face, mesh: FaceMesh, matte: torch.Tensor | None) -> Head:
    """The head of `face`, from its mesh and the person's MASK `matte` [H,W], where there is one."""
    middle = (mesh.eyes[0].centre + mesh.eyes[1].centre) / 2
    pivot = (float(middle[0]), float(middle[1]))
    level = rotate(mesh.points[:, :2].astype(np.float64), pivot, -mesh.roll)
    mask = None if matte is None else matte.numpy()
    rough = measure_head(face.landmarks, mask, 1.0, straighten=True)
    unit = mesh.eye_distance
    return Head(
        pivot=pivot,
        roll=mesh.roll,
        centre=pivot[0],
        eyes=pivot[1],
        chin=float(level[CHIN, 1]),
        crown=2 * pivot[1] - float(level[CHIN, 1]),
        hair=rough.crown if matte is not None else None,
        unit=unit,
        chin_sigma=0.05 * unit,
        crown_sigma=0.15 * unit,
        hair_sigma=0.05 * unit,
    )
