"""Glasses: are there any, are they dark, do they reflect; and can the eyes be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .close_up import UNIT
from .measure import Measure
from .skin import share

if TYPE_CHECKING:
    from .close_up import CloseUp
    from .skin import Skin

NOSE_TOP, NOSE_MIDDLE, NOSE_ROOT = 9, 195, 168
"""Points of the mesh: from between the brows to half-way down the nose."""

DOWN = np.array([0.0, UNIT])

CLEAR_CONTRAST, NO_CONTRAST = 40.0, 22.0
"""L* between the lightest and the darkest tenth of an open eye: 37 to 72 in official portraits, 6 to 20 behind dark
lenses."""

GLARE_LIGHTER, GLARE_L, GLARE_CHROMA = 16.0, 78.0, 14.0
"""A reflection is lighter than the skin by this L*, at least this light, and has hardly any colour."""


def glasses(view: CloseUp, skin: Skin) -> list[Measure]:
    """glasses, dark_glasses, glasses_glare and eyes_visible from pixels alone."""
    worn, dark, glare = bridge(view), darkness(view), reflection(view, skin)
    return [
        Measure(
            *("glasses", worn, "", 0.05),
            f"The nose's root shows an edge of {100 * worn:.0f} % of the skin's brightness; a bridge does from 20 %.",
            "ours: OFIQ and ISO/IEC 29794-5 have no measure of glasses",
        ),
        Measure(
            *("dark_glasses", dark, "", 0.1),
            f"The eyes and what is below them are {100 * dark:.0f} % darker than the cheeks.",
            "ours; OFIQ: eyes visible, by its occlusion network",
        ),
        Measure(
            *("glasses_glare", glare, "", 0.01),
            f"Reflections cover {100 * glare:.1f} % of the eyes' surroundings.",
            "ours; ISO/IEC 39794-5 forbids them in words",
        ),
        _visible(view, skin, dark, glare),
    ]


def bridge(view: CloseUp) -> float:
    """The strongest level edge across the nose's root, as a share of the cheeks' luma: 0.05 bare, 0.2 with a bridge.

    A nose is lit from the side or the front, never in stripes across; wrinkles and brows are what is left at 0.1.
    """
    x, half = int(view.points[NOSE_ROOT, 0]), int(0.1 * UNIT)
    top, bottom = int(view.points[NOSE_TOP, 1]), int(view.points[NOSE_MIDDLE, 1])
    strip = view.light[top:bottom, x - half : x + half]
    if strip.shape[0] < 3 * 8 or not view.cheeks.any():
        return 0.0
    rows = strip.mean(1) / max(float(np.median(view.light[view.cheeks])), 0.1)
    edges = _steps(rows, 4)
    return float(edges.max() - edges.min()) / 2


def _steps(rows: np.ndarray, reach: int) -> np.ndarray:
    """How much lighter the `reach` rows below each place are than those above it."""
    total = np.concatenate([[0.0], np.cumsum(rows)])
    at = np.arange(reach, len(rows) - reach + 1)
    return (total[at + reach] - 2 * total[at] + total[at - reach]) / reach


def darkness(view: CloseUp) -> float:
    """How much darker it is under the lighter eye than on the cheeks (0..1), if the eyes show no contrast."""
    linear = view.light**2.2
    if not view.cheeks.any():
        return 0.0
    cheek = max(float(np.median(linear[view.cheeks])), 0.005)
    under, contrast = [], []
    for lids in view.lids:
        edge = lids[:9]
        below = view.mask(np.vstack([edge + DOWN * 0.06, (edge + DOWN * 0.2)[::-1]]))
        eye = view.hull(lids, 0.04 * UNIT)
        if below.any() and eye.any():
            under.append(float(np.median(linear[below])) / cheek)
            contrast.append(float(np.ptp(np.percentile(view.lab[..., 0][eye], (8, 92)))))
    if not under:
        return 0.0
    seen = np.clip((max(contrast) - NO_CONTRAST) / (CLEAR_CONTRAST - NO_CONTRAST), 0, 1)
    return float(np.clip(1 - max(under), 0, 1) * (1 - 0.6 * seen))


def surroundings(view: CloseUp) -> np.ndarray:
    """Bool: where lenses are, from the brows to the upper cheeks, without the lids and what is between them."""
    reach = np.array([0.10, 0.16]) * UNIT
    lenses = np.zeros_like(view.inside)
    for lids in view.lids:
        low, high = lids.min(0) - reach, lids.max(0) + reach * [1, 1.4]
        lenses |= view.mask(np.array([low, [high[0], low[1]], high, [low[0], high[1]]]))
    return lenses


def reflection(view: CloseUp, skin: Skin) -> float:
    """The share of the lenses' places that is lighter than skin and white; the eyes' own white counts where burnt."""
    chroma = np.hypot(view.lab[..., 1], view.lab[..., 2])
    white = (skin.away[..., 0] > GLARE_LIGHTER) & (view.lab[..., 0] > GLARE_L) & (chroma < GLARE_CHROMA)
    burnt = view.lab[..., 0] > max(92.0, float(skin.colour[0]) + 25)
    eyes = np.zeros_like(white)
    for lids in view.lids:
        eyes |= view.hull(lids, 0.03 * UNIT)
    return share((white & ~eyes) | (burnt & eyes), surroundings(view))


def visible_zone(view: CloseUp) -> np.ndarray:
    """Bool: the visibility zone of ISO/IEC 39794-5, a twentieth of the eye distance round the lids, without them."""
    margin = UNIT / 20
    zone = np.zeros_like(view.inside)
    for lids in view.lids:
        low, high = lids.min(0) - margin, lids.max(0) + margin
        zone |= view.mask(np.array([low, [high[0], low[1]], high, [low[0], high[1]]]))
    for lids in view.lids:
        zone &= ~view.hull(lids, 0.04 * UNIT)
    return zone


def _visible(view: CloseUp, skin: Skin, dark: float, glare: float) -> Measure:
    zone = visible_zone(view)
    covered = share(skin.other_colour_for_its_own & (np.abs(skin.away[..., 0]) > 12), zone)
    value = float(np.clip(1 - max(covered, 1.2 * dark if dark > 0.4 else 0.0, min(1.0, 3 * glare)), 0, 1))
    words = f"About {100 * value:.0f} % of the eyes and what is next to them can be seen."
    source = "ISO/IEC 29794-5 eyes visible (OFIQ: by its occlusion network; ours by colour and brightness)"
    return Measure("eyes_visible", value, "", 0.1, words, source)
