"""Are the eyes open, do they look into the camera, and what is in front of them: lids, irises, glasses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..faces.mesh import CHIN
from ..faces.pose import pose_from_mesh
from .checks import Measure
from .close_up import UNIT, share

if TYPE_CHECKING:
    from .aligned_face import Portrait
    from .close_up import CloseUp, Skin

EYE_WIDTH = 26.3
"""Corner to corner as the lids are found, in mm: median of 100 official portraits; an iris is 11.7 mm wide."""

IRIS_DEPTH = 10.5
"""From the eye's centre of rotation to the iris, in mm (the centre is 13.5 mm behind the cornea; Fry and Hill 1962)."""

RESTING = (0.0, -0.077)
"""Where the iris of an eye that looks at the camera lies, right of and below the middle of the corners, in eye widths.
From 100 official portraits: the corners of open eyes are lower than their irises."""

PER_YAW = -0.22
"""How that place moves with the sine of the yaw (robust regression on the same portraits). It does not with pitch."""

IRIS_MIDDLE = 0.3
"""The columns that are looked at, right and left of the iris's middle, in its radii."""

IRIS_TO_LIDS = 1.2
"""Lid distance by the height of the visible iris in open eyes: the median of official portraits."""

OPENING_ERROR = 0.006
"""In T: the spread of the two eyes' difference in official portraits."""

UNSEEN_ERROR = 0.06
"""In T, where an iris was not found between lids that are apart while the other eye is open: as wide as an eye opens.
Reflections on clear glasses and dark eyes in dark skin do that."""

OPEN_LIDS, OPEN_EYE = 0.04, 0.035
"""In T: the lids of such an eye are so far apart, and the other eye is open by so much."""

GAZE_ERROR = 5.0
"""Degrees, from the spread above."""


def chin_distance(view: CloseUp) -> float:
    """T of ISO/IEC 29794-5: from the middle between the eyes to the chin, in pixels of the close-up."""
    left, right = ((lids[0] + lids[8]) / 2 for lids in view.lids)
    return float(np.hypot(*(view.points[CHIN] - (left + right) / 2)))


def lid_distance(lids: np.ndarray) -> float:
    """The widest of the seven distances between facing points of the upper and the lower lid."""
    return float(np.hypot(*(lids[1:8] - lids[9:16]).T).max())


def seen_height(view: CloseUp, index: int) -> float:
    """How high the iris shows between the lids of one eye, in pixels of the close-up: 0 where there is only skin.

    The network that finds lids was made for open eyes and draws them on many closed ones, too. In the columns at the
    iris's middle, those pixels are counted that are nearer to the eye's darkest ones than to the skin round the lids.
    """
    lids, iris, radius = view.lids[index], view.irises[index], view.radii[index]
    inside = view.hull(lids)
    ring = view.hull(lids, 0.22 * UNIT) & ~view.hull(lids, 0.08 * UNIT)
    if not inside.any() or not ring.any():
        return 0.0
    lightness = view.lab[..., 0]
    skin, dark = np.percentile(lightness[ring], 60), np.percentile(lightness[inside], 6)
    left, right = int(iris[0] - IRIS_MIDDLE * radius), int(iris[0] + IRIS_MIDDLE * radius) + 1
    counts = ((lightness < (skin + dark) / 2) & inside)[:, max(left, 0) : max(right, 1)].sum(0)
    return float(np.median(counts)) if counts.size else 0.0


def eyes(portrait: Portrait, view: CloseUp) -> list[Measure]:
    """Opening of each eye, in T, and the angle between the gaze and the camera, in degrees. Left is the viewer's."""
    return [*_openings(view), _gaze(portrait, view)]


def _openings(view: CloseUp) -> list[Measure]:
    source = (
        "ISO/IEC 29794-5 eyes open: lid distance by eye-chin distance T, each eye by itself (OFIQ: the smaller one);"
        " ours is at most what the visible iris allows"
    )
    unit = chin_distance(view)
    found: list[Measure] = []
    lids = [lid_distance(each) / unit for each in view.lids]
    openings = [min(lids[index], IRIS_TO_LIDS * seen_height(view, index) / unit) for index in (0, 1)]
    for index, side in enumerate(("left", "right")):
        opening, error = openings[index], OPENING_ERROR
        words = f"The eye on the picture's {side} is open by {100 * opening:.1f} % of the distance from eyes to chin."
        if opening == 0 and lids[index] >= OPEN_LIDS and openings[1 - index] >= OPEN_EYE:
            words = f"The iris on the picture's {side} could not be told from the skin; the other eye is open."
            error = UNSEEN_ERROR
        found.append(Measure(f"{side}_eye_open", opening, "T", error, words, source))
    return found


def gaze_angles(portrait: Portrait, view: CloseUp) -> tuple[float, float]:
    """How far the eyes look to the viewer's right and downwards, from the camera, in degrees; the mean of both eyes."""
    turned = pose_from_mesh(portrait.mesh)
    offset = np.mean([_iris_offset(lids, iris) for lids, iris in zip(view.lids, view.irises, strict=True)], axis=0)
    moved = offset - RESTING - [PER_YAW * np.sin(np.radians(turned.yaw)), 0.0]
    across, down = np.degrees(np.arcsin(np.clip(moved * EYE_WIDTH / IRIS_DEPTH, -1.0, 1.0)))
    return float(across), float(down)


def _iris_offset(lids: np.ndarray, iris: np.ndarray) -> np.ndarray:
    corner, other = lids[0], lids[8]
    return (iris - (corner + other) / 2) / np.hypot(*(other - corner))


def _gaze(portrait: Portrait, view: CloseUp) -> Measure:
    across, down = gaze_angles(portrait, view)
    side, height = "right" if across > 0 else "left", "down" if down > 0 else "up"
    words = (
        f"The eyes look {abs(across):.0f}° to the {side} of the picture and {abs(down):.0f}° {height}, seen from the"
        " camera."
    )
    source = "ISO/IEC 39794-5 asks for a gaze into the camera; OFIQ has no measure of it"
    return Measure("gaze", float(np.hypot(across, down)), "°", GAZE_ERROR, words, source)


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
