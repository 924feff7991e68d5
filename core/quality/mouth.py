"""Is the mouth closed, and does the face smile: from the lips of the dense mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..faces.points import LOWER_LIP, LOWER_LIP_INSIDE, MOUTH_CORNERS, UPPER_LIP, UPPER_LIP_INSIDE
from .close_up import UNIT
from .eyes import chin_distance
from .measure import Measure
from .skin import lips, open_mouth, share

if TYPE_CHECKING:
    from .close_up import CloseUp
    from .portrait import Portrait
    from .skin import Skin

OUTER_EYE_CORNERS = (33, 263)

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
