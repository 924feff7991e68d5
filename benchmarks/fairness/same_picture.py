"""Whether two files show one and the same picture: aligned faces laid upon each other and compared in fine detail.

The same official portrait is published in colour and in grey, cut and squeezed in other ways, with another background.
A pair of that kind says nothing about a recogniser. The second face is laid upon the first by an affine map (found by
gradient ascent, coarse to fine), and what remains of both below a fifth of the eye distance is correlated. Of one
picture the correlation is nearly 1; of two photos of one person it is less, be they ever so alike.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

SAME = 0.85
"""Correlation from which on two files are one picture. Set by looking at every pair between 0.7 and 0.95."""

STEPS = ((4.0, 80), (2.0, 80), (1.2, 80))
"""Blur in pixels of the 112 pixel crop, and steps of the ascent with it."""

FINE, COARSE = 1.2, 5.0
"""Detail that is compared: between these two blurs."""

INSIDE = (slice(24, 100), slice(22, 90))
"""Rows and columns of the crop that hold the face and no background."""

REACH = 0.25
"""How far each number of the affine map may leave the identity."""


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The correlation of fine detail [N] of aligned grey crops [N,112,112]."""
    left, right = (torch.from_numpy(crops.astype(np.float32))[:, None] for crops in (first, second))
    identity = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])
    moved = torch.zeros(len(left), 2, 3, requires_grad=True)
    ascent = torch.optim.Adam([moved], lr=0.004)
    for sigma, steps in STEPS:
        fixed, moving = _blurred(left, sigma), _blurred(right, sigma)
        for _ in range(steps):
            loss = -_agreement(fixed, _warped(moving, identity + moved)).sum()
            ascent.zero_grad()
            loss.backward()
            ascent.step()
            with torch.no_grad():
                moved.clamp_(-REACH, REACH)
    with torch.no_grad():
        return _agreement(_detail(left), _warped(_detail(right), identity + moved)).numpy()


def _blurred(crops: torch.Tensor, sigma: float) -> torch.Tensor:
    return torch.from_numpy(gaussian_filter(crops.numpy(), (0, 0, sigma, sigma)))


def _detail(crops: torch.Tensor) -> torch.Tensor:
    return _blurred(crops, FINE) - _blurred(crops, COARSE)


def _warped(crops: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    grid = F.affine_grid(maps, list(crops.shape), align_corners=False)
    return F.grid_sample(crops, grid, padding_mode="border", align_corners=False)


def _agreement(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    first, second = (crops[:, :, INSIDE[0], INSIDE[1]].flatten(1) for crops in (left, right))
    first, second = (rows - rows.mean(1, keepdim=True) for rows in (first, second))
    return (first * second).sum(1) / (first.norm(dim=1) * second.norm(dim=1) + 1e-6)
