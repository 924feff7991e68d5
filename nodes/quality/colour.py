"""Whether skin and eyes have the colours of life: white balance, filters, red-eye."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..portrait.colour import to_lab
from .measure import Measure

if TYPE_CHECKING:
    from .aligned import AlignedFace
    from .portrait import Portrait

SKIN_A, SKIN_B = (5.0, 25.0), (5.0, 35.0)
"""CIELAB a* and b* of natural skin: ISO/IEC 29794-5, as OFIQ has it."""

PUPIL = 0.45
"""The pupil's largest radius in radii of the iris: flash is fired in dim light."""

RED = 30.0
"""CIELAB a* from which a pupil's pixel shines red. Brown eyes stay below 20, a flash's reflection has 40 and more."""


def natural_colour(portrait: Portrait) -> Measure:
    """How far the cheeks' mean colour lies outside natural skin, in CIELAB units (>= 0; 0 is natural).

    Natural is a* 5 to 25, b* 5 to 35, a box that holds skins of every tone (ISO/IEC 29794-5, OFIQ). OFIQ takes
    CIELAB for D50 and calls every negative a* or b* 100; here it is D65, the white of sRGB, and plain distance. A grey
    photo is 7.1 off; OFIQ lets it pass.
    """
    face = portrait.aligned
    cheeks = torch.cat([face.image[zone].reshape(-1, 3) for zone in face.cheeks])
    _, a, b = (float(value) for value in to_lab(cheeks.mean(0)))
    outside = [max(low - value, 0.0, value - high) for value, (low, high) in ((a, SKIN_A), (b, SKIN_B))]
    detail = f"The cheeks have a* {a:.0f} and b* {b:.0f}; natural skin has 5 to 25 and 5 to 35."
    return Measure("natural_colour", math.hypot(*outside), "CIELAB", detail=detail, source="ISO/IEC 29794-5, OFIQ")


def red_eye(portrait: Portrait) -> Measure:
    """The share of the redder pupil, 0..1, that shines red from a flash. No standard defines it."""
    face = portrait.aligned
    shares = [_red_share(face, circle) for circle in face.irises]
    known = [share for share in shares if share is not None]
    if not known:
        return Measure("red_eye", None, detail="The pupils are not seen: the eyes are shut.", source="own")
    return Measure("red_eye", max(known), source="own")


def _red_share(face: AlignedFace, circle: tuple[float, float, float]) -> float | None:
    x, y, radius = circle
    reach = PUPIL * radius
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    size = 2 * int(reach) + 3
    columns, rows = np.arange(left, left + size), np.arange(top, top + size)[:, None]
    square = slice(top, top + size), slice(left, left + size)
    opening = face.eye_opening[square]
    disc = torch.from_numpy(np.hypot(columns - x, rows - y) <= reach)[: opening.shape[0], : opening.shape[1]] & opening
    if int(disc.sum()) < 8:
        return None
    return float((to_lab(face.image[square][disc])[:, 1] > RED).float().mean())
