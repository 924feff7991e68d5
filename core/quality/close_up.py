"""A level close-up of the face at a fixed scale, with its landmarks and the person's own skin colour.

At one scale for every photo, so that a width in pixels is the same width on every face.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..faces import mesh as p
from ..faces.anthropometry import EYE_TO_CHIN
from ..faces.mesh import CHIN, LEFT_CHEEK, RIGHT_CHEEK
from ..imaging.colour import LUMINANCE, to_lab
from ..imaging.filters import inside_outlines
from ..imaging.tensors import planes
from ..imaging.warp import Cut, rotate, sample

if TYPE_CHECKING:
    from .aligned_face import Portrait

SIDE = 400
"""Of the close-up, in pixels."""

UNIT = 90.0
"""Pixels of the close-up between the eyes of a face seen from the front (63 mm, Dodgson 2004)."""

EYES_AT = (SIDE / 2, 0.47 * SIDE)
"""Where the middle between the eyes lies, (x, y)."""


@dataclass(frozen=True, eq=False)
class CloseUp:
    """The face, level, [SIDE,SIDE,3] in 0..1, and in its pixels: points [468,2], lids and irises of both eyes.

    inside: [SIDE,SIDE] bool, where the photo reaches. cut: where it lies in the photo. scale: pixels of the photo per
    pixel of the close-up.
    """

    pixels: np.ndarray
    inside: np.ndarray
    points: np.ndarray
    lids: tuple[np.ndarray, np.ndarray]
    irises: tuple[np.ndarray, np.ndarray]
    radii: tuple[float, float]
    scale: float
    cut: Cut

    @cached_property
    def light(self) -> np.ndarray:
        """Luma [SIDE,SIDE] in 0..1, on the picture's own (gamma) scale (ITU-R BT.709 weights)."""
        return self.pixels @ np.array(LUMINANCE, np.float32)

    @cached_property
    def lab(self) -> np.ndarray:
        """CIE L*a*b* (D65) [SIDE,SIDE,3]."""
        return to_lab(torch.from_numpy(np.ascontiguousarray(self.pixels, np.float32))).numpy()

    @cached_property
    def cheeks(self) -> np.ndarray:
        """Bool [SIDE,SIDE]: bare skin on both cheeks."""
        return self.mask(self.points[list(LEFT_CHEEK)], self.points[list(RIGHT_CHEEK)])

    def mask(self, *contours: np.ndarray) -> np.ndarray:
        """Bool [SIDE,SIDE]: inside any of the closed contours [N,2]; the picture only, not beyond the photo's edge."""
        return inside_outlines(*contours, height=SIDE, width=SIDE).numpy() & self.inside

    def hull(self, points: np.ndarray, grow: float = 0.0) -> np.ndarray:
        """Bool [SIDE,SIDE]: inside the convex hull of points [N,2], moved outwards by `grow` pixels."""
        around = convex_hull(points)
        if grow:
            away = around - around.mean(0)
            around = around + grow * away / np.maximum(np.hypot(*away.T)[:, None], 1e-6)
        return self.mask(around)


def close_up(portrait: Portrait) -> CloseUp:
    """The close-up of the portrait's face."""
    mesh = portrait.mesh
    left, right = mesh.eyes
    middle = (left.centre + right.centre) / 2
    unit = max(mesh.eye_distance, float(np.hypot(*(mesh.points[CHIN, :2] - middle))) / EYE_TO_CHIN)
    scale = unit / UNIT
    x, y = rotate(np.asarray(middle, np.float64)[None], (0.0, 0.0), -mesh.roll)[0]
    x, y = x + (SIDE / 2 - EYES_AT[0]) * scale, y + (SIDE / 2 - EYES_AT[1]) * scale
    cut = Cut(float(x), float(y), SIDE * scale, SIDE * scale, (0.0, 0.0), mesh.roll)
    seen, inside = sample(planes(portrait.photo[None]).float(), cut, SIDE, SIDE)

    def here(points: np.ndarray) -> np.ndarray:
        level = rotate(np.asarray(points, np.float64), (0.0, 0.0), -mesh.roll)
        return (level - [x, y]) / scale + SIDE / 2

    return CloseUp(
        pixels=seen[0].permute(1, 2, 0).cpu().numpy(),
        inside=inside[0, 0].cpu().numpy() > 0.5,
        points=here(mesh.points[:, :2]),
        lids=(here(left.lids), here(right.lids)),
        irises=(here(left.iris[None])[0], here(right.iris[None])[0]),
        radii=(left.radius / scale, right.radius / scale),
        scale=scale,
        cut=cut,
    )


