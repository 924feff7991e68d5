"""An optional face parser: what every pixel of a head is, in 19 classes (BiSeNet, trained on CelebAMask-HQ).

Never fetched unasked: the data that it was trained on is for research only, so whether its weights may be used
commercially is unclear. `likeness models get face_parsing` fetches it; the checks then say that they used it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import ModelCorrupt
from ..imaging.sample import sample
from ..imaging.tensors import planes
from ..models import store
from ..portrait.framing import EYE_TO_MOUTH, Cut, rotate
from .face_parsing import BiSeNet

if TYPE_CHECKING:
    from pathlib import Path

    from ..faces.mesh import FaceMesh

MODEL = "face_parsing"
"""Its name in the model store."""

CLASSES = (
    *("background", "skin", "left_brow", "right_brow", "left_eye", "right_eye", "glasses", "left_ear", "right_ear"),
    *("ear_ring", "nose", "mouth", "upper_lip", "lower_lip", "neck", "necklace", "cloth", "hair", "hat"),
)
"""In the network's order (CelebAMask-HQ, Lee et al. 2020); left and right are the viewer's."""

SIDE = 512
"""Of the picture that the network sees, in pixels."""

CLOSE_UP = 4.0
"""Side of the close-up in eye distances, about as CelebA-HQ (Karras et al. 2018, appendix C) cuts its faces."""

BELOW_EYES = 0.1
"""How far the close-up's middle is below the eyes, in eye distances (same source)."""

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours: what the network was trained with."""

MOUTH_CORNERS = (61, 291)
"""Points of the mesh."""

_loaded: dict[tuple[str, int], BiSeNet] = {}
_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Parsing:
    """What each pixel of a level close-up is. labels: [side,side] indices into CLASSES; cut: its place in the photo."""

    labels: np.ndarray
    cut: Cut

    def of(self, *names: str) -> np.ndarray:
        """Where the close-up shows any of the named classes, [side,side] bool."""
        return np.isin(self.labels, [CLASSES.index(name) for name in names])

    def on(self, other: Cut, side: int) -> Parsing:
        """The same on another level cut of the photo, [side,side]; "background" outside of what was parsed."""
        steps = (np.arange(side) + 0.5) / side - 0.5
        x, y = (
            ((start + steps * other.width - middle) / self.cut.width + 0.5) * self.labels.shape[0]
            for start, middle in ((other.x, self.cut.x), (other.y, self.cut.y))
        )
        labels = self.labels[np.clip(y, 0, SIDE - 1).astype(int)[:, None], np.clip(x, 0, SIDE - 1).astype(int)]
        inside = ((y >= 0) & (y < SIDE))[:, None] & (x >= 0) & (x < SIDE)
        return Parsing(np.where(inside, labels, 0).astype(np.uint8), other)


SHARPENED = frozenset({"glasses", "dark_glasses", "eyes_visible", "mouth_visible", "face_occlusion", "head_covering"})
"""Measures that are surer with the parser."""


def offer(doubtful: Iterable[str]) -> str:
    """A sentence on how the parser would help with measures of these names, empty where it would not."""
    if SHARPENED.isdisjoint(doubtful):
        return ""
    if available():
        return "The face parser on this machine tells glasses and covers more surely: check again with parsing."
    return (
        "The optional face parser tells glasses and covers more surely: fetch it with `likeness models get "
        "face_parsing`, then check again with parsing."
    )


def available() -> bool:
    """Whether the parser's weights are on this machine; it is never fetched from here."""
    return store.locate(MODEL) is not None


def parse(photo: torch.Tensor, mesh: FaceMesh) -> Parsing:
    """The classes of the face of `mesh` in `photo` [H,W,3] in 0..1.

    Raises ModelMissing when the weights are not on this machine, ModelCorrupt when they are others.
    """
    network = _network(store.path(MODEL, download=False))
    eyes = (mesh.eyes[0].centre + mesh.eyes[1].centre) / 2
    down = mesh.points[list(MOUTH_CORNERS), :2].mean(0) - eyes
    unit = max(mesh.eye_distance, float(np.hypot(*down)) / EYE_TO_MOUTH)
    x, y = rotate((eyes + BELOW_EYES * down)[None].astype(np.float64), (0.0, 0.0), -mesh.roll)[0]
    cut = Cut(float(x), float(y), CLOSE_UP * unit, CLOSE_UP * unit, (0.0, 0.0), mesh.roll)
    close, _ = sample(planes(photo[None]), cut, SIDE, SIDE)
    mean, spread = (torch.tensor(value).view(1, 3, 1, 1) for value in (MEAN, SPREAD))
    with torch.inference_mode():
        scores = network((close.float().cpu() - mean) / spread)
    return Parsing(scores[0].argmax(0).numpy().astype(np.uint8), cut)


def _network(path: Path) -> BiSeNet:
    """Made once and then shared."""
    from safetensors.torch import load_file

    key = (str(path.resolve()), path.stat().st_mtime_ns)
    with _lock:
        if key not in _loaded:
            network = BiSeNet(len(CLASSES))
            try:
                weights = load_file(str(path))
                network.load_state_dict({name: weights[name] for name in network.state_dict()})
            except (RuntimeError, ValueError, KeyError) as error:
                raise ModelCorrupt(f"{path} is not a face parser's weights ({error}); use another file.") from error
            _loaded[key] = network.eval().requires_grad_(False)
        return _loaded[key]
