"""A threshold that holds for the worst group: the lowest at which every large enough group keeps the false match rate.

For a group the threshold is not the one at which its rate is met, but one at which the upper end of the one-sided 95 %
interval of its rate still meets it. Two ways to get there:

counted: enough pairs are there to see the rate. The threshold is the higher of two: the 95 % quantile of the thresholds
that the group has when its people are drawn again, and the one at which the exact binomial bound of its pairs meets the
rate.

modelled: too few pairs (not even none of them passing would show the rate). Scores of strangers are assumed to be
distributed as those of all pairs are, but with the group's own mean and spread: its threshold is its mean and so many
of its standard deviations as everybody's threshold lies from everybody's mean. The 95 % quantile over people drawn
again is taken. A model is no count: the results hold it against the count wherever there is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from likeness_studio.benchmarks.fairness.intervals import LEVEL, exact, pair_sum, pair_weight

STEP = 1e-4
"""Thresholds are rounded up to this."""

KEPT = 30
"""So many times the pairs that may pass are looked at when people are drawn again."""


@dataclass(frozen=True)
class Bound:
    """What one group asks of the threshold. point: where its pairs have the rate. expected: the same by the model."""

    pairs: int
    point: float
    expected: float
    counted: float | None
    modelled: float

    @property
    def threshold(self) -> float:
        """The one that is used: counted where it can be."""
        return self.modelled if self.counted is None else self.counted

    @property
    def how(self) -> str:
        """In a word."""
        return "modelled" if self.counted is None else "counted"


def up(threshold: float) -> float:
    """Rounded up, and strictly above a score that must not pass."""
    return round(float((np.floor(threshold / STEP) + 1) * STEP), 4)


class Ordered:
    """The pairs of a symmetric [n,n] from the highest score."""

    def __init__(self, scores: np.ndarray) -> None:
        left, right = np.triu_indices(len(scores), 1)
        order = np.argsort(-scores[left, right], kind="stable")
        self.scores, self.left, self.right = scores[left, right][order], left[order], right[order]

    def at_rate(self, rate: float) -> float:
        """The lowest threshold at which at most `rate` of the pairs pass."""
        return up(self.scores[int(len(self.scores) * rate)])

    def drawn(self, weights: np.ndarray, rate: float) -> np.ndarray:
        """The same for each row of weights, a pair counting as often as both of its people were drawn."""
        keep = max(2000, int(len(self.scores) * rate * KEPT))
        left, right, found = self.left[:keep], self.right[:keep], []
        for row, pairs in zip(weights, pair_weight(weights), strict=True):
            passing = np.cumsum(row[left] * row[right])
            place = int(np.searchsorted(passing, rate * pairs, side="right"))
            found.append(self.scores[min(place, len(self.scores) - 1)])
        return np.array(found)

    def least_allowed(self, rate: float) -> float | None:
        """Where the exact one-sided bound of the pairs meets the rate; None where no number of them can show it."""
        total = len(self.scores)
        if total == 0 or exact(0, total, 1 - LEVEL)[1] > rate:
            return None
        low, high = 0, int(total * rate) + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if exact(middle, total, 1 - LEVEL)[1] <= rate else (low, middle)
        return up(self.scores[low])


def moments(scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the pairs' scores for each row of weights; not a number without pairs."""
    off = scores * (1 - np.eye(len(scores)))
    pairs = pair_weight(weights)
    pairs = np.where(pairs > 0, pairs, np.nan)
    mean = pair_sum(off, weights) / pairs
    return mean, np.sqrt(np.maximum(pair_sum(off**2, weights) / pairs - mean**2, 0))


class Everybody:
    """The shape of all pairs' scores at one rate, once as it is and once for each draw of people."""

    def __init__(self, scores: np.ndarray, weights: np.ndarray, rate: float) -> None:
        ordered, once = Ordered(scores), np.ones((1, len(scores)))
        self.scores, self.weights, self.rate = scores, np.vstack([once, weights]), rate
        limits = np.concatenate([[ordered.at_rate(rate)], ordered.drawn(weights, rate)])
        mean, spread = moments(scores, self.weights)
        self.reach = (limits - mean) / spread

    def bound(self, members: np.ndarray) -> Bound:
        """What the group of these people asks."""
        own = self.scores[np.ix_(members, members)]
        mean, spread = moments(own, self.weights[:, members])
        model = mean + spread * self.reach
        ordered = Ordered(own)
        least, counted = ordered.least_allowed(self.rate), None
        if least is not None:
            drawn = ordered.drawn(self.weights[1:, members], self.rate)
            counted = max(least, up(float(np.quantile(drawn, LEVEL))))
        return Bound(
            pairs=len(members) * (len(members) - 1) // 2,
            point=ordered.at_rate(self.rate),
            expected=up(float(model[0])),
            counted=counted,
            modelled=up(float(np.nanquantile(model[1:], LEVEL))),
        )
