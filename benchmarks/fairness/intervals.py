"""How sure a rate is: shares of people, and rates over pairs of people, with 95 % intervals.

Pairs share people: 30 people make 435 pairs, and one face that is like many others spoils 29 of them. An interval that
takes pairs for independent is therefore too narrow. People are drawn again, with replacement, and every pair counts as
often as both of its people were drawn. Where hardly any pair passes, drawing people again says too little (of no pair
it always makes no pair), so that the exact binomial interval of the pairs is taken too; the wider of both is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import beta

LEVEL = 0.95
DRAWS = 2000
SEED = 20210103


@dataclass(frozen=True)
class Rate:
    """`count` of `total`, with its 95 % interval."""

    count: int
    total: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """The share itself; not a number where there is nothing to count."""
        return self.count / self.total if self.total else float("nan")

    def as_dict(self) -> dict[str, Any]:
        """For the results."""
        if not self.total:
            return {"count": 0, "total": 0, "rate": None, "low": None, "high": None}
        figures = {"rate": self.rate, "low": self.low, "high": self.high}
        return {"count": self.count, "total": self.total} | {name: round(each, 7) for name, each in figures.items()}


def exact(count: int, total: int, tail: float = (1 - LEVEL) / 2) -> tuple[float, float]:
    """The binomial interval of Clopper and Pearson (1934). `tail`: the probability beyond each end."""
    low = float(beta.ppf(tail, count, total - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - tail, count + 1, total - count)) if count < total else 1.0
    return low, high


def share(count: int, total: int) -> Rate:
    """A share of independent things: people, or one pair of each."""
    return Rate(count, total, *(exact(count, total) if total else (0.0, 1.0)))


def draws(people: int, number: int = DRAWS, seed: int = SEED) -> np.ndarray:
    """How often each person was drawn, [number, people]; every row sums to `people`."""
    drawn = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), number)
    return drawn.astype(np.float64)


def pair_weight(weights: np.ndarray) -> np.ndarray:
    """The number of pairs of different people for each row of weights: a person drawn twice makes no pair alone."""
    return (weights.sum(1) ** 2 - (weights**2).sum(1)) / 2


def pair_sum(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted sum of a symmetric [n,n] with an empty diagonal over its pairs, for each row of weights."""
    return ((weights @ values) * weights).sum(1) / 2


def pair_rate(passing: np.ndarray, weights: np.ndarray) -> Rate:
    """The share of pairs that pass. passing: symmetric bool [n,n]; its diagonal does not count."""
    n = len(passing)
    total, off = n * (n - 1) // 2, passing & ~np.eye(n, dtype=bool)
    count = int(off.sum()) // 2
    if not total:
        return Rate(0, 0, 0.0, 1.0)
    pairs = pair_weight(weights)
    rates = pair_sum(off.astype(np.float64), weights)[pairs > 0] / pairs[pairs > 0]
    low, high = exact(count, total)
    if len(rates):
        first, last = np.quantile(rates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        low, high = min(low, float(first)), max(high, float(last))
    return Rate(count, total, low, high)


def mean_rate(failed: np.ndarray, weights: np.ndarray) -> Rate:
    """The share of several attempts of each person that fail. failed: bool [n, attempts]."""
    count, total = int(failed.sum()), failed.size
    if not total:
        return Rate(0, 0, 0.0, 1.0)
    drawn = weights.sum(1) > 0
    rates = (weights[drawn] @ failed.mean(1)) / weights[drawn].sum(1)
    low, high = exact(count, total)
    first, last = np.quantile(rates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Rate(count, total, min(low, float(first)), max(high, float(last)))
