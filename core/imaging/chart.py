"""What a plot of likeness shows, before anything is drawn: lines or bars, axes and ticks, threshold and baseline.

The canvas draws it as a picture (`plot.py`), the reports as SVG; both get their axes here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

MARGIN = 0.04
"""Room above and below the data, in units of the cosine."""

PASSES = 12
"""How often words that are too near are moved apart: a few are in place long before."""

LEAST_BAND = 0.01
"""A baseline whose lowest and median are nearer than this is one line."""

LEAST_HEIGHT = 0.3
"""The y axis of lines is at least so long: a difference that means nothing must not look like one."""

MOST_OWN_TICKS = 12
"""More values than this on the x axis are labelled at round numbers."""

MOST_TENTHS = 0.85
"""A y axis longer than this is labelled in steps of 0.2."""


@dataclass(frozen=True)
class Point:
    """The cosines at one place of the x axis; none where no picture has a usable face, and then `problem` says why."""

    x: float
    label: str
    cosines: tuple[float, ...] = ()
    problem: str = ""

    @property
    def middle(self) -> float | None:
        """The median cosine."""
        return median(self.cosines) if self.cosines else None

    @property
    def low(self) -> float | None:
        """The lowest cosine."""
        return min(self.cosines, default=None)

    @property
    def high(self) -> float | None:
        """The highest cosine."""
        return max(self.cosines, default=None)


@dataclass(frozen=True)
class Series:
    """One line: its points from left to right. `name` is empty where there is only one."""

    name: str
    points: tuple[Point, ...]

    def lines(self) -> list[list[tuple[float, float]]]:
        """The medians as (x, cosine), in pieces that are interrupted where a point has none."""
        pieces: list[list[tuple[float, float]]] = [[]]
        for point in self.points:
            if point.middle is None:
                pieces.append([])
            else:
                pieces[-1].append((point.x, point.middle))
        return [piece for piece in pieces if len(piece) > 1]


@dataclass(frozen=True)
class Limit:
    """A line across the plot and what it is called: the threshold, or how well the person's own photos agree."""

    cosine: float
    words: str
    kind: Literal["gate", "own"]


@dataclass(frozen=True)
class Chart:
    """A plot. With `numeric` the x of a point is its value, else the place of its bar: 0, 1, 2 ...

    threshold: the cosine that passes. baseline: lowest and median cosine among the person's own photos.
    """

    series: tuple[Series, ...]
    numeric: bool
    x_label: str
    threshold: float | None = None
    baseline: tuple[float, float] | None = None

    @property
    def points(self) -> list[Point]:
        """The points of all series."""
        return [point for series in self.series for point in series.points]

    def limits(self) -> list[Limit]:
        """What the likeness is held against, the highest first."""
        found = [] if self.threshold is None else [Limit(self.threshold, f"threshold {self.threshold:.2f}", "gate")]
        if self.baseline is not None:
            low, middle = self.baseline
            found.append(Limit(middle, f"own median {middle:.2f}", "own"))
            if middle - low >= LEAST_BAND:
                found.append(Limit(low, f"own lowest {low:.2f}", "own"))
        return sorted(found, key=lambda limit: -limit.cosine)

    def x_ticks(self) -> list[tuple[float, str]]:
        """Where the x axis is labelled: at the values that were tried, where they are few, else at round numbers."""
        labels = dict(sorted((point.x, point.label) for point in self.points))
        if not self.numeric or len(labels) <= MOST_OWN_TICKS:
            return list(labels.items())
        return [(tick, number(tick)) for tick in ticks(min(labels), max(labels), MOST_OWN_TICKS)]

    def x_range(self) -> tuple[float, float]:
        """The ends of the x axis: a little beyond the first and last value."""
        places = [point.x for point in self.points] or [0.0]
        low, high = min(places), max(places)
        room = 0.5 if not self.numeric else (high - low) * 0.05 or 0.5
        return low - room, high + room

    def y_range(self) -> tuple[float, float]:
        """The ends of the y axis, in steps of 0.1. Bars begin at 0, as bars must; lines show what matters of 1."""
        values = [cosine for point in self.points for cosine in point.cosines]
        values += [] if self.threshold is None else [self.threshold]
        values += list(self.baseline or ())
        if not values:
            return 0.0, 1.0
        low = math.floor(round((min(values) - MARGIN) * 10, 6)) / 10
        high = math.ceil(round((max(values) + MARGIN) * 10, 6)) / 10
        high = min(high, 1.0)
        return max(min(low, high - LEAST_HEIGHT) if self.numeric else min(low, 0.0), -1.0), high

    def y_ticks(self) -> list[tuple[float, str]]:
        """Where the y axis is labelled."""
        low, high = self.y_range()
        step = 0.1 if high - low <= MOST_TENTHS else 0.2
        first = math.ceil(round(low / step, 6))
        last = math.floor(round(high / step, 6))
        return [(place * step, f"{place * step:.1f}".replace("-0.0", "0.0")) for place in range(first, last + 1)]


def chart_of(
    entries: Iterable[tuple[str, str, float | None, Sequence[float], str]],
    x_label: str,
    threshold: float | None,
    baseline: tuple[float, float] | None,
) -> Chart:
    """A chart of (series, label, value, cosines, problem), in their order.

    Lines where every value is a number, else bars. Entries of one series and label are one point.
    """
    rows = list(entries)
    numeric = bool(rows) and all(value is not None for _, _, value, _, _ in rows) and len({row[2] for row in rows}) > 1
    places = {label: float(place) for place, label in enumerate(dict.fromkeys(row[1] for row in rows))}
    found: dict[str, dict[float, Point]] = {}
    for name, label, value, cosines, problem in rows:
        x = float(value) if numeric and value is not None else places[label]
        points = found.setdefault(name, {})
        known = points.get(x, Point(x, label))
        points[x] = Point(x, label, (*known.cosines, *cosines), known.problem or problem)
    series = tuple(
        Series(name, tuple(sorted(points.values(), key=lambda point: point.x))) for name, points in found.items()
    )
    return Chart(series, numeric, x_label, threshold, baseline)


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Places from top to bottom, moved so that none is nearer than `gap` to the next."""
    found = list(places)
    for _ in range(PASSES):
        for place in range(len(found) - 1):
            short = gap - (found[place + 1] - found[place])
            if short > 0:
                found[place] -= short / 2
                found[place + 1] += short / 2
    return found


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` + 1 round numbers from `low` to `high`: multiples of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [place * step for place in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """A tick's number without needless digits."""
    return f"{round(value, 10):g}"
