"""What covers a face: a mask or a hand over the mouth, hair or cloth over the face, a hat on the head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..faces import points as p
from .close_up import SIDE, UNIT
from .measure import Measure
from .skin import lips, open_mouth, share

if TYPE_CHECKING:
    from .close_up import CloseUp
    from .skin import Skin

LIP_CONTRAST = 3.0
"""How much redder (a* less b*) lips are than what is round them, from which on they are surely lips: official portraits
have 3.6 to 15, and hands and masks below 1.1."""

LESS_RED = 5.0
"""What covers the mouth is surely neither skin nor lips where it is less red (a*) than the skin by so much: lips are as
red as the skin or redder, also pale and dark ones and those in a beard; cloth and paper are not."""

SEEN_ERROR, PALE_ERROR = 0.25, 0.6
"""How unsure the lips' colour is: where something else is seen in their place, and where they may only be pale or dark.
The second reaches from nothing to what passes: colour alone then never says that a mouth is covered."""

OTHER_RING = 15.0
"""Chroma difference of the mouth's surroundings from the skin, from which on they are something else."""


def covering(view: CloseUp, skin: Skin) -> list[Measure]:
    """mouth_visible and face_occlusion from pixels alone."""
    mouth = mouth_visible(view, skin)
    return [_mouth(mouth, covered=surely_covered(view, skin)), _face(view, skin, mouth)]


def mouth_visible(view: CloseUp, skin: Skin) -> float | None:
    """How surely the lips are seen, 0..1: by their colour. None in a black-and-white photo."""
    if skin.grey:
        return None
    lip = lips(view) & ~open_mouth(view)
    ring = lips(view, 0.22 * UNIT) & ~lips(view, 0.06 * UNIT)
    if not lip.any() or not ring.any():
        return None
    inner, outer = np.median(view.lab[lip], 0), np.median(view.lab[ring], 0)
    redder = (inner[1] - outer[1]) - (inner[2] - outer[2])
    strange = float(np.hypot(outer[1] - skin.colour[1], outer[2] - skin.colour[2]))
    seen = np.clip(redder / LIP_CONTRAST, 0, 1) * np.clip((2 * OTHER_RING - strange) / OTHER_RING, 0, 1)
    return float(seen)


def surely_covered(view: CloseUp, skin: Skin) -> bool:
    """Whether something that is unlike skin and unlike lips lies where the lips should be."""
    lip = lips(view) & ~open_mouth(view)
    if not lip.any():
        return False
    return share(skin.unlike, lip) > 0.5 and float(np.median(skin.away[..., 1][lip])) < -LESS_RED


def _mouth(seen: float | None, *, covered: bool) -> Measure:
    source = "ISO/IEC 29794-5 mouth occlusion prevention (OFIQ: by its occlusion network; ours by the lips' colour)"
    if seen is None:
        words = "The photo has no colour by which lips could be told from a mask."
    else:
        words = f"The lips show {100 * seen:.0f} % of the colour by which they are surely lips."
    return Measure("mouth_visible", seen, "", SEEN_ERROR if covered else PALE_ERROR, words, source)


def face_region(view: CloseUp) -> np.ndarray:
    """Bool: from brows to jaw, a little inside, without brows, eyes, lips and nostrils: all of it should be skin."""
    spots = view.points
    jaw = [i for i in p.OVAL if spots[i, 1] > spots[p.GLABELLA, 1]]
    region = view.hull(spots[[*jaw, *p.LEFT_BROW_BOTTOM, *p.RIGHT_BROW_BOTTOM]], -0.06 * UNIT)
    region &= ~lips(view, 0.05 * UNIT) & ~view.hull(spots[list(p.NOSTRILS)], 0.05 * UNIT)
    for lids in view.lids:
        region &= ~view.hull(lids, 0.1 * UNIT)
    for low, high in ((p.LEFT_BROW_BOTTOM, p.LEFT_BROW_TOP), (p.RIGHT_BROW_BOTTOM, p.RIGHT_BROW_TOP)):
        region &= ~view.hull(spots[[*low, *high]], 0.06 * UNIT)
    return region


def _face(view: CloseUp, skin: Skin, mouth: float | None) -> Measure:
    region, lower = face_region(view), np.arange(SIDE)[:, None] > view.points[p.SUBNASALE, 1]
    bearded = skin.unlike & lower & (skin.away[..., 0] < 0)
    strange = skin.unlike & ~bearded if mouth is None or mouth > 0.5 else skin.unlike
    covered = share(strange, region)
    words = f"{100 * covered:.0f} % of the face does not look like the person's own skin."
    source = "ISO/IEC 29794-5 face occlusion prevention (OFIQ: by its network; ours by colour; beards do not count)"
    return Measure("face_occlusion", covered, "", 0.05, words, source)
