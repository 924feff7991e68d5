"""Are the eyes open, and do they look into the camera: from the lids and irises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..faces.points import CHIN
from ..faces.pose import pose_of
from .close_up import UNIT
from .measure import Measure

if TYPE_CHECKING:
    from .close_up import CloseUp
    from .portrait import Portrait

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
    turned = pose_of(portrait.mesh)
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
