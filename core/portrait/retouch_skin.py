"""Retouches of spots in the face: pupils that shine red from a flash, and skin that shines.

Both change pixels only where their fault is. Nothing is smoothed: shine loses its slow part, pores keep theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch

from ..faces import mesh as points
from ..imaging.colour import luminance, to_display, to_lab, to_linear
from ..imaging.filters import inside_outlines, shrink, smooth, soft_blur
from ..quality.aligned_face import Portrait
from ..quality.light import PUPIL, RED, red_eye
from .retouch_step import Step, nothing_done

RED_SHARE = 0.05
"""The share of the pupil that must shine red. All of 72 official portraits have 0."""

REACH = 0.75
"""How far from the iris' middle red is taken away, in its radii: a pupil in the dark is wide, and flares."""

LEAST_RED = 12.0
"""CIELAB a* from which the rim of a red pupil is led to black: half of what brown irises reach is spared by `REACH`."""

PUPIL_LIGHT = 0.45
"""A pupil that was red keeps so much of its green and blue light: it is dark, its catch light stays."""


def remove_red_eye(portrait: Portrait) -> Step:
    """Darken and desaturate pupils that shine red."""
    share = red_eye(portrait).value
    measured = {"red_share_of_pupil": share}
    if share is None:
        return nothing_done("red_eye", portrait.photo, "The pupils are not seen.", measured)
    if share < RED_SHARE:
        return nothing_done("red_eye", portrait.photo, "No pupil shines red.", measured)
    photo = portrait.photo.clone()
    for eye in portrait.mesh.eyes:
        _darken_pupil(photo, eye)
    return Step("red_eye", photo, measured, {}, "Red was taken out of the pupils.")


def measure_red(portrait: Portrait) -> dict[str, Any]:
    """The measure that `remove_red_eye` goes by."""
    return {"red_share_of_pupil": red_eye(portrait).value}


def _darken_pupil(photo: torch.Tensor, eye: points.Eye) -> None:
    """Change the pupil of one eye in `photo` [H,W,3], where it is red."""
    x, y, radius = float(eye.iris[0]), float(eye.iris[1]), eye.radius
    reach = int(np.ceil(radius)) + 2
    left, top = max(0, int(x) - reach), max(0, int(y) - reach)
    square = photo[top : int(y) + reach + 1, left : int(x) + reach + 1]
    if 0 in square.shape:
        return
    rows, columns = np.mgrid[top : top + square.shape[0], left : left + square.shape[1]]
    away = torch.from_numpy(np.hypot(columns - x, rows - y) / max(radius, 1e-3)).float()
    lids = np.concatenate([eye.lids[:9], eye.lids[:8:-1]]) - [left, top]
    opening = inside_outlines(lids, height=square.shape[0], width=square.shape[1])
    lab = to_lab(square)
    pupil = (away <= PUPIL) & opening
    if not bool((pupil & (lab[..., 1] > RED)).any()):
        return
    near = 1 - smooth((away - PUPIL) / (REACH - PUPIL))
    red = smooth((lab[..., 1] - LEAST_RED) / (RED - LEAST_RED)) * near * opening
    linear = to_linear(square)
    grey = linear[..., 1:].mean(-1, keepdim=True) * PUPIL_LIGHT
    square.copy_(to_display(torch.lerp(linear, grey.expand_as(linear), red[..., None])).clamp(0, 1))


LEVEL = 0.45
"""Standard deviation of the blur that gives the skin's local level, in eye distances."""

SLOW = 0.03
"""Standard deviation of the blur below which light counts as texture, in eye distances: 2 mm, wider than pores."""

GLOSS = 0.2
"""Linear light, added to the skin's own, that its shiniest hundredth must have to be a fault. A difference, unlike a
ratio, does not grow with the darkness of the skin: what a surface throws back is added, whatever lies below. Planted
shine of 0.3 lies at 0.26 in the median, 40 official portraits without any at 0.17; a quarter of these lie above,
and 11 of 24 others."""

MATT = 0.05
"""What is added beyond this is compressed."""

KEPT = 0.2
"""Of what is added, strength 1 leaves so much: skin without any shine looks like paint."""


def reduce_shine(portrait: Portrait, strength: float) -> Step:
    """Compress light that is added to the skin's own where it is slow, and leave the skin's texture and hue."""
    field = _shine(portrait)
    measured = {"light_added": field.strongest}
    if field.strongest < GLOSS:
        return nothing_done("shine", portrait.photo, "The skin does not shine.", measured)
    photo = portrait.photo.clone()
    square = photo[field.box]
    linear = to_linear(square)
    light = luminance(linear)[..., None]
    taken = torch.minimum(strength * (1 - KEPT) * field.excess[..., None], 0.8 * light)
    # White light is taken away; where it had run over, the colour below is that of the skin beside it.
    rest = (linear - taken).clamp_min(0)
    own = field.colour * luminance(rest)[..., None]
    changed = torch.lerp(rest, own, (taken / light.clamp_min(1e-3)).clamp(0, 1))
    changed = changed * ((light - taken) / luminance(changed)[..., None].clamp_min(1e-4))
    square.copy_(torch.where(taken > 0, to_display(changed).clamp(0, 1), square))
    return Step("shine", photo, measured, {"strength": strength}, "Shine was compressed.")


