"""How far a matte is from the true one: the usual four errors, the edge's, and what is kept or lost in the large."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from likeness_studio.core.imaging.filters import find_regions, grow, shrink

BAND = 0.01
"""Half the width of the edge's band, as a share of the longer side."""

FAILED = 0.015
"""A matte that keeps or loses more than this share of the person's area, outside the edge's band, has failed."""

ERRORS = ("SAD", "MSE", "gradient", "connectivity", "edge", "kept", "lost")


def errors(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """The errors of `found` beside `truth`, both [H,W] in 0..1.

    SAD, gradient and connectivity in thousands and MSE in thousandths (Rhemann et al., "A Perceptually Motivated Online
    Benchmark for Image Matting", CVPR 2009, over the whole picture); `edge` is the mean absolute error in the band
    round the true outline; `kept` and `lost` are shares of the person's area beyond that band.
    """
    difference = np.abs(found - truth)
    radius = max(1, round(BAND * max(truth.shape)))
    tensor = torch.from_numpy(truth.astype(np.float32))[None, None]
    outer = grow((tensor > 0.05).float(), radius)[0, 0].numpy() > 0.5
    inner = shrink((tensor > 0.95).float(), radius)[0, 0].numpy() > 0.5
    area = float(truth.sum())
    return {
        "SAD": float(difference.sum()) / 1000,
        "MSE": 1000 * float((difference**2).mean()),
        "gradient": float(((_gradient(found) - _gradient(truth)) ** 2).sum()) / 1000,
        "connectivity": _connectivity(found, truth),
        "edge": float(difference[outer & ~inner].mean()),
        "kept": float((found > 0.5)[~outer].sum()) / area,
        "lost": float((found < 0.5)[inner].sum()) / area,
    }


def _gradient(alpha: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_gradient_magnitude(alpha, 1.4)


def _connectivity(found: np.ndarray, truth: np.ndarray) -> float:
    """Rhemann's: how far each pixel lies above the level at which it is still joined to the largest common region."""
    levels = np.linspace(0.1, 1, 10)
    joined = np.zeros_like(truth)
    loose = np.zeros(truth.shape, bool)
    for level in levels:
        regions = find_regions((found >= level) & (truth >= level))
        largest = regions.labels == 1 + int(np.argmax(regions.sizes)) if len(regions.sizes) else np.zeros_like(loose)
        cut = ~largest & ~loose
        joined[cut] = level - 0.1
        loose |= cut
    joined[~loose] = 1

    def phi(alpha: np.ndarray) -> np.ndarray:
        away = alpha - joined
        return 1 - away * (away >= 0.15)

    return float(np.abs(phi(found) - phi(truth)).sum()) / 1000
