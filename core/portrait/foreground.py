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

from ..imaging.tensors import pixels, planes, resize

SMOOTHNESS = 1e-5
"""Weight of "neighbours are alike" everywhere: epsilon_r of Germer et al., equation 4."""

EDGE_SMOOTHNESS = 1.0
"""Further weight of it per change of alpha: omega of the same equation."""

ITERATIONS = 8
"""Jacobi steps on levels above `SMALL` pixels; the reference runs 2 Gauss-Seidel steps.
Measured: 4 equal its error, 8 take a quarter off it."""

SMALL, SMALL_ITERATIONS = 32, 10
"""Levels up to this many pixels get this many steps, as in the reference."""

LARGEST_LEVEL = 1024
"""Levels above this many pixels are not iterated: smooth layers hold no finer detail, and large photos stay quick."""

OPAQUE = 1 - 1e-3
"""Alpha from which a pixel keeps its own colour exactly."""


def foreground_colours(image: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Foreground colours [B,H,W,3] for IMAGE `image` [B,H,W,3] and its matte `alpha` [B,H,W], all in 0..1.

    Where alpha is 1 the picture is unchanged; where it is 0 the colour is a smooth continuation of the person.
    """
    source, cover = planes(image).contiguous(), planes(alpha)
    height, width = source.shape[-2:]
    joined = torch.cat([source, cover], 1)
    pyramid = []
    for size in reversed(_levels(height, width)):
        joined = resize(joined, *size)
        pyramid.append(joined)
    colours, covers = pyramid[-1][:, :3], pyramid[-1][:, 3:]
    layers = torch.cat([_mean(colours, covers), _mean(colours, 1 - covers)], 1)
    for level in reversed(pyramid):
        steps = SMALL_ITERATIONS if max(level.shape[-2:]) <= SMALL else ITERATIONS
        layers = F.interpolate(layers, size=level.shape[-2:], mode="nearest")
        layers = _relax(level[:, :3], level[:, 3:], layers, steps)
    return pixels(_explain(source, cover, resize(layers, height, width)))


def _mean(source: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    total = weight.sum((-2, -1), keepdim=True)
    return (source * weight).sum((-2, -1), keepdim=True) / total.clamp_min(1e-3)


def _levels(height: int, width: int) -> list[tuple[int, int]]:
    """Sizes from 1 x 1 up to about half the picture, doubling, none above `LARGEST_LEVEL`."""
    count = max(1, math.ceil(math.log2(max(height, width, 2))))
    steps = (level / count for level in range(count))
    sizes = [(max(1, round(height**step)), max(1, round(width**step))) for step in steps]
    return [size for size in sizes if max(size) <= LARGEST_LEVEL]


def _relax(image: torch.Tensor, alpha: torch.Tensor, layers: torch.Tensor, steps: int) -> torch.Tensor:
    """Jacobi steps of one level on both layers [B,6,h,w], foreground first.

    Per pixel the 2 x 2 system of Germer et al. has the closed solution used here. Buffers are made once: allocating
    them anew would take longer than the sums.
    """
    rest = 1 - alpha
    weights = [SMOOTHNESS + EDGE_SMOOTHNESS * alpha.diff(dim=axis).abs() for axis in (-2, -1)]
    total = _add_neighbours(torch.zeros_like(alpha), torch.ones_like(alpha), weights).clamp_min_(SMOOTHNESS)
    scale = 1 / (alpha * alpha + rest * rest + total)
    gain_front, gain_back, normal = alpha * scale, rest * scale, 1 / total
    spare, missed = torch.empty_like(layers), torch.empty_like(image)
    for _ in range(steps):
        if layers.shape[-2:] != (1, 1):
            layers, spare = _add_neighbours(spare.zero_(), layers, weights).mul_(normal), layers
        front, back = layers[:, :3], layers[:, 3:]
        missed.copy_(image).addcmul_(alpha, front, value=-1).addcmul_(rest, back, value=-1)
        front.addcmul_(gain_front, missed)
        back.addcmul_(gain_back, missed)
        layers.clamp_(0, 1)
    return layers


def _add_neighbours(result: torch.Tensor, layers: torch.Tensor, weights: list[torch.Tensor]) -> torch.Tensor:
    """Add to `result` what is above, below, left and right of every pixel of [B,C,h,w], weighted.

    `weights` are [B,1,h-1,w] between rows and [B,1,h,w-1] between columns.
    """
    for axis, weight in zip((-2, -1), weights, strict=True):
        rest = layers.shape[axis] - 1
        if rest:
            result.narrow(axis, 1, rest).addcmul_(layers.narrow(axis, 0, rest), weight)
            result.narrow(axis, 0, rest).addcmul_(layers.narrow(axis, 1, rest), weight)
    return result


def _explain(source: torch.Tensor, cover: torch.Tensor, layers: torch.Tensor) -> torch.Tensor:
    """The foreground nearest to the smooth one with which, beside a background likewise, the mix is the image."""
    front, back = layers[:, :3], layers[:, 3:]
    rest = 1 - cover
    gain = cover / (cover * cover + rest * rest)
    missed = source.clone(memory_format=torch.contiguous_format)
    missed.addcmul_(cover, front, value=-1).addcmul_(rest, back, value=-1)
    return torch.where(cover >= OPAQUE, source, front.addcmul_(gain, missed).clamp_(0, 1))
