"""The person's own skin as a colour, and which places of the close-up do not look like it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..faces import points as p

if TYPE_CHECKING:
    from .close_up import CloseUp

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
