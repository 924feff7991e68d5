"""Filters on [B,C,H,W] and masks: averages, growing and shrinking, guided filter, distances, connected regions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from .tensors import resize


def box(tensor: torch.Tensor, radius: int) -> torch.Tensor:
    """Mean over a (2 radius + 1)² window; at the border over the pixels that exist, so constants stay constant.

    Adds shifted slices along each axis: on a CPU several times quicker than pooling, for the small radii used here.
    """
    for axis in (-1, -2):
        length = tensor.shape[axis]
        reach = min(radius, length - 1)
        total = tensor.clone()
        for step in range(1, reach + 1):
            rest = length - step
            total.narrow(axis, step, rest).add_(tensor.narrow(axis, 0, rest))
            total.narrow(axis, 0, rest).add_(tensor.narrow(axis, step, rest))
        place = torch.arange(length, device=tensor.device)
        count = (place.clamp(max=reach) + (length - 1 - place).clamp(max=reach) + 1).to(tensor.dtype)
        tensor = total.div_(count if axis == -1 else count[:, None])
    return tensor


def soft_blur(tensor: torch.Tensor, sigma: float) -> torch.Tensor:
    """A Gaussian-like blur of standard deviation `sigma` pixels, in time that does not grow with `sigma`.

    Shrinks by the power of two next below sigma / 2, applies three box filters (their variances add up to the
    Gaussian's: Wells 1986), and grows back smoothly.
    """
    if sigma <= 0:
        return tensor
    height, width = tensor.shape[-2:]
    shrink = 1
    while shrink * 4 <= sigma and min(height, width) // (shrink * 2) >= 4:
        shrink *= 2
    small = resize(tensor, max(1, height // shrink), max(1, width // shrink))
    radius = max(1, round(((4 * (sigma / shrink) ** 2 + 1) ** 0.5 - 1) / 2))
    for _ in range(3):
        small = box(small, radius)
    if shrink == 1:
        return small
    return F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)


def grow(mask: torch.Tensor, radius: int) -> torch.Tensor:
    """The largest value within `radius` pixels (a square window): dilation. Outside the picture counts as nothing.

    The window doubles with every step, so the time grows with the logarithm of the radius.
    """
    if radius < 1:
        return mask
    for axis in (-1, -2):
        length = mask.shape[axis]
        padding = (radius, radius) if axis == -1 else (0, 0, radius, radius)
        mask = F.pad(mask, padding, value=-torch.inf)
        window = 1
        while window < 2 * radius + 1:
            step = min(window, 2 * radius + 1 - window)
            rest = mask.shape[axis] - step
            mask = torch.maximum(mask.narrow(axis, 0, rest), mask.narrow(axis, step, rest))
            window += step
        mask = mask.narrow(axis, 0, length)
    return mask


def shrink(mask: torch.Tensor, radius: int) -> torch.Tensor:
    """The smallest value within `radius` pixels (a square window): erosion. Outside the picture counts as 1."""
    return -grow(-mask, radius)


def fill_unknown(colours: torch.Tensor, weight: torch.Tensor, smallest: int = 2) -> torch.Tensor:
    """Colours known where `weight` [B,1,H,W] is high, carried over to where it is low.

    Push-pull (Gortler et al. 1996): averages of known colours go up a pyramid, and each level fills what the finer
    one does not know. Smooth, and local where something known is near. Returns the shape of `colours`.
    """
    height, width = colours.shape[-2:]
    if min(height, width) <= smallest:
        total = weight.sum((-2, -1), keepdim=True)
        mean = (colours * weight).sum((-2, -1), keepdim=True) / total.clamp_min(1e-6)
        return colours * weight + mean * (1 - weight)
    joined = torch.cat([colours * weight, weight], 1)
    half = F.avg_pool2d(joined, 2, ceil_mode=True, count_include_pad=False)
    half_weight = half[:, -1:]
    coarse = fill_unknown(half[:, :-1] / half_weight.clamp_min(1e-6), (half_weight * 4).clamp(0, 1), smallest)
    coarse = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return colours * weight + coarse * (1 - weight)


def guided_filter(
    guide: torch.Tensor, source: torch.Tensor, radius: int, epsilon: float, large: torch.Tensor | None = None
) -> torch.Tensor:
    """Filter `source` [B,1,H,W] so that it follows the edges of colour `guide` [B,3,H,W] in 0..1.

    K. He, J. Sun, X. Tang, "Guided Image Filtering", ECCV 2010, equations 19 to 21 for a colour guide. `radius` is
    in pixels, `epsilon` in squared colour units. With `large`, the guide at a larger size, the result has that size:
    the linear coefficients found on the small one are applied to it ("Fast Guided Filter", 2015).
    """
    coefficients = box(_coefficients(guide, source, radius, epsilon), radius)
    if large is not None and large.shape != guide.shape:
        coefficients = F.interpolate(coefficients, size=large.shape[-2:], mode="bilinear", align_corners=False)
        guide = large
    result = coefficients[:, 3:].contiguous()
    for channel in range(3):
        result.addcmul_(coefficients[:, channel : channel + 1], guide[:, channel : channel + 1])
    return result


def _coefficients(guide: torch.Tensor, source: torch.Tensor, radius: int, epsilon: float) -> torch.Tensor:
    """Slope for red, green, blue and offset of the local linear model, [B,4,h,w].

    In double precision: a variance is the small difference of two means, and in single precision the matrix of a flat
    area comes out singular.
    """
    dtype = guide.dtype
    guide, source = guide.double(), source.double()
    red, green, blue = guide[:, 0:1], guide[:, 1:2], guide[:, 2:3]
    products = [red * red, red * green, red * blue, green * green, green * blue, blue * blue]
    means = box(torch.cat([guide, source, *products, guide * source], 1), radius)
    r, g, b, p, rr, rg, rb, gg, gb, bb, rp, gp, bp = means.unbind(1)
    rr, gg, bb = rr - r * r + epsilon, gg - g * g + epsilon, bb - b * b + epsilon
    rg, rb, gb = rg - r * g, rb - r * b, gb - g * b
    rp, gp, bp = rp - r * p, gp - g * p, bp - b * p
    i00, i01, i02 = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    i11, i12, i22 = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * i00 + rg * i01 + rb * i02
    slope_r = (i00 * rp + i01 * gp + i02 * bp) / determinant
    slope_g = (i01 * rp + i11 * gp + i12 * bp) / determinant
    slope_b = (i02 * rp + i12 * gp + i22 * bp) / determinant
    return torch.stack([slope_r, slope_g, slope_b, p - slope_r * r - slope_g * g - slope_b * b], 1).to(dtype)


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
    """Exact distances. Only the mask's surroundings are looked at."""
    from scipy import ndimage

    far = torch.full(mask.shape, float(limit), device=mask.device)
    reach = math.ceil(limit)
    rows, columns = (torch.nonzero(mask.any(axis))[:, 0] for axis in (1, 0))
    if not len(rows) or reach < 1:
        return torch.where(mask, 0.0, far)
    top, bottom = max(0, int(rows[0]) - reach), int(rows[-1]) + reach + 1
    left, right = max(0, int(columns[0]) - reach), int(columns[-1]) + reach + 1
    outside = ~mask[top:bottom, left:right].cpu().numpy()
    distances = torch.from_numpy(ndimage.distance_transform_edt(outside)).float()
    far[top:bottom, left:right] = distances.clamp_(max=limit).to(mask.device)
    return far


def smooth(ratio: torch.Tensor) -> torch.Tensor:
    """The smoothstep 3 t² - 2 t³ of t clamped to 0..1: level at both ends, so that no edge shows."""
    ratio = ratio.clamp(0, 1)
    return ratio * ratio * (3 - 2 * ratio)


@dataclass(frozen=True)
class Regions:
    """Labels [H,W] (0 is outside, regions count from 1) and each region's size in pixels."""

    labels: np.ndarray
    sizes: np.ndarray


def find_regions(mask: np.ndarray) -> Regions:
    """4-connected regions of a boolean mask [H,W]."""
    from scipy import ndimage

    labels = np.empty(mask.shape, np.int32)
    ndimage.label(mask, output=labels)
    return Regions(labels, np.bincount(labels.ravel(), minlength=1)[1:])


def touches_border(regions: Regions) -> np.ndarray:
    """For each region whether it reaches the picture's border, [regions] bool."""
    labels = regions.labels
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    reached = np.zeros(len(regions.sizes) + 1, dtype=bool)
    reached[border] = True
    return reached[1:]


def inside_outlines(*outlines: np.ndarray, height: int, width: int) -> torch.Tensor:
    """Which pixels [height,width] lie within any of the closed outlines [N,2], (x, y) in pixels."""
    canvas = Image.new("1", (width, height))
    draw = ImageDraw.Draw(canvas)
    for outline in outlines:
        draw.polygon([(float(x), float(y)) for x, y in outline], fill=1)
    return torch.from_numpy(np.array(canvas))
