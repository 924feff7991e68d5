"""The seam between two pictures: how large its step in colour is, and a correction that takes the step away."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from ..imaging.colour import to_lab
from ..imaging.distance import distance_to
from ..imaging.filters import soft_blur
from ..imaging.tensors import resize

SAME_CONTENT = 20.0
"""CIELAB difference beyond which two pixels count as different things, not as one thing in two tints."""

REACH = 0.25
"""How far the correction reaches from the seam, as a share of the square root of the protected area."""

BAND = 0.12
"""How far from the seam the two pictures are compared, as a share of the same."""

FADED = 2.5
"""Where nothing is left of the correction, in reaches."""

FINE = 20
"""Pixels that the reach is worked out on: the correction is slow, so small pictures are enough."""


def seam_step(picture: torch.Tensor, keep: torch.Tensor) -> float | None:
    """Mean CIELAB difference (CIE 1976) between neighbouring pixels on the two sides of a mask's border.

    picture: [H,W,3] in 0..1. keep: boolean [H,W]. Neighbours are left and right, above and below. None without border.
    """
    total, count = 0.0, 0
    for axis in (0, 1):
        length = keep.shape[axis] - 1
        crosses = keep.narrow(axis, 0, length) ^ keep.narrow(axis, 1, length)
        step = to_lab(picture.narrow(axis, 0, length)[crosses]) - to_lab(picture.narrow(axis, 1, length)[crosses])
        total += float(step.norm(dim=-1).sum())
        count += int(crosses.sum())
    return total / count if count else None


def same_content(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """How far two pictures [H,W,3] show the same thing at each place: [H,W], 1 for equal colours, towards 0 beyond
    SAME_CONTENT."""
    unlike = (to_lab(one) - to_lab(other)).norm(dim=-1)
    return torch.exp(-((unlike / SAME_CONTENT) ** 2))


def led_to(original: torch.Tensor, generated: torch.Tensor, keep: torch.Tensor, strength: float) -> torch.Tensor:
    """`generated` [H,W,3] with its colours led to `original`'s along the border of `keep`, boolean [H,W].

    The difference of the two pictures is taken near the border on both sides and only where they show the same thing
    (see SAME_CONTENT), smoothed, and fades out with the distance and where the corrected picture still shows something
    else: texture, a new background and far surroundings stay as they were generated. It is a slow field, so it is
    worked out on small pictures.
    """
    height, width = keep.shape
    reach = REACH * math.sqrt(float(keep.sum()))
    block = max(1, round(reach / FINE))
    size = (max(1, height // block), max(1, width // block))
    small = resize(
        torch.cat([original, generated, keep[..., None].to(original.dtype)], -1).permute(2, 0, 1)[None], *size
    )
    own, new, inside = (part[0].permute(1, 2, 0) for part in small.split([3, 3, 1], 1))
    field = _colour_field(own, new, inside[..., 0] >= 0.5, max(1.0, reach / block))
    field = F.interpolate(field.permute(2, 0, 1)[None], (height, width), mode="bilinear", align_corners=False)
    field = field[0].permute(1, 2, 0)
    alike = soft_blur(same_content(original, generated + field)[None, None], max(1.0, BAND / REACH * reach / 3))[0, 0]
    return (generated + strength * alike[..., None] * field).clamp(0, 1)


def _colour_field(original: torch.Tensor, generated: torch.Tensor, keep: torch.Tensor, reach: float) -> torch.Tensor:
    """What to add to `generated` [h,w,3] so that its colours meet `original`'s along the border of `keep`."""
    limit = FADED * reach
    distance = torch.where(keep, distance_to(~keep, limit), distance_to(keep, limit))
    band = max(2.0, BAND / REACH * reach)
    trust = same_content(original, generated) * (distance <= band)
    known = torch.cat([((original - generated) * trust[..., None]).permute(2, 0, 1), trust[None]])[None]
    spread = soft_blur(known, band)[0]
    # A little weight on "no correction", so that nothing is made of the last traces of a far band.
    field = spread[:3] / (spread[3:] + 0.02)
    return (field * torch.exp(-((distance / reach) ** 2)) * (distance < limit)).permute(1, 2, 0)
