"""The background of a photo: plain, even, of the right colour, without the person's shadow.

Measured beside and above the head down to the chin's height below the eyes, where the matte is sure that nobody is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from ..imaging.colour import parse_colour, to_lab
from ..imaging.filters import grow, soft_blur
from .aligned_face import linear_luminance
from .checks import Measure

if TYPE_CHECKING:
    from .aligned_face import Portrait

NOBODY = 0.05
"""Up to this matte a pixel is background."""

MARGIN = 12
"""Pixels of the surroundings (0.15 eye distances) kept away from the person: single hairs reach that far out."""

EDGE = 3
"""Pixels kept away from the photo's edge: scans and frames."""

FEWEST = 2000
"""Fewer pixels than this tell nothing: a third of an eye distance squared."""

FINE, SMOOTH = 1.0, 14.0
"""Standard deviations in pixels of the surroundings: finer is the camera's grain, coarser is light and shadow."""

DARK, LIGHT = 0.03, 0.85
"""Percentiles between which the light on the wall is compared."""

NAMES = (
    "background_uniformity",
    "background_lightness",
    "background_colour",
    "background_shadow",
    "background_pattern",
)

SCHARR = ((-3.0, 0.0, 3.0), (-10.0, 0.0, 10.0), (-3.0, 0.0, 3.0))
"""OpenCV's Sobel with kernel size -1, which OFIQ uses."""


@dataclass(frozen=True, eq=False)
class Wall:
    """What is seen behind the person, at the scale of the surroundings.

    image: [H,W,3] display values without the camera's grain. where: [H,W] bool, background for certain. lab: the same
    in CIELAB [H,W,3].
    """

    image: torch.Tensor
    where: torch.Tensor
    lab: torch.Tensor

    @cached_property
    def smooth(self) -> torch.Tensor:
        """Its L* [N] where it is background, smoothed over a sixth of the eye distance: the light on the wall."""
        return _average(self.lab[None, None, ..., 0], self.where, SMOOTH)[0, 0][self.where]


def measure_background(portrait: Portrait, allowed: Sequence[str] = ()) -> list[Measure]:
    """All measures of the background; without a matte, or with none of it in sight, their values are None."""
    wall = find_wall(portrait)
    if isinstance(wall, str):
        return [Measure(name, None, detail=wall) for name in NAMES]
    return [
        background_uniformity(wall),
        background_lightness(wall),
        background_colour(wall, allowed),
        background_shadow(wall),
        background_pattern(wall),
    ]


def find_wall(portrait: Portrait) -> Wall | str:
    """The background in the portrait's surroundings, or a sentence that says why there is none."""
    seen = portrait.surroundings
    if seen.matte is None:
        return "Nothing says where the person is; give the person's mask."
    frame = _extent(seen.inside)
    people = (seen.matte[frame] > NOBODY).float()
    outside = (~seen.inside[frame]).float()
    where = (grow(people[None, None], MARGIN) + grow(outside[None, None], EDGE))[0, 0] == 0
    if int(where.sum()) < FEWEST:
        return "The person fills the picture: there is too little background to measure."
    rest = _extent(where)
    image, where = seen.image[frame][rest], where[rest]
    calm = _average(image.permute(2, 0, 1)[None], where, FINE)[0].permute(1, 2, 0)
    return Wall(calm, where, to_lab(calm))


def _extent(mask: torch.Tensor) -> tuple[slice, slice]:
    """Rows and columns from the first to the last that hold anything."""
    rows, columns = (torch.nonzero(mask.any(axis)).flatten() for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def background_uniformity(wall: Wall) -> Measure:
    """The mean gradient of the background's luminance: ISO/IEC 29794-5 (luminance 0..255, Scharr filter), 0 is plain.

    Same scale as OFIQ's, with three differences: the matte instead of a face parser says what background is, pixels
    near the person are left out by distance, and a wider frame is looked at; and the camera's grain is averaged out,
    which on a small photo of a white wall would count more than a pattern.
    """
    light = linear_luminance(wall.image) * 255
    kernel = torch.tensor(SCHARR)
    kernels = torch.stack([kernel, kernel.T])[:, None]
    slopes = F.conv2d(F.pad(light[None, None], (1, 1, 1, 1), mode="replicate"), kernels)[0]
    value = float(torch.hypot(slopes[0], slopes[1])[wall.where].mean())
    return Measure("background_uniformity", value, "gradient", source="ISO/IEC 29794-5, OFIQ; other mask")


def background_lightness(wall: Wall) -> Measure:
    """The background's mean CIELAB L*, 0 (black) to 100 (white)."""
    lightness = wall.lab[..., 0][wall.where]
    spread = float(lightness.std())
    return Measure("background_lightness", float(lightness.mean()), "L*", detail=f"Spread {spread:.1f}.", source="own")


def background_colour(wall: Wall, allowed: Sequence[str]) -> Measure:
    """The CIELAB distance (CIE 1976) of the background's mean colour to the nearest of `allowed` (``#rrggbb``, names).

    Raises BadColour for what is not a colour.
    """
    if not allowed:
        return Measure("background_colour", None, detail="No colour is asked for.", source="CIELAB 1976")
    mean = wall.lab[wall.where].mean(0)
    wanted = to_lab(torch.tensor([parse_colour(text) for text in allowed]))
    distances = (wanted - mean).norm(dim=-1)
    nearest = int(distances.argmin())
    detail = f"Nearest to {allowed[nearest]}: L* {mean[0]:.0f}, a* {mean[1]:.0f}, b* {mean[2]:.0f}."
    return Measure("background_colour", float(distances[nearest]), "CIELAB", detail=detail, source="CIELAB 1976")


def background_shadow(wall: Wall) -> Measure:
    """How much darker the darkest part of the wall is than its lit part, in L* (>= 0): shadow, or light that falls off.

    Smoothed over a sixth of the eye distance, so that patterns average out; 85th minus 3rd percentile.
    """
    dark, light = np.quantile(wall.smooth.numpy(), [DARK, LIGHT])
    return Measure("background_shadow", float(light - dark), "L*", source="own")


def background_pattern(wall: Wall) -> Measure:
    """How much the wall's colour varies from place to place, in CIELAB units (root mean square), light apart.

    L* is compared with its own smooth course, which light and shadow make; a* and b* with their mean: a plain wall has
    one colour.
    """
    lab = wall.lab[wall.where]
    rest = lab - lab.mean(0)
    rest[:, 0] = lab[:, 0] - wall.smooth
    return Measure("background_pattern", float(rest.square().sum(-1).mean().sqrt()), "CIELAB", source="own")


def _average(planes: torch.Tensor, where: torch.Tensor, sigma: float) -> torch.Tensor:
    """[1,C,H,W] blurred over the background alone."""
    weight = where.float()[None, None]
    joined = soft_blur(torch.cat([planes * weight, weight], 1), sigma)
    return joined[:, :-1] / joined[:, -1:].clamp_min(1e-3)
