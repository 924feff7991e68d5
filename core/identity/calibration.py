"""Thresholds and score curves of each recogniser, measured by our own benchmark and read from calibration.toml.

A cosine means nothing by itself: 0.36 is a match for one recogniser and noise for another. `benchmarks/identity/lfw.py`
measures false match rates on Labeled Faces in the Wild, `benchmarks/fairness/verification.py` those of groups of people
on labelled portraits; both write the table that is read here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ..errors import CalibrationMissing
from ..toml_tables import read_tables

TABLE = Path(__file__).with_name("calibration.toml")
BORROWED = "insightface/buffalo_s"
"""The insightface pack whose table unmeasured packs borrow."""


@dataclass(frozen=True)
class OperatingPoint:
    """At this threshold, a fraction `fmr` of strangers passes and `tar` of genuine pairs does.

    low and high: the threshold's 95 % confidence interval, by bootstrap over people.
    """

    fmr: float
    threshold: float
    low: float
    high: float
    tar: float


@dataclass(frozen=True)
class EvenPoint:
    """At this threshold no group of people that was large enough to tell lets more than a fraction `fmr` pass.

    group: the one that asks the highest threshold. how: "counted" on its pairs, or "modelled" where they are too few.
    fnmr: the fraction of genuine pairs, two public photos of one person, that fails.
    """

    fmr: float
    threshold: float
    group: str
    how: str
    fnmr: float


@dataclass(frozen=True)
class Calibration:
    """What is known of one recogniser. slope and offset are of score = 1 / (1 + exp(-(slope * cosine + offset))).

    even: the thresholds chosen with the worst group in mind; even_source and even_date: on whom, and when.
    """

    engine: str
    source: str
    date: str
    slope: float
    offset: float
    points: tuple[OperatingPoint, ...]
    borrowed: bool = False
    even: tuple[EvenPoint, ...] = ()
    even_source: str = ""
    even_date: str = ""

    def point(self, fmr: float) -> OperatingPoint:
        """The operating point for a false match rate. CalibrationMissing when it was not measured."""
        for point in self.points:
            if math.isclose(point.fmr, fmr):
                return point
        known = ", ".join(f"{point.fmr:g}" for point in self.points)
        raise CalibrationMissing(
            f"The false match rate {fmr:g} was not measured for {self.engine}; choose one of {known}."
        )

    def even_point(self, fmr: float) -> EvenPoint:
        """The point that holds for every group that was measured. CalibrationMissing when it was not."""
        for point in self.even:
            if math.isclose(point.fmr, fmr):
                return point
        raise CalibrationMissing(
            f"A threshold for {self.engine} that is even across groups of people was not measured at a false match "
            f"rate of {fmr:g}; choose another strictness."
        )

    def threshold(self, fmr: float) -> float:
        """The cosine from which on a fraction `fmr` of strangers passes."""
        return self.point(fmr).threshold

    def score(self, cosine: float) -> float:
        """The probability, 0..1, that a cosine comes from one person, if both answers are equally likely before."""
        return 1 / (1 + math.exp(-(self.slope * cosine + self.offset)))


@cache
def table() -> dict[str, Calibration]:
    """All measured recognisers by `FaceEngine.key`."""
    return read_tables(TABLE, Calibration)


def calibration_of(engine: str) -> Calibration:
    """The calibration of a recogniser.

    An insightface pack that was not measured borrows the table of the one that was: all of them are ArcFace
    networks with similar score distributions. `source` then says so. CalibrationMissing for any other name.
    """
    known = table()
    if engine in known:
        return known[engine]
    if engine.startswith("insightface/") and BORROWED in known:
        why = f"borrowed from {BORROWED}, because {engine} was not measured; "
        lent = known[BORROWED]
        sources = {"source": why + lent.source, "even_source": why + lent.even_source}
        return replace(lent, engine=engine, borrowed=True, **sources)
    raise CalibrationMissing(
        f"No false match rates were measured for {engine}; use one of {', '.join(sorted(known))}, "
        "or measure it with benchmarks/identity/lfw.py."
    )
