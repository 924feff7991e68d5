"""The seam between two pictures: how large its step in colour is, and a correction that takes the step away."""

from __future__ import annotations

import torch

from .colour import to_lab
from .distance import distance_to
from .filters import soft_blur

SAME_CONTENT = 20.0
"""CIELAB difference beyond which two pixels count as different things, not as one thing in two tints."""

REACH = 0.25
"""How far the correction reaches from the seam, as a share of the square root of the protected area."""

BAND = 0.12
"""How far from the seam the two pictures are compared, as a share of the same."""


def seam_step(picture: torch.Tensor, keep: torch.Tensor) -> float | None:
    """Mean CIELAB difference (CIE 1976) between neighbouring pixels on the two sides of a mask's border.

    picture: [H,W,3] in 0..1. keep: boolean [H,W]. Neighbours are left and right, above and below. None without border.
    """
    lab = to_lab(picture)
    total, count = 0.0, 0
    for axis in (0, 1):
        length = keep.shape[axis] - 1
        crosses = keep.narrow(axis, 0, length) ^ keep.narrow(axis, 1, length)
        step = lab.narrow(axis, 0, length)[crosses] - lab.narrow(axis, 1, length)[crosses]
        total += float(step.norm(dim=-1).sum())
        count += int(crosses.sum())
    return total / count if count else None


def same_content(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """How far two pictures [H,W,3] show the same thing at each place: [H,W], 1 for equal colours, towards 0 beyond
    SAME_CONTENT."""
    unlike = (to_lab(one) - to_lab(other)).norm(dim=-1)
    return torch.exp(-((unlike / SAME_CONTENT) ** 2))


def colour_field(
    original: torch.Tensor, generated: torch.Tensor, distance: torch.Tensor, reach: float, band: float
) -> torch.Tensor:
    """What to add to `generated` so that its colours meet `original`'s along the seam: [H,W,3].

    distance: [H,W], pixels from the seam on either side. The difference of the two pictures is taken within `band`
    pixels of the seam and only where both show the same thing (see SAME_CONTENT), smoothed, and fades out over
    `reach` pixels and where the corrected picture still shows something else: texture, a new background and far
    surroundings stay as they were generated.
    """
    difference = original - generated
    trust = same_content(original, generated) * (distance <= band)
    known = torch.cat([(difference * trust[..., None]).permute(2, 0, 1), trust[None]])[None]
    sigma = max(1.0, band)
    spread = soft_blur(known, sigma)[0]
    # A little weight on "no correction", so that nothing is made of the last traces of a far band.
    field = (spread[:3] / (spread[3:] + 0.02)).permute(1, 2, 0)
    fade = torch.exp(-((distance / max(reach, 1.0)) ** 2))
    alike = soft_blur(same_content(original, generated + field)[None, None], sigma / 3)[0, 0]
    return field * (fade * alike)[..., None]


def border_distance(keep: torch.Tensor, outside: torch.Tensor, limit: float) -> torch.Tensor:
    """Pixels from the border of a boolean mask [H,W] on either side; `outside` is the distance to the mask."""
    return torch.where(keep, distance_to(~keep, limit), outside.clamp(max=limit))
