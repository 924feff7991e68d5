"""The guided filter: a mask takes over the edges of a picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .filters import box
from .tensors import resize


def guided_filter(
    guide: torch.Tensor, source: torch.Tensor, radius: int, epsilon: float, step: int = 1
) -> torch.Tensor:
    """Filter `source` [B,1,H,W] so that it follows the edges of colour `guide` [B,3,H,W] in 0..1.

    K. He, J. Sun, X. Tang, "Guided Image Filtering", ECCV 2010, equations 19 to 21 for a colour guide. `radius` is
    in pixels, `epsilon` in squared colour units. With `step` > 1 the linear coefficients are found on a picture
    shrunk by `step` and applied at full size ("Fast Guided Filter", 2015).
    """
    height, width = guide.shape[-2:]
    size = (max(1, height // step), max(1, width // step))
    small = resize(guide, *size)
    coefficients = _coefficients(small, resize(source, *size), max(1, radius // step), epsilon)
    coefficients = box(coefficients, max(1, radius // step))
    if size != (height, width):
        coefficients = F.interpolate(coefficients, size=(height, width), mode="bilinear", align_corners=False)
    return (coefficients[:, :3] * guide).sum(1, keepdim=True).add_(coefficients[:, 3:])


def _coefficients(guide: torch.Tensor, source: torch.Tensor, radius: int, epsilon: float) -> torch.Tensor:
    """Slope for red, green, blue and offset of the local linear model, [B,4,h,w]."""
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
    return torch.stack([slope_r, slope_g, slope_b, p - slope_r * r - slope_g * g - slope_b * b], 1)
