"""A measure held against its limit: one line of a report, with an outcome that may be "nobody can say"."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .limit import Bound, Limit
    from .measure import Measure


class Outcome(StrEnum):
    """What became of one check."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    UNCERTAIN = "uncertain"
    NOT_MEASURED = "not measured"
    NOT_ASKED = "not asked"


class Verdict(StrEnum):
    """What became of all checks of a photo together."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class Check:
    """One check of one photo.

    value and uncertainty are in `unit`; shown is the value for people, limit the rule in words. advice: what to do, a
    sentence, empty where nothing is wrong. detail: what was seen. source: whose definition and whose limit. failing:
    what is wrong, where something is, to follow on a colon.
    """

    name: str
    title: str
    group: str
    outcome: Outcome
    value: float | None = None
    unit: str = ""
    uncertainty: float | None = None
    shown: str = ""
    limit: str = ""
    advice: str = ""
    detail: str = ""
    source: str = ""
    failing: str = ""

    @property
    def fault(self) -> str:
        """What is wrong, in the words of the rule, or the rule itself where there are none."""
        return self.failing or self.title[0].lower() + self.title[1:]

    def as_dict(self) -> dict[str, Any]:
        """For reports; a value that is no finite number is left out."""
        finite = self.value is not None and math.isfinite(self.value)
        return {
            "name": self.name,
            "title": self.title,
            "group": self.group,
            "outcome": str(self.outcome),
            "value": round(self.value, 6) if finite and self.value is not None else None,
            "unit": self.unit,
            "uncertainty": None if self.uncertainty is None else round(self.uncertainty, 6),
            "shown": self.shown,
            "limit": self.limit,
            "advice": self.advice,
            "detail": self.detail,
            "source": self.source,
            "failing": self.failing,
        }


def judge_measure(measure: Measure, limit: Limit) -> Check:
    """Hold `measure` against `limit`.

    A bound with two figures is uncertain between them, and where what is asked lies within one standard error of a
    value that would fail. A bound with one is uncertain where it lies within one standard error of the value. What has
    no value was not measured, or is uncertain where the limit says so.
    """
    value = measure.value
    source = "; ".join(part.rstrip(".") for part in (measure.source, limit.source) if part)
    words = limit.words(measure.unit)
    if value is None or not math.isfinite(value):
        detail = measure.detail or "It could not be measured."
        missing = Outcome.UNCERTAIN if limit.unseen else Outcome.NOT_MEASURED
        about = Check(limit.name, limit.title, limit.group, missing, limit=words, detail=detail, source=source)
        return replace(about, advice=limit.unseen)
    low = _side(value, measure.uncertainty or 0.0, limit.at_least, 1)
    high = _side(value, measure.uncertainty or 0.0, limit.at_most, -1)
    outcome = worst(low, high)
    above = low is not outcome
    advice = "" if outcome is Outcome.PASS else limit.too_high if above else limit.too_low
    if outcome is Outcome.UNCERTAIN:
        words = limit.doubt(measure.unit, high=above)
    return Check(
        name=limit.name,
        title=limit.title,
        group=limit.group,
        outcome=outcome,
        value=value,
        unit=measure.unit,
        uncertainty=measure.uncertainty,
        shown=shown(measure, limit) if limit.shown else "",
        limit=words,
        advice=advice,
        detail=measure.detail,
        source=source,
        failing=(above and limit.failing_high) or limit.failing,
    )


def shown(measure: Measure, limit: Limit) -> str:
    """The value for people, with its error where that is not lost in the digits."""
    if measure.value is None:
        return ""
    error = measure.uncertainty or 0.0
    spread = f" ± {limit.figure(error)}" if error * limit.times >= 0.5 * 10**-limit.digits else ""
    return limit.with_unit(limit.figure(measure.value) + spread, measure.unit)


def _side(value: float, error: float, bound: Bound | None, sign: int) -> Outcome:
    """One side; `sign` is 1 for "at least" and -1 for "at most"."""
    if bound is None:
        return Outcome.PASS
    beyond = sign * (bound.passes - value)
    if -beyond >= (error if bound.sharp else 0.0):
        return Outcome.PASS
    return Outcome.FAIL if beyond > error and sign * (bound.fails - value) > 0 else Outcome.UNCERTAIN


def worst(*outcomes: Outcome) -> Outcome:
    """The outcome that matters most."""
    order = (Outcome.FAIL, Outcome.UNCERTAIN, Outcome.PASS, Outcome.NOT_MEASURED, Outcome.NOT_ASKED)
    return min(outcomes, key=order.index)


def faults(checks: Iterable[Check]) -> str:
    """What is wrong by these checks, as a list in a sentence."""
    return ", ".join(check.fault for check in checks)


def titles(checks: Iterable[Check]) -> str:
    """What the checks are called, for the middle of a sentence."""
    return ", ".join(check.title[0].lower() + check.title[1:] for check in checks)


def verdict_of(checks: Iterable[Check]) -> Verdict:
    """Pass only where something was checked, nothing failed and nothing is uncertain."""
    outcome = worst(*(check.outcome for check in checks), Outcome.NOT_ASKED)
    if outcome is Outcome.FAIL:
        return Verdict.FAIL
    return Verdict.PASS if outcome is Outcome.PASS else Verdict.UNCERTAIN
