"""A hat or a scarf, from pixels alone: where the forehead's skin ends, and what begins there.

A bare forehead ends high, in a hairline, and above it is what is also beside the face: hair, or more skin. A hat ends
it low and sharply, in another colour. A fringe looks like both, which is why the answer is a likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..faces import points as p
from .close_up import SIDE, UNIT
from .measure import Measure

if TYPE_CHECKING:
    from .close_up import CloseUp
    from .skin import Skin

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
