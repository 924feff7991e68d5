"""A coarse matte of the person from an ONNX segmentation network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from ..imaging.regions import find_regions, touches_border
from ..imaging.tensors import joined, planes, resize

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnxruntime

FREE_SIZE = 1024
"""Side of the square input for a network whose graph leaves the size open: what IS-Net was trained with."""

FAINT = 0.1
"""Alpha from which a pixel belongs to a region when specks are looked for."""

PART = 0.15
"""A region that is detached from the largest one stays when it has at least this share of its size."""

UNDECIDED = 0.05
"""A matte with more than this share of half-covered pixels is looked at a second time, with a margin."""

MARGIN = 0.2
"""That margin, in grey, as a share of the width: a tight close-up then looks like a portrait to the network."""

PINHOLE = 0.002
"""A hole inside the person is filled when it is smaller than this share of the person."""


@dataclass(frozen=True)
class Normalisation:
    """How a network wants its pixels: divided by the picture's maximum or not, then (x - mean) / std."""

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    by_maximum: bool = True


IMAGENET = Normalisation()
"""U-2-Net's own: data_loader.py (ToTensorLab) of github.com/xuebinqin/U-2-Net."""

CENTRED = Normalisation(mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0), by_maximum=False)
"""IS-Net's own: Inference.py of github.com/xuebinqin/DIS."""


def normalisation_for(name: str) -> Normalisation:
    """By the network's name: IS-Net and BRIA's RMBG are centred, the others follow U-2-Net and ImageNet."""
    lowered = name.lower()
    return CENTRED if any(family in lowered for family in ("isnet", "is-net", "rmbg")) else IMAGENET


def matte(
    image: torch.Tensor,
    session: onnxruntime.InferenceSession,
    normalisation: Normalisation = IMAGENET,
    on_picture: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """MASK [B,H,W] in 0..1, 1 = person, for IMAGE [B,H,W,3]; at the network's resolution, enlarged smoothly.

    `session` is an ONNX network with one input [1 or batch, 3, side, side] whose first output is alpha or logits.
    """
    socket = session.get_inputs()[0]
    height, width = (size if isinstance(size, int) else FREE_SIZE for size in socket.shape[2:4])
    half = "float16" in socket.type

    def look(picture: torch.Tensor) -> np.ndarray:
        feed = _normalised(resize(picture, height, width).clamp(0, 1), normalisation).numpy()
        output = session.run([session.get_outputs()[0].name], {socket.name: feed.astype(np.float16) if half else feed})
        return _unit(np.asarray(output[0], dtype=np.float32).reshape(height, width))

    masks = []
    for picture in image.detach().cpu().split(1):
        alpha = look(planes(picture))
        if _undecided(alpha) > UNDECIDED:
            second = _with_margin(planes(picture), look)
            alpha = second if _undecided(second) < _undecided(alpha) else alpha
        alpha = tidy(alpha)
        enlarged = F.interpolate(
            torch.from_numpy(alpha)[None, None], size=image.shape[1:3], mode="bilinear", align_corners=False
        )
        masks.append(enlarged[:, 0])
        on_picture()
    return joined(masks).to(image.device)


def tidy(alpha: np.ndarray) -> np.ndarray:
    """Alpha [H,W] without specks away from the person and without pinholes in the person."""
    parts = find_regions(alpha > FAINT)
    if not len(parts.sizes):
        return alpha
    weights = np.bincount(parts.labels.ravel(), alpha.ravel(), minlength=len(parts.sizes) + 1)[1:]
    kept = np.concatenate([[False], weights >= PART * weights.max()])
    alpha = np.where(kept[parts.labels], alpha, 0).astype(np.float32)
    holes = find_regions(alpha < 0.5)
    tiny = (holes.sizes < PINHOLE * float((alpha >= 0.5).sum())) & ~touches_border(holes)
    return np.where(np.concatenate([[False], tiny])[holes.labels], np.float32(1), alpha)


def _undecided(alpha: np.ndarray) -> float:
    """The share of pixels that are neither person nor background."""
    return float(((alpha > 0.1) & (alpha < 0.9)).mean())


def _with_margin(picture: torch.Tensor, look: Callable[[torch.Tensor], np.ndarray]) -> np.ndarray:
    """Look at [1,3,H,W] with a grey margin above and beside it; the body still runs out at the bottom."""
    height, width = picture.shape[-2:]
    margin = max(1, round(MARGIN * width))
    seen = torch.from_numpy(look(F.pad(picture, (margin, margin, margin, 0), value=0.5)))[None, None]
    size = seen.shape[-2:]
    seen = F.interpolate(seen, size=(height + margin, width + 2 * margin), mode="bilinear", align_corners=False)
    return F.interpolate(seen[..., margin:, margin : margin + width], size=size, mode="area")[0, 0].numpy()


def _normalised(small: torch.Tensor, how: Normalisation) -> torch.Tensor:
    if how.by_maximum:
        small = small / small.amax().clamp_min(1e-6)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (how.mean, how.std))
    return (small - mean) / std


def _unit(alpha: np.ndarray) -> np.ndarray:
    """Logits become probabilities; what is already in 0..1 stays."""
    if alpha.min() < -0.01 or alpha.max() > 1.01:
        alpha = 1 / (1 + np.exp(-alpha.clip(-30, 30)))
    return alpha.clip(0, 1)
