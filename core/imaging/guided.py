"""The guided filter: a mask takes over the edges of a picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .filters import box


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
