"""Gives one picture's colours to another: mean and spread in CIELAB (Reinhard et al., "Color Transfer", 2001)."""

from __future__ import annotations

import torch

from .colour import to_display, to_lab

_RGB = ((3.2404542, -1.5371385, -0.4985314), (-0.9692660, 1.8760108, 0.0415560), (0.0556434, -0.2040259, 1.0572252))
_WHITE = (0.95047, 1.0, 1.08883)

SPREAD = (0.7, 1.4)
"""Limits of the change of contrast: beyond them texture is lost or noise is made."""


def from_lab(lab: torch.Tensor) -> torch.Tensor:
    """CIELAB (D65) [...,3] to sRGB display values, clamped to 0..1: the inverse of `colour.to_lab`."""
    lightness, a, b = lab.unbind(-1)
    y = (lightness + 16) / 116
    cube = torch.stack([y + a / 500, y, y - b / 200], -1)
    white = torch.tensor(_WHITE, dtype=lab.dtype, device=lab.device)
    matrix = torch.tensor(_RGB, dtype=lab.dtype, device=lab.device)
    xyz = torch.where(cube > 6 / 29, cube**3, (116 * cube - 16) * 27 / 24389) * white
    return to_display(xyz @ matrix.T).clamp(0, 1)


def matched_to(colours: torch.Tensor, own: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Colours [...,3] changed as it takes to give the sample `own` [N,3] the mean and the spread of `wanted` [M,3]."""
    sample, goal = to_lab(own), to_lab(wanted)
    scale = (goal.std(0, correction=0) / sample.std(0, correction=0).clamp_min(1e-3)).clamp(*SPREAD)
    return from_lab((to_lab(colours) - sample.mean(0)) * scale + goal.mean(0))
