"""Fast local averages on [B,C,H,W]: box, soft blur, growing and shrinking of masks, filling of unknown colours."""

from __future__ import annotations

import torch
import torch.nn.functional as F

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
