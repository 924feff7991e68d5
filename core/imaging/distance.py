"""How far each pixel is from a mask: Euclidean distances up to a limit, on any device, without SciPy."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

EXACT = 128
"""So many pixels from the mask distances are exact: the time grows with the reach times the area."""


def distance_to(mask: torch.Tensor, limit: float) -> torch.Tensor:
    """Distances in pixels from each pixel of a boolean mask [H,W] to the nearest True one, cut off at `limit`.

    0 inside the mask, 1 at its direct neighbours, `limit` where nothing is nearer. Exact up to EXACT pixels; beyond,
    they are worked out on a smaller mask and are within 1.5 % of `limit`.
    """
    if limit <= EXACT:
        return _exact(mask, limit)
    cell, (height, width) = math.ceil(limit / EXACT), mask.shape
    padded = F.pad(mask[None, None].float(), (0, -width % cell, 0, -height % cell))
    coarse = _exact(F.max_pool2d(padded, cell)[0, 0] > 0, limit / cell + 1)[None, None]
    far = F.interpolate(coarse, padded.shape[-2:], mode="bilinear", align_corners=False)[0, 0, :height, :width] * cell
    near = _exact(mask, EXACT)
    return torch.where(near < EXACT, near, far.clamp(EXACT, limit))


def _exact(mask: torch.Tensor, limit: float) -> torch.Tensor:
    """Exact distances, separably: the squared distance is the smallest of (distance within the column)² + (step to
    the side)² (Saito and Toriwaki 1994), and steps beyond the limit cannot matter. Only the mask's surroundings are
    looked at.
    """
    far = torch.full(mask.shape, float(limit), device=mask.device)
    reach = math.ceil(limit)
    rows, columns = (torch.nonzero(mask.any(axis))[:, 0] for axis in (1, 0))
    if not len(rows) or reach < 1:
        return torch.where(mask, 0.0, far)
    top, bottom = max(0, int(rows[0]) - reach), int(rows[-1]) + reach + 1
    left, right = max(0, int(columns[0]) - reach), int(columns[-1]) + reach + 1
    near = _column_distance(mask[top:bottom, left:right], reach).square_()
    squared = near.clone()
    width = near.shape[1]
    for step in range(1, min(reach, width - 1) + 1):
        rest = width - step
        squared[:, step:] = torch.minimum(squared[:, step:], near[:, :rest] + step * step)
        squared[:, :rest] = torch.minimum(squared[:, :rest], near[:, step:] + step * step)
    far[top:bottom, left:right] = squared.sqrt_().clamp_(max=limit)
    return far


def _column_distance(mask: torch.Tensor, reach: int) -> torch.Tensor:
    """Rows up or down to the nearest True pixel of the same column, as [H,W]; `reach` + 1 where there is none."""
    height = mask.shape[0]
    row = torch.arange(height, device=mask.device, dtype=torch.float32)[:, None].expand(mask.shape)
    nothing = float(height + reach + 1)
    above = torch.where(mask, row, -nothing).cummax(0).values
    below = torch.where(mask, row, height + nothing).flip(0).cummin(0).values.flip(0)
    return torch.minimum(row - above, below - row).clamp_(max=reach + 1)


def smooth(ratio: torch.Tensor) -> torch.Tensor:
    """The smoothstep 3 t² - 2 t³ of t clamped to 0..1: level at both ends, so that no edge shows."""
    ratio = ratio.clamp(0, 1)
    return ratio * ratio * (3 - 2 * ratio)
