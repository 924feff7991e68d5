"""One photo and what is known of the face in it: found once, and shared by every measure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ..faces.mesh import FaceMesh, find_mesh
from ..faces.subject import one_face
from .aligned_face import AlignedFace, Surroundings, align_face, look_around

if TYPE_CHECKING:
    import torch

    from ..faces.engines import FaceEngine
    from ..faces.face import Face


@dataclass(frozen=True, eq=False)
class Portrait:
    """A photo [H,W,3] in 0..1 with the one face that is looked at.

    faces: all that were found; face: the one. mesh: its dense landmarks. matte: the person [H,W] in 0..1, or None.
    """

    photo: torch.Tensor
    face: Face
    mesh: FaceMesh
    faces: list[Face] = field(default_factory=list)
    matte: torch.Tensor | None = None

    @cached_property
    def aligned(self) -> AlignedFace:
        """The face upright at a fixed size: what photometric measures are defined on."""
        return align_face(self)

    @cached_property
    def surroundings(self) -> Surroundings:
        """The photo round the head, level and small: what background measures are defined on."""
        return look_around(self)


def look_at(
    photo: torch.Tensor, engine: FaceEngine, matte: torch.Tensor | None = None, largest: bool = False
) -> Portrait:
    """Find the face in `photo` [H,W,3]. Raises FaceNotUsable for none, or for several unless `largest`."""
    faces = engine.detect(photo)
    face = one_face(faces, largest)
    return Portrait(photo, face, find_mesh(photo, face), faces, matte)