def convex_hull(points: np.ndarray) -> np.ndarray:
    """The corners of the convex hull of points [N,2], in order (Andrew's monotone chain)."""
    order = sorted(map(tuple, np.asarray(points, np.float64)))

    def chain(spots: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        found: list[tuple[float, ...]] = []
        for spot in spots:
            while len(found) > 1 and _turn(found[-2], found[-1], spot) <= 0:
                found.pop()
            found.append(spot)
        return found[:-1]

    return np.array(chain(order) + chain(order[::-1]))


def _turn(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


NOSE_RIDGE = (168, 6, 197, 195, 51, 281, 193, 417)
BROW_MIDDLE = (151, 9, 108, 337, 107, 336)
"""Points round the ridge of the nose, and between and above the brows."""

OTHER_COLOUR = 17.0
DARKER, LIGHTER = 35.0, 22.0
"""From where on a pixel is not this skin: chroma difference and differences of L*. Shadows and highlights of official
portraits stay within them for all but a few per cent of the face."""

OF_ITS_OWN, LEAST_OF_ITS_OWN = 0.75, 14.0
"""Another colour in proportion to the skin's own: three quarters of its chroma away from it, but no less than this.
Chosen with 535 official portraits in view and covers planted into 60 of them; covers on 60 others confirm it."""

GREY = 4.0
"""Chroma of the skin below which the photo counts as black and white: skin has 10 to 35."""


@dataclass(frozen=True, eq=False)
class Skin:
    """The person's skin, CIE L*a*b* [3], and the difference of every pixel of the close-up from it, [SIDE,SIDE,3]."""

    colour: np.ndarray
    away: np.ndarray

    @cached_property
    def grey(self) -> bool:
        """Whether the photo has no colour to go by."""
        return float(np.hypot(*self.colour[1:])) < GREY

    @cached_property
    def other_colour(self) -> np.ndarray:
        """Bool: another hue than skin in light or shade has (blue-yellow varies most with the light)."""
        return _chroma(self.away) > OTHER_COLOUR

    @cached_property
    def other_colour_for_its_own(self) -> np.ndarray:
        """Bool: as `other_colour`, by a distance in proportion to the skin's own chroma: for places next to dark ones.

        Lashes, eye make-up and deep shade have hardly any colour, so that they lie about as far from the skin as grey
        does: further, the stronger the skin's colour. A fixed distance calls them covers on such skin only.
        """
        return _chroma(self.away) > max(LEAST_OF_ITS_OWN, OF_ITS_OWN * float(_chroma(self.colour)))

    @cached_property
    def unlike(self) -> np.ndarray:
        """Bool: not this skin, by colour or lightness."""
        return self.other_colour | (self.away[..., 0] < -DARKER) | (self.away[..., 0] > LIGHTER)


def _chroma(lab: np.ndarray) -> np.ndarray:
    """Distance from grey, or of a difference, with blue-yellow counting less; of [...,3]."""
    return np.hypot(lab[..., 1], 0.7 * lab[..., 2])


def skin_of(view: CloseUp) -> Skin:
    """The skin by the median of cheeks, nose and forehead, so that one of them may be covered."""
    spots = view.points
    areas = (view.cheeks, view.hull(spots[list(NOSE_RIDGE)]), view.hull(spots[list(BROW_MIDDLE)]))
    colour = np.median(
        [np.median(view.lab[area], 0) for area in areas if area.any()] or [view.lab[view.inside].mean(0)], 0
    )
    return Skin(colour, view.lab - colour)


def lips(view: CloseUp, grow: float = 0.0) -> np.ndarray:
    """Bool: the hull of the lips, moved outwards by `grow` pixels."""
    return view.hull(view.points[[*p.UPPER_LIP_OUTSIDE, *p.LOWER_LIP_OUTSIDE]], grow)


def open_mouth(view: CloseUp) -> np.ndarray:
    """Bool: between the lips."""
    spots = view.points
    return view.mask(np.vstack([spots[list(p.UPPER_LIP_INSIDE)], spots[list(p.LOWER_LIP_INSIDE)][::-1]]))


def share(of: np.ndarray, where: np.ndarray) -> float:
    """The share of `where` that `of` covers, 0..1; 0 where there is nothing."""
    return float((of & where).sum() / max(int(where.sum()), 1))
