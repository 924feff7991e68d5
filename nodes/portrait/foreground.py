"""The person's own colours at half-covered pixels, so that no fringe of the old background is left.

A pixel of a hair edge is a mix, image = alpha * foreground + (1 - alpha) * background. Given image and alpha, this
finds both layers coarse to fine as T. Germer et al., "Fast Multi-Level Foreground Estimation", ICPR 2020 do: on every
level the layers should explain the image and change little from pixel to pixel, less so where alpha is flat. The
last level is not iterated: there the explanation is solved exactly per pixel, around the smooth layers of the level
below, which is both quicker and more exact (figures: benchmarks/portrait/foreground.md).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from .tensors import pixels, planes, resize

SMOOTHNESS = 1e-5
"""Weight of "neighbours are alike" everywhere: epsilon_r of Germer et al., equation 4."""

EDGE_SMOOTHNESS = 1.0
"""Further weight of it per change of alpha: omega of the same equation."""

ITERATIONS = 6
"""Jacobi steps on levels above `SMALL` pixels; the reference runs 2 Gauss-Seidel steps.
Measured: 4 equal its error, 6 beat it."""

SMALL, SMALL_ITERATIONS = 32, 10
"""Levels up to this many pixels get this many steps, as in the reference."""

OPAQUE = 1 - 1e-3
"""Alpha from which a pixel keeps its own colour exactly."""


def foreground_colours(image: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Foreground colours [B,H,W,3] for IMAGE `image` [B,H,W,3] and its matte `alpha` [B,H,W], all in 0..1.

    Where alpha is 1 the picture is unchanged; where it is 0 the colour is a smooth continuation of the person.
    """
    source, cover = planes(image), planes(alpha)
    height, width = source.shape[-2:]
    front = _mean(source, cover)
    back = _mean(source, 1 - cover)
    for level_height, level_width in _levels(height, width):
        size = (level_height, level_width)
        steps = SMALL_ITERATIONS if max(size) <= SMALL else ITERATIONS
        front, back = (F.interpolate(layer, size=size, mode="nearest") for layer in (front, back))
        front, back = _relax(resize(source, *size), resize(cover, *size), front, back, steps)
    return pixels(_explain(source, cover, resize(front, height, width), resize(back, height, width)))


def _mean(source: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    total = weight.sum((-2, -1), keepdim=True)
    return (source * weight).sum((-2, -1), keepdim=True) / total.clamp_min(1e-3)


def _levels(height: int, width: int) -> list[tuple[int, int]]:
    """Sizes from 1 x 1 up to about half the picture, doubling."""
    count = max(1, math.ceil(math.log2(max(height, width, 2))))
    steps = (level / count for level in range(count))
    return [(max(1, round(height**step)), max(1, round(width**step))) for step in steps]


def _neighbours(padded: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Up, down, left and right of every pixel of a tensor that is padded by one."""
    return padded[..., :-2, 1:-1], padded[..., 2:, 1:-1], padded[..., 1:-1, :-2], padded[..., 1:-1, 2:]


def _relax(
    image: torch.Tensor, alpha: torch.Tensor, front: torch.Tensor, back: torch.Tensor, steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Jacobi steps of one level. Per pixel the 2 x 2 system of Germer et al. has the closed solution used here."""
    rest = 1 - alpha
    padded = F.pad(alpha, (1, 1, 1, 1), mode="replicate")
    weights = [SMOOTHNESS + EDGE_SMOOTHNESS * (alpha - near).abs() for near in _neighbours(padded)]
    total = torch.stack(weights).sum(0)
    weights = [weight / total for weight in weights]
    scale = 1 / (alpha * alpha + rest * rest + total)
    gain_front, gain_back = alpha * scale, rest * scale
    for _ in range(steps):
        layers = F.pad(torch.cat([front, back], 1), (1, 1, 1, 1), mode="replicate")
        up, down, left, right = _neighbours(layers)
        mean = up * weights[0]
        mean.addcmul_(down, weights[1]).addcmul_(left, weights[2]).addcmul_(right, weights[3])
        front, back = mean[:, :3], mean[:, 3:]
        missed = image - alpha * front - rest * back
        front = (front + gain_front * missed).clamp_(0, 1)
        back = (back + gain_back * missed).clamp_(0, 1)
    return front, back


def _explain(source: torch.Tensor, cover: torch.Tensor, front: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
    """The foreground nearest to `front` with which, beside the background nearest to `back`, the mix is the image."""
    rest = 1 - cover
    missed = (source - cover * front - rest * back).mul_(cover / (cover * cover + rest * rest))
    return torch.where(cover >= OPAQUE, source, front.add(missed).clamp_(0, 1))
