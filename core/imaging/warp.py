"""Resamples a picture through a similarity transform: bicubic, and without aliasing where it shrinks."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .tensors import resize

Similarity = tuple[complex, complex]
"""(a, b) of w = a z + b, which takes pixel z = x + iy of one picture to pixel w of another."""


def inverse(transform: Similarity) -> Similarity:
    """The transform back."""
    a, b = transform
    return 1 / a, -b / a


def warp(tensor: torch.Tensor, transform: Similarity, height: int, width: int) -> torch.Tensor:
    """[1,C,H,W] moved by `transform` onto [1,C,height,width]; beyond the border its edge is repeated.

    The identity returns the same values, exactly. What shrinks is first averaged down with antialiasing.
    """
    a, b = transform
    if transform == (1, 0) and tensor.shape[-2:] == (height, width):
        return tensor
    source_height, source_width = tensor.shape[-2:]
    if abs(a) < 1:
        tensor = resize(tensor, max(1, round(source_height * abs(a))), max(1, round(source_width * abs(a))))
    x = torch.arange(width, dtype=torch.float64)[None]
    y = torch.arange(height, dtype=torch.float64)[:, None]
    back, shift = inverse((a, b))
    across = back.real * x - back.imag * y + shift.real
    down = back.imag * x + back.real * y + shift.imag
    grid = torch.stack([(2 * across + 1) / source_width - 1, (2 * down + 1) / source_height - 1], -1)
    grid = grid.to(tensor.device, tensor.dtype)[None]
    return F.grid_sample(tensor, grid, mode="bicubic", padding_mode="border", align_corners=False).clamp_(0, 1)
