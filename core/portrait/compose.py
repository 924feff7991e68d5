"""Puts the person in front of the backdrop: own colours at half-covered pixels, matched light, shadow, light wrap.

A pixel of a hair edge is a mix, image = alpha * foreground + (1 - alpha) * background. Given image and alpha, this
finds both layers coarse to fine as T. Germer et al., "Fast Multi-Level Foreground Estimation", ICPR 2020 do: on every
level the layers should explain the image and change little from pixel to pixel, less so where alpha is flat. The
last level is not iterated: there the explanation is solved exactly per pixel, around the smooth layers of the level
below, which is both quicker and more exact (figures: benchmarks/portrait/foreground.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ..imaging.filters import soft_blur
from ..imaging.tensors import pixels, planes, resize
from .match_light import match_person

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
    cover = planes(alpha)
    height, width = cover.shape[-2:]
    joined = torch.cat([planes(image), cover], 1)
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
    return _explain(image, cover, layers)


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


def _explain(image: torch.Tensor, cover: torch.Tensor, layers: torch.Tensor) -> torch.Tensor:
    """The foreground nearest to the smooth one with which, beside a background likewise, the mix is the image.

    IMAGE [B,H,W,3] for `layers` [B,6,h,w], foreground first, and `cover` [B,1,H,W]. One colour after the other: at a
    photo's full size both layers together would take twice its memory.
    """
    size, rest = cover.shape[-2:], 1 - cover
    gain, opaque = cover / (cover * cover + rest * rest), cover >= OPAQUE
    found = torch.empty(image.shape, dtype=image.dtype, device=image.device)
    for colour in range(3):
        front, back = (resize(layers[:, place : place + 1], *size) for place in (colour, 3 + colour))
        source = planes(image[..., colour : colour + 1])
        missed = source.clone(memory_format=torch.contiguous_format)
        missed.addcmul_(cover, front, value=-1).addcmul_(rest, back, value=-1)
        found[..., colour] = torch.where(opaque, source, front.addcmul_(gain, missed).clamp_(0, 1))[:, 0]
    return found


WRAP_WIDTH = 1 / 90
"""How far the backdrop's light reaches over the edge, as a share of the shorter side."""

SHADOW_BLUR = 1 / 22
SHADOW_SHIFT = (1 / 28, 1 / 36)
"""Softness of the shadow on a near wall and its shift down and to the side, as shares of the shorter side."""

SHADOW_DEPTH = 0.55
"""How much light a shadow of strength 1 takes away."""


@dataclass(frozen=True)
class ComposeOptions:
    """Strengths in 0..1. `hue_limit` is the largest change of the skin's mean hue, in degrees of CIELAB hue."""

    light_wrap: float = 0.25
    shadow: float = 0.0
    match_light: float = 0.3
    match_colour: float = 0.25
    hue_limit: float = 2.0


def compose(
    foreground: torch.Tensor, mask: torch.Tensor, background: torch.Tensor, options: ComposeOptions | None = None
) -> tuple[torch.Tensor, list[dict[str, Any]]]:
    """Compose IMAGEs [B,H,W,3] with MASK [B,H,W]; all of one size and number.

    Returns IMAGE [B,H,W,3] in 0..1 and, for each picture, what the match of light and colour measured and did.
    The mix is done on display values, as the mattes are estimated on them. With all strengths 0 the result is
    exactly alpha * foreground + (1 - alpha) * background.
    """
    options = options or ComposeOptions()
    person, reports = match_person(
        foreground, mask, background, options.match_light, options.match_colour, options.hue_limit
    )
    front, cover, back = planes(person).contiguous(), planes(mask), planes(background).contiguous()
    if options.shadow > 0:
        back = back * (1 - options.shadow * SHADOW_DEPTH * _shadow(cover))
    if options.light_wrap > 0:
        front = _wrap(front, cover, back, options.light_wrap)
    return pixels(torch.lerp(back, front, cover).clamp_(0, 1)), reports


def _shadow(cover: torch.Tensor) -> torch.Tensor:
    """The person's soft shadow on a wall close behind, [B,1,H,W] in 0..1."""
    height, width = cover.shape[-2:]
    shorter = min(height, width)
    down, side = (round(shift * shorter) for shift in SHADOW_SHIFT)
    blurred = soft_blur(cover, max(1.0, SHADOW_BLUR * shorter)).clamp(0, 1)
    shifted = F.pad(blurred, (side, 0, down, 0), mode="replicate")
    return shifted[..., :height, :width]


def _wrap(front: torch.Tensor, cover: torch.Tensor, back: torch.Tensor, strength: float) -> torch.Tensor:
    """Let the backdrop's blurred light spill over the person's rim, by screen: it only brightens.

    The rim is where the blurred outside reaches into the matte. Light that falls on the backdrop is what arrives, so
    a dark backdrop adds next to nothing.
    """
    height, width = cover.shape[-2:]
    sigma = max(1.0, WRAP_WIDTH * min(height, width))
    step = max(1, int(sigma / 3))
    rest = 1 - cover[..., ::step, ::step]
    light = soft_blur(back[..., ::step, ::step] * rest, 3 * sigma / step)
    rim = soft_blur(rest, sigma / step).clamp_(0, 1)
    spill = resize((strength * rim.square_() * light).clamp_(0, 1), height, width).mul_(cover)
    return (front + spill).addcmul_(spill, front, value=-1)
