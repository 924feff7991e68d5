"""What the check node and the check command do alike: the person's matte, the overlay, the models that were used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..faces.annotate import BAD, GOOD, UNKNOWN, annotate
from ..imaging.photos import from_pil, to_pil
from .overlay import draw_overlay

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from PIL import Image

    from ..faces.engines import FaceEngine
    from ..quality.usable_photo import Usability
    from .compliance import Compliance


def matte_of(photo: torch.Tensor, given: torch.Tensor | None, model: str | None) -> torch.Tensor | None:
    """The person's MASK [H,W] for `photo` [H,W,3]: the given one in the photo's size, else that of the network `model`.

    None where neither is to be had. Raises ModelMissing.
    """
    from ..imaging.tensors import planes, resize

    if given is not None:
        return resize(planes(given[None]), *photo.shape[:2])[0, 0]
    if model is None:
        return None
    from ..models import runtimes as onnx
    from ..models import store
    from ..portrait.matte import matte, normalisation_for

    return matte(photo[None], onnx.session(store.path(model)), normalisation_for(model))[0]


def overlay_of(photo: torch.Tensor, found: Compliance) -> Image.Image:
    """The measured lines on the photo; where there is no head to measure, the faces that were found.

    A photo that is still to be cut has its lines and no bands: where they lie says nothing yet.
    """
    if found.head is not None and len(found.faces) == 1:
        return to_pil(draw_overlay(photo, found.head, None if found.uncut else found.document))
    words = "no face" if not found.faces else "turned" if len(found.faces) == 1 else f"{len(found.faces)} faces"
    picture = photo
    for face in found.faces:
        picture = from_pil(annotate(picture, face, words, BAD))[0]
    return to_pil(picture) if found.faces else annotate(photo, None, words, BAD)


def marked(picture: torch.Tensor, found: Usability) -> Image.Image:
    """The photo with its faces and a word of the verdict."""
    word, colour = ("usable", GOOD) if found.usable else ("not usable", BAD)
    if found.usable and found.remarks:
        word, colour = "usable, could be better", UNKNOWN
    if not found.faces:
        return annotate(picture, None, "no face", BAD)
    for face in found.faces:
        picture = from_pil(annotate(picture, face, word, colour))[0]
    return to_pil(picture)


def told(found: Sequence[Compliance | Usability]) -> str:
    """The reports for people, numbered where there are several."""
    if len(found) == 1:
        return found[0].text()
    return "\n\n".join(f"Photo {index + 1}: {each.text()}" for index, each in enumerate(found))


def used_models(engine: FaceEngine, matte: str | None, *, parsing: bool) -> list[dict[str, Any]]:
    """The models behind a check, for the report."""
    from ..models import store

    detection = [model for model in engine.models if model["use"] == "face detection"]
    names = ["face_mesh", "iris", *([matte] if matte else []), *(["face_parsing"] if parsing else [])]
    return [*detection, *store.used(*names)]
