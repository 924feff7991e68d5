"""A hat or a scarf from pixels alone; and glasses, covers and hats by the optional face parser in their place.

A bare forehead ends high, in a hairline, and above it is what is also beside the face: hair, or more skin. A hat ends
it low and sharply, in another colour. A fringe looks like both, which is why the answer is a likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..faces import mesh as p
from .checks import Measure
from .close_up import EYES_AT, SIDE, UNIT, lips, share
from .eyes import surroundings, visible_zone
from .mouth import face_region

if TYPE_CHECKING:
    from .close_up import CloseUp, Skin
    from .face_parsing import Parsing

TALLEST, STEP = 1.9, 0.02
"""How far above the brows is looked, and in which steps, in eye distances."""

COLUMNS = 31
ACROSS = 0.75
"""Columns over the forehead, and how far out they go, in halves of the face's width."""

MIDDLE, INNER = 0.35, 0.6
"""The middle columns, where the edge is measured, and the inner ones, where its sharpness is."""

OTHER_COLOUR, DARKER, LIGHTER = 14.0, 25.0, 22.0
"""From where on it is not skin: stricter than on the face, because a forehead is evenly lit."""

WEIGHTS = {"height": -5.07, "step": 0.051, "unlike_sides": 0.024, "odd_colour": 0.044}
BIAS = 0.93
"""Logistic regression on 98 hats and 285 bare heads of LFW, labelled by eye, and 178 official portraits, half of
them with a drawn hat. Five-fold cross-validation finds 85 % of the real hats at 5 % false alarms (area under the
curve 0.956)."""

RAGGED, PER_RAGGED = 0.12, -12.0
"""Spread of the edge about a smooth curve, in eye distances, from which on it is a fringe, and what each more takes off
the score: 97 % of the real hats have less."""


@dataclass(frozen=True)
class Signs:
    """What tells a hat. height: of the skin's upper edge above the brows, in eye distances. step: its sharpness, in L*.

    unlike_sides: how different what is above the forehead is from what is beside the face. odd_colour: the chroma of a
    colour that hair does not have. ragged: how far the edge is from a smooth curve, in eye distances.
    """

    height: float
    step: float
    unlike_sides: float
    odd_colour: float
    ragged: float


def head_covering(view: CloseUp, skin: Skin) -> Measure:
    """How likely the head is covered, 0..1."""
    source = "ISO/IEC 29794-5 no head coverings (OFIQ: the share of hat and cloth by a face parser; ours by pixels)"
    signs = signs_of(view, skin)
    if signs is None:
        words = "The photo does not show enough of the forehead to tell a hat from hair."
        return Measure("head_covering", None, "", None, words, source)
    score = BIAS + sum(weight * getattr(signs, name) for name, weight in WEIGHTS.items())
    score += PER_RAGGED * max(0.0, signs.ragged - RAGGED)
    value = float(1 / (1 + np.exp(-score)))
    bare = f"The forehead is bare up to {signs.height:.2f} eye distances above the brows"
    words = f"{bare}: a hat is {100 * value:.0f} % likely."
    return Measure("head_covering", value, "", 0.2, words, source)


def signs_of(view: CloseUp, skin: Skin) -> Signs | None:
    """The four signs; None when the photo is cut off above the brows."""
    spots = view.points
    brow = spots[p.GLABELLA]
    up = spots[p.FOREHEAD_TOP] - brow
    up = up / max(float(np.hypot(*up)), 1e-6)
    side = np.array([-up[1], up[0]])
    half = float(np.hypot(*(spots[p.RIGHT_SIDE] - spots[p.LEFT_SIDE]))) / 2
    heights, columns = np.arange(0.0, TALLEST, STEP), np.linspace(-ACROSS, ACROSS, COLUMNS)
    grid = brow + up * heights[:, None, None] * UNIT + side * columns[None, :, None] * half
    x, y = (np.clip(np.round(grid[..., axis]).astype(int), 0, SIDE - 1) for axis in (0, 1))
    seen = view.inside[y, x] & (grid[..., 1] >= 0)
    colours = view.lab[y, x]
    edge = _edge(colours - skin.colour, heights)
    height = float(np.median(edge[np.abs(columns) < MIDDLE]))
    inner = np.abs(columns) < INNER
    smooth = np.polyval(np.polyfit(columns[inner], edge[inner], 2), columns[inner])
    above = (heights > np.clip(height, 0.2, 1.4) + 0.08) & (heights < np.clip(height, 0.2, 1.4) + 0.5)
    band = colours[above][seen[above]]
    if band.shape[0] < 20:
        return None
    middle = np.median(band, 0)
    return Signs(
        height=height,
        step=_sharpness(colours[:, inner, 0]),
        unlike_sides=_unlike_sides(view, middle, side),
        odd_colour=_odd(middle),
        ragged=float((edge[inner] - smooth).std()),
    )


