"""Connected regions of a small mask: specks are dropped and pinholes filled, without SciPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Regions:
    """Labels [H,W] (0 is outside, regions count from 1) and each region's size in pixels."""

    labels: np.ndarray
    sizes: np.ndarray


def find_regions(mask: np.ndarray) -> Regions:
    """4-connected regions of a boolean mask [H,W], by runs: each row's runs join those above that they touch."""
    height, width = mask.shape
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    first_of_row = np.searchsorted(rows, np.arange(height + 1))
    for row in range(1, height):
        above, last_above = first_of_row[row - 1], first_of_row[row]
        for run in range(first_of_row[row], first_of_row[row + 1]):
            while above < last_above and ends[above] <= starts[run]:
                above += 1
            other = above
            while other < last_above and starts[other] < ends[run]:
                parent[root(other)] = root(run)
                other += 1
    roots = np.array([root(run) for run in range(len(rows))], dtype=np.int64)
    _, numbers = np.unique(roots, return_inverse=True)
    return _paint(height, width, rows, starts, ends, numbers)


def _paint(
    height: int, width: int, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray, numbers: np.ndarray
) -> Regions:
    steps = np.zeros((height, width + 1), dtype=np.int64)
    steps[rows, starts] += numbers + 1
    np.add.at(steps, (rows, ends), -(numbers + 1))
    labels = np.cumsum(steps, axis=1)[:, :width]
    return Regions(labels, np.bincount(labels.ravel(), minlength=2)[1:])


def touches_border(regions: Regions) -> np.ndarray:
    """For each region whether it reaches the picture's border, [regions] bool."""
    labels = regions.labels
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    reached = np.zeros(len(regions.sizes) + 1, dtype=bool)
    reached[border] = True
    return reached[1:]
