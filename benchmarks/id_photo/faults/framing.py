"""Faults of framing, planted into finished ID photos: the head beside the middle, too small, too large, too low.

`FAULTS[name](photo, portrait, strength, rng)` as in photometric.py. The frame is moved over the photo; where it then
leaves the photo, the wall goes on in the colour of the photo's upper corners, and the shoulders by their edge.
Strength 0 is just outside of what ICAO allows, 1 is what anybody sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from likeness_studio.core.quality import Portrait

SHOULDERS = 0.55
"""Height in a photo, -1 at the top and 1 at the bottom, from which shoulders reach its sides: in a photo of ICAO's
proportions the chin is at about 0.6."""

Plant = Callable[[torch.Tensor, "Portrait", float, np.random.Generator], torch.Tensor]


def off_centre(photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """The face's middle 8 to 18 % of the width beside the photo's; 5 % is allowed."""
    side = int(rng.choice([-1, 1]))
    middle = (portrait.mesh.eyes[0].centre + portrait.mesh.eyes[1].centre)[0] / 2 / photo.shape[1] - 0.5
    return reframed(photo, 1.0, middle - side * (0.08 + 0.10 * strength), 0.0)


def small_head(photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """The head at 80 to 55 % of its size, as of somebody further away, or of a child in an adult's frame."""
    return reframed(photo, 1 / (0.80 - 0.25 * strength), 0.0, 0.0, anchor=1.0)


def large_head(photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """The head at 122 to 140 % of its size, about the photo's middle: the frame is too tight."""
    return reframed(photo, 1 / (1.22 + 0.18 * strength), 0.0, 0.0)


def low_head(photo: torch.Tensor, portrait: Portrait, strength: float, rng: np.random.Generator) -> torch.Tensor:
    """The whole head lower by 12 to 20 % of the height: too much room above it."""
    return reframed(photo, 1.0, 0.0, -(0.12 + 0.08 * strength))


def reframed(photo: torch.Tensor, size: float, right: float, down: float, anchor: float = 0.5) -> torch.Tensor:
    """The photo [H,W,3] through another frame of the same pixels.

    `size`: of the frame, in sizes of the photo; `right`, `down`: how far it moves, as shares of the sides. `anchor`:
    the height at which a resized frame stays, 0 is the top edge and 1 the bottom edge.
    """
    height, width = photo.shape[:2]
    ys = (torch.arange(height) + 0.5) / height
    xs = (torch.arange(width) + 0.5) / width
    at_y = anchor + (ys - anchor) * size + down
    at_x = 0.5 + (xs - 0.5) * size + right
    grid = torch.stack(torch.meshgrid(at_x, at_y, indexing="xy"), -1)[None] * 2 - 1
    planes = photo.permute(2, 0, 1)[None]
    if size > 1:
        small = (max(2, round(height / size)), max(2, round(width / size)))
        planes = F.interpolate(planes, size=small, mode="bilinear", antialias=True)
    moved = F.grid_sample(planes, grid.to(photo.dtype), mode="bicubic", padding_mode="border", align_corners=False)
    outside = (grid[0].abs() > 1).any(-1) & (grid[0, ..., 1] < SHOULDERS)
    return torch.where(outside[..., None], _wall(photo), moved[0].permute(1, 2, 0)).clamp(0, 1)


def _wall(photo: torch.Tensor) -> torch.Tensor:
    """The colour [3] of the upper corners."""
    size = max(2, photo.shape[0] // 40)
    corners = torch.cat([photo[:size, :size].reshape(-1, 3), photo[:size, -size:].reshape(-1, 3)])
    return corners.median(0).values


FAULTS: dict[str, Plant] = {plant.__name__: plant for plant in (off_centre, small_head, large_head, low_head)}

MEASURES = {
    "off_centre": ("centring",),
    "small_head": ("head_height",),
    "large_head": ("head_height",),
    "low_head": ("eye_line",),
}
"""The checks that must object to each."""
