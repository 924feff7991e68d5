"""One photo and what is known of the face in it: found once, and shared by every measure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..face_mesh.mesh import FaceMesh, find_mesh
from ..portrait.subject import one_face

if TYPE_CHECKING:
    import torch

    from ..identity.engines import FaceEngine
    from ..identity.faces import Face


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


def look_at(
    photo: torch.Tensor, engine: FaceEngine, matte: torch.Tensor | None = None, largest: bool = False
) -> Portrait:
    """Find the face in `photo` [H,W,3]. Raises FaceNotUsable for none, or for several unless `largest`."""
    faces = engine.detect(photo)
    face = one_face(faces, largest)
    return Portrait(photo, face, find_mesh(photo, face), faces, matte)