def _edge(away: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """For each column, where five of six steps in a row are not skin; the brows themselves are left out."""
    strange = np.hypot(away[..., 1], 0.7 * away[..., 2]) > OTHER_COLOUR
    strange |= (away[..., 0] < -DARKER) | (away[..., 0] > LIGHTER)
    first = 8
    found = np.full(away.shape[1], heights[-1])
    for column in range(away.shape[1]):
        run = np.convolve(strange[first:, column], np.ones(6), "valid") >= 5
        if run.any():
            found[column] = heights[first + int(run.argmax())]
    return found


def _sharpness(lightness: np.ndarray) -> float:
    """The median over columns of the largest difference of L* between five steps above and five below."""
    total = np.vstack([np.zeros(lightness.shape[1]), np.cumsum(lightness, 0)])
    reach = 5
    at = np.arange(reach, lightness.shape[0] - reach + 1)
    steps = np.abs(total[at + reach] - 2 * total[at] + total[at - reach]) / reach
    return float(np.median(steps[int(0.2 / STEP) : int(1.5 / STEP)].max(0)))


def _unlike_sides(view: CloseUp, above: np.ndarray, side: np.ndarray) -> float:
    """How far the colour above the forehead is from the nearer one of those beside the temples."""
    reach = int(0.07 * UNIT)
    found: list[float] = []
    for index, sign in ((127, -1), (356, 1)):
        x, y = np.round(view.points[index] + side * sign * 0.16 * UNIT).astype(int)
        if reach <= x < SIDE - reach and reach <= y < SIDE - reach:
            beside = np.median(view.lab[y - reach : y + reach, x - reach : x + reach].reshape(-1, 3), 0)
            found.append(float(np.hypot(*(beside - above)[1:]) + 0.5 * abs(beside[0] - above[0])))
    return min(found, default=0.0)


def _odd(colour: np.ndarray) -> float:
    """The chroma of what is neither grey nor between red and yellow, or is too vivid for hair."""
    chroma, hue = float(np.hypot(*colour[1:])), float(np.degrees(np.arctan2(colour[2], colour[1])))
    if chroma <= 10:
        return 0.0
    return max(0.0, chroma - 38) if 35 < hue < 95 else chroma


SOURCE = "a face parser's classes (BiSeNet on CelebAMask-HQ, optional), as OFIQ uses one"

COVERS = ("hair", "hat", "cloth")
"""Classes that belong neither to a face nor to glasses."""

NO_GLASSES = 0.05
"""The share of the eyes' surroundings below which the parser sees no glasses."""

LIP_SHARE = 0.5
"""The share of the lips' place that is lips to the parser, from which on they are surely seen."""

HAT_BELOW, HAT_ASIDE = 0.25, 1.15
"""How far below the eyes and beside their middle hats and scarves count, in eye distances: collars lie lower."""

HAT_SHARE, HAT_STEEPNESS = 0.05, 0.012
"""The share of hat from which on a covering is more likely than not, and how fast it becomes so: bald heads and bright
hair get a few per cent now and then, hats 10 to 60."""


def by_classes(found: list[Measure], view: CloseUp, parsing: Parsing) -> list[Measure]:
    """The measures `found` by pixels, those replaced that the parser knows better; scales and limits stay."""
    here = parsing.on(view.cut, SIDE)
    better = {
        measure.name: measure for measure in (_glasses(view, here), _head(view, here), *_covered(found, view, here))
    }
    return [better.get(measure.name, measure) for measure in found]


def _glasses(view: CloseUp, here: Parsing) -> Measure:
    worn = share(here.of("glasses"), surroundings(view))
    return Measure("glasses", worn, "", 0.05, f"{100 * worn:.0f} % of the eyes' surroundings are glasses.", SOURCE)


def hat_share(here: Parsing) -> float:
    """The share of hat and cloth in the middle of the close-up, from its top edge to below the eyes."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    where = (rows < EYES_AT[1] + HAT_BELOW * UNIT) & (np.abs(columns - EYES_AT[0]) < HAT_ASIDE * UNIT)
    return share(here.of("hat", "cloth"), where)


def _head(view: CloseUp, here: Parsing) -> Measure:
    covered = hat_share(here)
    value = float(1 / (1 + np.exp(-(covered - HAT_SHARE) / HAT_STEEPNESS)))
    words = f"{100 * covered:.0f} % of the picture above and beside the eyes is a hat or cloth."
    return Measure("head_covering", value, "", 0.1, words, SOURCE)


def _covered(found: list[Measure], view: CloseUp, here: Parsing) -> list[Measure]:
    """Eyes, mouth and face are bare as far as both pixels and classes say so: the parser takes masks for skin."""
    covers = here.of(*COVERS)
    lipped = share(here.of("upper_lip", "lower_lip", "mouth"), lips(view))
    seen = {
        "eyes_visible": (1 - share(covers, visible_zone(view)), "of the eyes' surroundings can be seen"),
        "mouth_visible": (float(np.clip(lipped / LIP_SHARE, 0, 1)), "of the lips can be seen"),
        "face_occlusion": (share(covers, face_region(view)), "of the face is covered"),
    }
    worn = share(here.of("glasses"), surroundings(view))
    result: list[Measure] = []
    for measure in found:
        if measure.name == "dark_glasses" and measure.value is not None and worn < NO_GLASSES:
            detail = "There are no glasses: what is dark round the eyes is shadow."
            result.append(replace(measure, value=0.0, detail=detail, source=f"{SOURCE}; and by pixels"))
        if measure.name in seen:
            value, words = seen[measure.name]
            if measure.value is not None:
                value = (max if measure.name == "face_occlusion" else min)(value, measure.value)
            result.append(
                replace(measure, value=value, detail=f"{100 * value:.0f} % {words}.", source=f"{SOURCE}; and by pixels")
            )
    return result
