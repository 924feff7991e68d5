"""Is the mouth closed, does the face smile, and is either covered: by the lips of the mesh and the skin around."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..faces import mesh as p
from ..faces.mesh import LOWER_LIP, LOWER_LIP_INSIDE, MOUTH_CORNERS, OUTER_EYE_CORNERS, UPPER_LIP, UPPER_LIP_INSIDE
from .checks import Measure
from .close_up import SIDE, UNIT, lips, open_mouth, share
from .eyes import chin_distance

if TYPE_CHECKING:
    from .aligned_face import Portrait
    from .close_up import CloseUp, Skin

NEUTRAL_SMILE = 0.60
"""Of the sum below, the mean of 91 faces without expression, chosen by eye from LFW."""

MOUTH_ERROR = 0.008
"""In T: how much the inner lips of a closed mouth are apart in the mesh (LFW, chosen by eye)."""

SMILE_ERROR = 0.03

BEARD_ERROR = 0.08
"""In T: in a beard the mesh may take its edge for a lip, and sees a gap where the lips touch."""

BEARD_DARKER, BEARD_SHARE = 20.0, 0.5
"""A beard: so much of what is round the lips is darker than the skin by this L*."""

GAP_DIFFERS = 12.0
"""L* by which teeth or the dark of an open mouth differ from the lips, at least."""


def mouth(portrait: Portrait, view: CloseUp, skin: Skin) -> list[Measure]:
    """How far the lips are apart, in T, and how much the face smiles."""
    return [_closed(view, skin), _smile(portrait, view)]


def lip_distance(points: np.ndarray) -> float:
    """The widest of the distances between facing points of the lips' inner edges."""
    gaps = points[list(UPPER_LIP_INSIDE)] - points[list(LOWER_LIP_INSIDE)]
    return float(np.hypot(*gaps.T).max())


def lost_in_beard(view: CloseUp, skin: Skin) -> bool:
    """Whether there is a beard round the lips, and nothing between them that looks other than lips."""
    lip, inside = lips(view) & ~open_mouth(view), open_mouth(view)
    ring = lips(view, 0.22 * UNIT) & ~lips(view, 0.06 * UNIT)
    if share(skin.away[..., 0] < -BEARD_DARKER, ring) < BEARD_SHARE or not lip.any() or not inside.any():
        return False
    light = view.lab[..., 0]
    return abs(float(np.median(light[inside]) - np.median(light[lip]))) < GAP_DIFFERS


def _closed(view: CloseUp, skin: Skin) -> Measure:
    gap = lip_distance(view.points) / chin_distance(view)
    words = f"The lips are {100 * gap:.1f} % of the eye-chin distance apart."
    source = "ISO/IEC 29794-5 mouth closed: lip distance by eye-chin distance T"
    error = MOUTH_ERROR
    if lost_in_beard(view, skin):
        words, error = f"{words} In the beard that is not sure.", BEARD_ERROR
    return Measure("mouth_closed", gap, "T", error, words, source)


def smile_of(points: np.ndarray, unit: float) -> float:
    """Mouth width by eye-corner width, both in 3D, plus the corners' height above the lips' middle, in `unit`s.

    Level points [468,3], unit T. Of eight shapes that were tried, these two tell smiles best (LDA on 91 neutral and 57
    smiling faces of LFW, chosen by eye, gives them equal weights).
    """
    corners = points[list(MOUTH_CORNERS)]
    eyes = points[list(OUTER_EYE_CORNERS)]
    width = np.linalg.norm(corners[1] - corners[0]) / np.linalg.norm(eyes[1] - eyes[0])
    raised = points[[UPPER_LIP, LOWER_LIP], 1].mean() - corners[:, 1].mean()
    return float(width + raised / unit)


def _smile(portrait: Portrait, view: CloseUp) -> Measure:
    depth = portrait.mesh.points[:, 2:].astype(np.float64) / view.scale
    amount = smile_of(np.hstack([view.points, depth]), chin_distance(view)) - NEUTRAL_SMILE
    words = (
        f"The mouth is {'wider' if amount > 0 else 'narrower'} and its corners higher than at rest by {amount:+.2f}."
    )
    source = "ISO/IEC 29794-5 expression neutrality, by the mouth's shape (OFIQ: two networks and a classifier)"
    return Measure("smile", amount, "", SMILE_ERROR, words, source)


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
