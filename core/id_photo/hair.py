"""Where the hair ends at the top, by the person's matte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..portrait.framing import rotate

if TYPE_CHECKING:
    import torch

HIGHEST = 4.0
"""Highest place that is looked at, in eye distances above the eye line: enough for a tall hat."""

BESIDE = 1.4
"""How far to both sides of the face's middle line is looked."""

LOWEST = 0.3
"""From here on upwards the head is followed, in eye distances above the eye line: from the brows."""

STEP = 0.0125
COLUMN = 0.05
"""Distance of rows and columns, in eye distances."""

COVERED = 0.5
"""From this alpha on a place belongs to the person."""

NARROWEST = 0.35
"""The first row in which the head is this wide is looked for, in eye distances: single strands are narrower."""

CAP = 0.014
"""How far a head goes on above a row of that width: the height of that segment of a circle of radius 1.1."""


@dataclass(frozen=True)
class HairTop:
    """Height above the eye line in pixels. `cut_off`: the photo ends there, and the hair perhaps does not."""

    height: float
    cut_off: bool


def hair_top(
    matte: torch.Tensor, pivot: tuple[float, float], roll: float, unit: float, scale: float = 1.0
) -> HairTop | None:
    """The top of what `matte` [h,w] covers above the eyes, followed upwards from the forehead without a gap.

    `pivot` is half-way between the eyes and `unit` their distance, in pixels of the photo; `scale` is pixels of the
    matte per pixel of the photo. A hat is taken for hair, and so is a hand that lies on the head. None where the
    matte does not cover the face.
    """
    xs, ys = np.arange(-BESIDE, BESIDE + COLUMN / 2, COLUMN), np.arange(0.0, HIGHEST, STEP)
    covered, border = _look(matte, xs * unit, -ys * unit, pivot, roll, scale)
    run = covered[: round(1 / STEP)].any(0)
    least, last = round(NARROWEST / COLUMN), 0
    if run.sum() < least:
        return None
    at_border = np.zeros(len(xs), dtype=bool)
    for row in range(round(LOWEST / STEP), len(ys)):
        run = _longest(covered[row], np.convolve(run, np.ones(3), mode="same") > 0)
        at_border |= run & border[row]
        if run.sum() < least:
            break
        last = row
    if last == 0:
        return None
    cut_off = bool(at_border.sum() >= least)
    return HairTop((float(ys[last]) + (0.0 if cut_off else CAP)) * unit, cut_off)


def _longest(covered: np.ndarray, near: np.ndarray) -> np.ndarray:
    """The longest run of covered places among those that touch `near`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], covered.astype(np.int8), [0]])))
    best = np.zeros(len(covered), dtype=bool)
    for first, end in edges.reshape(-1, 2):
        if near[first:end].any() and end - first > best.sum():
            best[:] = False
            best[first:end] = True
    return best


def _look(
    matte: torch.Tensor, xs: np.ndarray, ys: np.ndarray, pivot: tuple[float, float], roll: float, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where the matte covers the places (x, y) about `pivot`, [len(ys),len(xs)], and where the photo's top edge is."""
    grid = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2) + np.array(pivot)
    columns, rows = np.floor(rotate(grid, pivot, roll) * scale).astype(int).T
    height, width = matte.shape
    known = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    values = np.zeros(len(known), dtype=bool)
    values[known] = matte.detach().cpu().numpy()[rows[known], columns[known]] > COVERED
    border = known & (rows <= abs(float(ys[1] - ys[0])) * scale)
    return values.reshape(len(ys), len(xs)), border.reshape(len(ys), len(xs))
