"""Swaps a face by insightface's inswapper, when the user has its file: real steps around a network that is not ours.

The weights are insightface's, for NON-COMMERCIAL research only, and are never downloaded. What goes in and comes out
follows insightface's own `INSwapper`; resampling and blending are ours, so that large faces do not alias.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import DependencyMissing, EngineUnsuitable, SwapModelUnsuitable
from ..faces.face import ARCFACE_TEMPLATE
from ..imaging.filters import distance_to, smooth
from ..imaging.tensors import pixels, planes
from ..imaging.warp import Similarity, inverse, similarity, source_places, warp
from ..models import runtimes as onnx
from .protect import face_oval

if TYPE_CHECKING:
    from ..faces.engines import FaceEngine
    from ..faces.face import Face

MADE_FOR = "insightface/buffalo_l"
"""The engine whose recogniser inswapper was trained with; embeddings of another pack mean another face to it."""

TEMPLATE = ARCFACE_TEMPLATE + np.array([8.0, 0.0])
"""Where the five landmarks lie in a 128 x 128 crop: ArcFace's places, moved right by the 8 extra pixels of each side
(insightface's `face_align.estimate_norm`)."""

CROP = 128
RIM = 6
"""Pixels at the crop's border that are not pasted back."""

FEATHER = 0.3
"""Width of the blend at the face's edge, in eye distances."""


@dataclass(frozen=True, eq=False)
class Swapper:
    """A loaded model: its session, its input names and the table [D,D] that turns an embedding into its latent."""

    name: str
    session: Any
    inputs: tuple[str, str]
    table: np.ndarray

    def latent(self, embedding: np.ndarray) -> np.ndarray:
        """The unit latent [1,D] of a unit embedding [D]."""
        latent = embedding[None].astype(np.float32) @ self.table
        return latent / np.linalg.norm(latent)

    def swap(self, crop: torch.Tensor, latent: np.ndarray) -> torch.Tensor:
        """The RGB crop [1,3,128,128] in 0..1 with the other face."""
        blob = np.ascontiguousarray(crop.detach().cpu().numpy(), np.float32)
        answer = onnx.run_network(self.session, None, {self.inputs[0]: blob, self.inputs[1]: latent})[0]
        return torch.from_numpy(np.asarray(answer, np.float32)).clamp_(0, 1)


@lru_cache(maxsize=1)
def load_swapper(path: Path, device: str = "auto") -> Swapper:
    """The model at `path`.

    Raises DependencyMissing without the onnx package, SwapModelUnsuitable, and what `nodes.onnx.session` raises.
    """
    session = onnx.session(path, device)
    inputs = {tuple(each.shape[1:]): each.name for each in session.get_inputs()}
    picture = inputs.get((3, CROP, CROP))
    vectors = {shape[0]: name for shape, name in inputs.items() if len(shape) == 1}
    table = _table(path)
    side = table.shape[0] if table is not None else None
    if picture is None or len(inputs) != 2 or len(session.get_outputs()) != 1 or table is None or side not in vectors:
        raise SwapModelUnsuitable(
            f"{path.name} is not a swapping model of inswapper's kind (a {CROP} x {CROP} picture and an embedding in, "
            "a picture out, and a square table as its last initializer); choose inswapper_128.onnx."
        )
    return Swapper(path.name, session, (picture, vectors[side]), table)


def _table(path: Path) -> np.ndarray | None:
    """The last initializer of the graph, which insightface calls `emap`, if it is a square table."""
    try:
        import onnx as format_of
        from onnx import numpy_helper
    except ImportError as error:
        raise DependencyMissing(
            "Swap Face reads a table out of the model with the onnx package; run `pip install onnx`."
        ) from error
    initializers = format_of.load(str(path)).graph.initializer
    if not initializers or len(set(initializers[-1].dims)) != 1 or len(initializers[-1].dims) != 2:
        return None
    return numpy_helper.to_array(initializers[-1]).astype(np.float32)


def check_engine(engine: FaceEngine) -> list[str]:
    """Warnings about `engine`. Raises EngineUnsuitable unless it is one of insightface's packs."""
    if not engine.key.startswith("insightface/"):
        raise EngineUnsuitable(
            f"Swap Face needs an insightface engine and was given {engine.key}; connect Load Face Engine set to "
            "insightface (its weights are for non-commercial research only), or turn the node off."
        )
    if engine.key == MADE_FOR:
        return []
    return [f"The model was made for the embeddings of {MADE_FOR}; with those of {engine.key} it makes other faces."]


def swap_face(image: torch.Tensor, target: Face, source: Face, swapper: Swapper) -> tuple[torch.Tensor, dict[str, Any]]:
    """`image` [1,H,W,3] with the face `target` replaced by that of `source`, and a report.

    source.embedding must be there. The crop is pasted back over the oval of the face, blended inwards.
    """
    if source.embedding is None:
        raise ValueError("The source face has no embedding; use FaceEngine.embed.")
    height, width = image.shape[1:3]
    into = similarity(target.landmarks, TEMPLATE)
    crop = warp(planes(image), into, CROP, CROP)
    made = swapper.swap(crop, swapper.latent(source.embedding)).to(image.device)
    back = inverse(into)
    pasted = pixels(warp(made, back, height, width))
    oval = face_oval(target.landmarks)
    region = oval.inside(height, width) & _covered(back, height, width)
    feather = FEATHER * oval.unit
    weight = smooth(distance_to(~region, feather + 1) / (feather + 1)).to(image.device)
    result = torch.where(weight[..., None] > 0, torch.lerp(image[0], pasted[0], weight[..., None]), image[0])
    report = {
        "swapped": bool((weight > 0).any()),
        "box": [round(value, 1) for value in target.box],
        "eye_distance_pixels": round(oval.unit, 1),
        "enlarged": round(abs(back[0]), 2),
        "changed_percent": round(100 * float((weight > 0).float().mean()), 2),
        "notes": _notes(abs(back[0])),
    }
    return result[None], report


def _covered(back: Similarity, height: int, width: int) -> torch.Tensor:
    """The pixels [H,W] of the picture that lie inside the crop, RIM pixels away from its border."""
    across, down = source_places(back, height, width)
    low, high = RIM, CROP - 1 - RIM
    return (across >= low) & (across <= high) & (down >= low) & (down <= high)


def _notes(enlarged: float) -> list[str]:
    if enlarged <= 1.25:
        return []
    return [f"The model draws {CROP} x {CROP} pixels and the face is {enlarged:.1f} times as large: it looks soft."]
