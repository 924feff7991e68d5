"""The one face that a portrait step works on, or a clear reason why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import FaceNotUsable

if TYPE_CHECKING:
    from ..identity.faces import Face


def one_face(faces: list[Face], largest: bool, picture: int = 0) -> Face:
    """The only face, or with `largest` the largest one. Raises FaceNotUsable for none, or several without `largest`."""
    if not faces:
        raise FaceNotUsable(f"Picture {picture} has no face; give a photo in which the face is seen from the front.")
    if len(faces) > 1 and not largest:
        raise FaceNotUsable(
            f"Picture {picture} has {len(faces)} faces; crop it to one person or choose several_faces = largest."
        )
    return max(faces, key=lambda face: face.size)
