"""Finds the lower edge of the chin in the picture, near the place where the mesh expects it.

The mesh's chin is off by 7 % of the eye distance (one standard deviation), mostly in faces that smile or look up.
Under a chin the skin darkens towards the neck, and that darkening has a typical course: it is searched along the jaw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..imaging.sample import sample
from ..portrait.framing import Cut, rotate
from .points import CHIN

if TYPE_CHECKING:
    import torch

JAW = (149, 176, 148, 152, 377, 400, 378)
"""The outline on both sides of the chin: its curve is the shape of the edge that is searched."""

STEP = 0.01
"""Rows and columns that are looked at lie this far apart, in eye distances; all numbers below count in this unit."""

ABOVE, BELOW, BESIDE = 30, 40, 20
"""How far from the mesh's chin the picture is looked at."""

BLUR = 1.5
"""Standard deviation of the Gaussian whose derivative finds edges."""

COURSE = np.array(
    [
        *(-0.37, -0.41, -0.45, -0.49, -0.53, -0.56, -0.6, -0.65, -0.69, -0.72, -0.74, -0.73, -0.72, -0.68, -0.6),
        *(-0.48, -0.34, -0.21, -0.1, -0.03, 0.03, 0.08, 0.12, 0.14, 0.15, 0.16, 0.17, 0.18, 0.19),
    ]
)
"""The slope of the red channel from row to row across a chin's edge, in parts of the steepest slope seen: what lies
above the edge first. Mean of 43 portraits, every second one of the reference: `python benchmarks/id_photo/geometry.py
--fit` prints this and the next three."""

MISFIT = 1.50
"""How the squared distance from the course counts in a logarithmic chance."""

OFFSET, OFFSET_SIGMA = 2.4, 6.6
"""Where the edge lies below the mesh's chin, before anybody looked, and the standard deviation of that."""

LEAST_SIGMA = 3.5
"""The standard error where the edge is clear: how far such edges lay from those that were read by hand."""

REACH = len(COURSE) // 2


@dataclass(frozen=True, eq=False)
class Chin:
    """Where the chin ends (menton): (x, y) in pixels of the photo, and its standard error along the face's axis."""

    place: np.ndarray
    sigma: float


def find_chin(photo: torch.Tensor, points: np.ndarray, middle: np.ndarray, unit: float, roll: float) -> Chin:
    """The chin in `photo` [1,3,H,W] of a face with mesh `points` [468,3].

    `middle` is half-way between the eyes (x, y), `unit` their distance in pixels, `roll` in degrees, clockwise.
    """
    pivot = (float(middle[0]), float(middle[1]))
    level = rotate(points[:, :2].astype(np.float64), pivot, -roll)
    chance = _chances(slopes(photo, level, pivot, unit, roll))
    rows = _rows()
    below = float(chance @ rows)
    spread = float(np.sqrt(chance @ (rows - below) ** 2))
    spot = level[CHIN] + [0.0, below * STEP * unit]
    return Chin(rotate(spot[None], pivot, roll)[0], float(np.hypot(spread, LEAST_SIGMA)) * STEP * unit)


def slopes(photo: torch.Tensor, level: np.ndarray, pivot: tuple[float, float], unit: float, roll: float) -> np.ndarray:
    """How the red channel changes from row to row [ABOVE + BELOW], across curves parallel to the jaw, -1..1.

    `level` [468,2] are the mesh's points turned about `pivot` by -`roll`.
    """
    x, y = level[CHIN]
    jaw = (level[list(JAW)] - [x, y]) / (STEP * unit)
    columns = np.arange(-BESIDE, BESIDE + 1)
    curve = np.polyval(np.polyfit(jaw[:, 0], jaw[:, 1], 2)[:2], columns) * columns
    rows = np.arange(-ABOVE - BESIDE, BELOW + BESIDE)
    tall, wide = len(rows) * STEP * unit, len(columns) * STEP * unit
    cut = Cut(float(x), float(y + (rows[0] + rows[-1]) / 2 * STEP * unit), wide, tall, pivot, roll)
    red = sample(photo[:, :1], cut, len(rows), len(columns))[0][0, 0].numpy().astype(np.float64)
    wanted = np.arange(-ABOVE, BELOW)
    along = [np.interp(wanted + shift, rows, red[:, column]) for column, shift in enumerate(curve)]
    slope = np.convolve(np.pad(np.mean(along, 0), 6, mode="edge"), _edge_filter(), mode="valid")
    return slope / max(float(np.abs(slope).max()), 1e-6)


def _edge_filter() -> np.ndarray:
    """The derivative of a Gaussian, turned round for a convolution."""
    at = np.arange(-6, 7)
    bell = np.exp(-0.5 * (at / BLUR) ** 2)
    return -at * bell / (bell * at * at).sum()


def _rows() -> np.ndarray:
    """The rows at which the course fits into what is looked at."""
    return np.arange(-ABOVE, BELOW)[REACH:-REACH]


def _chances(slope: np.ndarray) -> np.ndarray:
    """For each of `_rows`, how likely the chin ends there; they sum to 1."""
    windows = np.lib.stride_tricks.sliding_window_view(slope, len(COURSE))
    logarithm = -MISFIT * ((windows - COURSE) ** 2).sum(1) - 0.5 * ((_rows() - OFFSET) / OFFSET_SIGMA) ** 2
    chance = np.exp(logarithm - logarithm.max())
    return chance / chance.sum()