def measure_shine(portrait: Portrait) -> dict[str, Any]:
    """The measure that `reduce_shine` goes by."""
    return {"light_added": _shine(portrait).strongest}


@dataclass(frozen=True, eq=False)
class _Shine:
    """Inside `box` (rows, columns) of the photo: the slow light to be compressed [h,w]; the skin's own colour [3], of
    luminance 1; and what is added to the light of the skin's shiniest hundredth."""

    box: tuple[slice, slice]
    excess: torch.Tensor
    colour: torch.Tensor
    strongest: float


def _shine(portrait: Portrait) -> _Shine:
    """A place shines where it is lighter than the skin round it and its colour paler: shading leaves the colour."""
    mesh = portrait.mesh
    spots, unit = mesh.points[:, :2].astype(np.float64), mesh.eye_distance
    height, width = portrait.photo.shape[:2]
    low, high = spots.min(0) - 0.3 * unit, spots.max(0) + 0.3 * unit
    rows = slice(max(0, int(low[1])), max(1, min(height, int(high[1]))))
    columns = slice(max(0, int(low[0])), max(1, min(width, int(high[0]))))
    square = portrait.photo[rows, columns]
    skin = _skin(spots - [columns.start, rows.start], unit, *square.shape[:2])
    if not bool(skin.any()):
        return _Shine((rows, columns), torch.zeros(square.shape[:2]), torch.ones(3), 0.0)
    linear = to_linear(square)
    seen = skin.float()[None, None]
    slow = _mean_round(linear, seen, SLOW * unit)
    light = luminance(slow)
    colour = linear[skin & (light <= light[skin].median())].mean(0)
    colour = colour / luminance(colour).clamp_min(1e-4)
    # White light s on a skin of that colour: darkest = own * (light - s) + s.
    own = float(colour.amin().clamp(0, MOST_PALE))
    added = (slow.amin(-1) - own * light) / (1 - own)
    both = torch.stack([light, added], -1)
    above = (both - _mean_round(both, seen, LEVEL * unit)).amin(-1)
    edge = smooth(soft_blur(seen, 0.05 * unit)[0, 0] * 2 - 1)
    excess = torch.where(above > MATT, (above - MATT) * smooth((above - MATT) / MATT), 0.0) * edge
    strongest = float(above[skin].sort().values[int(0.99 * (int(skin.sum()) - 1))])
    return _Shine((rows, columns), soft_blur(excess[None, None], SLOW * unit)[0, 0], colour, strongest)


MOST_PALE = 0.8
"""The palest skin: the darkest channel's share of its luminance."""


def _mean_round(values: torch.Tensor, weight: torch.Tensor, sigma: float) -> torch.Tensor:
    """The mean of `values` [h,w,C] round each place, counted by `weight` [1,1,h,w]."""
    both = torch.cat([values.permute(2, 0, 1)[None] * weight, weight], 1)
    seen = soft_blur(both, sigma)[0]
    return (seen[:-1] / seen[-1:].clamp_min(1e-6)).permute(1, 2, 0)


def _skin(spots: np.ndarray, unit: float, height: int, width: int) -> torch.Tensor:
    """Bool [height,width]: the face without eyes, brows, lips and nostrils; the mesh ends at the hairline."""

    def part(*which: tuple[int, ...]) -> torch.Tensor:
        return inside_outlines(*(spots[list(each)] for each in which), height=height, width=width)

    face = part(points.OVAL)
    inner = shrink(face.float()[None, None], round(0.06 * unit))[0, 0] > 0.5
    features = reduce(
        torch.logical_or,
        [
            part((*points.UPPER_LIP_OUTSIDE, *points.LOWER_LIP_OUTSIDE[::-1])),
            *(part((*top, *bottom[::-1])) for top, bottom in _BROWS),
            *(part(ring) for ring in _EYES),
            part(points.NOSTRILS),
        ],
    )
    return inner & (shrink(1 - features.float()[None, None], round(0.05 * unit))[0, 0] > 0.5)


_BROWS = (
    (points.LEFT_BROW_TOP, points.LEFT_BROW_BOTTOM),
    (points.RIGHT_BROW_TOP, points.RIGHT_BROW_BOTTOM),
)
_EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
"""The lids of both eyes in the mesh's numbering, closed rings."""
