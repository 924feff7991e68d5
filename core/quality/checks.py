"""A measured property of a photo, the limits it is held against, and the check that comes of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ..errors.formats import LimitsInvalid
from ..toml_tables import ReadAs, read_tables

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Measure:
    """What was measured, before anybody judges it.

    name: the key by which limits name it, e.g. "sharpness". value: the number in `unit`, or None where it could not be
    measured, which `detail` then explains. uncertainty: one standard deviation in the same unit, where it is known.
    detail: one sentence for people. source: whose definition it is, e.g. "OFIQ", and how ours differs, if it does.
    """

    name: str
    value: float | None
    unit: str = ""
    uncertainty: float | None = None
    detail: str = ""
    source: str = ""


LONG_UNIT = 10
"""A unit with more letters is said once: at most 3.8 % of the eye-chin distance; fails above 4.5."""


@dataclass(frozen=True)
class Bound:
    """One side of a limit: what passes for certain, and what fails for certain; between both nobody can say.

    Where both are equal the rule has one figure, and the measure's own uncertainty decides what is uncertain.
    """

    passes: float
    fails: float

    @property
    def sharp(self) -> bool:
        """Whether the rule has one figure."""
        return self.passes == self.fails


def _bound(figures: float | tuple[float, float], sign: int) -> Bound:
    passes, fails = figures if isinstance(figures, tuple) else (figures, figures)
    if sign * fails > sign * passes:
        raise ValueError(f"is [{passes:g}, {fails:g}]: what fails must lie beyond what passes; swap them")
    return Bound(passes, fails)


AtLeast = Annotated[Bound, ReadAs(float | tuple[float, float], partial(_bound, sign=1))]
AtMost = Annotated[Bound, ReadAs(float | tuple[float, float], partial(_bound, sign=-1))]


@dataclass(frozen=True)
class Limit:
    """How one measure is judged and what is said of it.

    title: plain words, as a heading. failing: what is wrong where the rule is broken, to follow on a colon, and
    failing_high where that differs for a value beyond `at_most`. doubtful, doubtful_advice: the same and the advice
    where the value is uncertain, for what a network may take for something else. group: the heading above it.
    at_least, at_most: its bounds, in the measure's unit. too_low, too_high: advice, a sentence. unseen: advice where
    there is no value, which is then a doubt. wanted: the limit in words where numbers say nothing. source: whose rule
    it is. For people a number is multiplied by `times`, has `digits` and `unit` (else the measure's own); `shown`:
    whether it is shown at all.
    """

    name: str
    title: str
    group: str
    at_least: AtLeast | None = None
    at_most: AtMost | None = None
    failing: str = ""
    failing_high: str = ""
    doubtful: str = ""
    doubtful_advice: str = ""
    too_low: str = ""
    too_high: str = ""
    unseen: str = ""
    wanted: str = ""
    times: float = 1.0
    digits: int = 2
    unit: str = ""
    shown: bool = True
    source: str = ""

    def words(self, unit: str) -> str:
        """The limit for people, such as "25.0 to 35.0 mm" or "at most 5°"; `unit` is the measure's."""
        if self.wanted:
            return self.wanted
        low, high = (bound and self.figure(bound.passes) for bound in (self.at_least, self.at_most))
        if low is not None and high is not None:
            span = f"within ±{high}" if low == f"\N{MINUS SIGN}{high}" else f"{low} to {high}"
            return self.with_unit(span, unit)
        if low is not None:
            return self.with_unit(f"at least {low}", unit)
        return self.with_unit(f"at most {high}", unit) if high is not None else ""

    def doubt(self, unit: str, *, high: bool) -> str:
        """The limit for people where a value is uncertain: what is asked, and what would fail for certain."""
        words, bound = self.words(unit), self.at_most if high else self.at_least
        if (self.wanted and not self.shown) or bound is None or bound.sharp or not math.isfinite(bound.fails):
            return words
        figure = self.figure(bound.fails)
        figure = figure if len(self.unit or unit) > LONG_UNIT else self.with_unit(figure, unit)
        return f"{words}; fails {'above' if high else 'below'} {figure}"

    def figure(self, value: float) -> str:
        """A value as people read it, without its unit."""
        return f"{value * self.times:.{self.digits}f}".replace("-", "\N{MINUS SIGN}")

    def with_unit(self, figures: str, unit: str) -> str:
        """The figures with the unit that is shown, `unit` being the measure's."""
        unit = self.unit or unit
        return f"{figures}{unit}" if unit == "°" else f"{figures} {unit}".rstrip()


def read_limits(file: Path) -> dict[str, Limit]:
    """The limits of a TOML file by measure, in its order: that is the order of a report.

    A bound is one number, or ``[passes, fails]``. Raises LimitsInvalid, which names the file, the entry and the key.
    """
    return read_tables(file, Limit, LimitsInvalid)


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
        return asdict(self) | {
            "outcome": str(self.outcome),
            "value": round(self.value, 6) if finite and self.value is not None else None,
            "uncertainty": None if self.uncertainty is None else round(self.uncertainty, 6),
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
    failing = (above and limit.failing_high) or limit.failing
    if outcome is Outcome.UNCERTAIN:
        words = limit.doubt(measure.unit, high=above)
        advice, failing = limit.doubtful_advice or advice, limit.doubtful or failing
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
        failing=failing,
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


FACE_STATE = (
    *("left_eye_open", "right_eye_open", "gaze", "eyes_visible", "dark_glasses", "glasses", "glasses_glare"),
    *("mouth_closed", "smile", "mouth_visible", "face_occlusion", "head_covering"),
)
"""What is read off the finer parts of a face."""

CAUSES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("inter_eye_distance", "the face is too small", FACE_STATE),
    ("sharpness", "the photo is not sharp", FACE_STATE),
    (
        *("under_exposure", "the photo is too dark"),
        (*FACE_STATE, "natural_colour", "background_lightness", "background_colour", "background_shadow"),
    ),
    ("over_exposure", "the photo is too bright", ("eyes_visible", "glasses", "glasses_glare", "natural_colour")),
    ("yaw", "the face is turned away", ("gaze", "smile", "mouth_closed", "left_eye_open", "right_eye_open")),
    ("dark_glasses", "there are dark glasses", ("left_eye_open", "right_eye_open", "gaze", "glasses_glare")),
    ("background_uniformity", "the background is not plain", ("background_shadow", "background_pattern")),
    ("background_pattern", "the background is not plain", ("background_shadow",)),
)
"""What fails, in words, and the checks that then say nothing: whoever is out of focus need not take off glasses."""


def not_known_behind(checks: Iterable[Check]) -> list[Check]:
    """The checks; of those that did not pass, the ones that stand on one that failed itself are not known."""
    checks = list(checks)
    broken = {check.name for check in checks if check.outcome is Outcome.FAIL}
    reasons: dict[str, str] = {}
    for cause, words, names in CAUSES:
        if cause in broken and cause not in reasons:
            reasons = dict.fromkeys(names, f"Not known: {words}.") | reasons
    return [
        replace(check, outcome=Outcome.NOT_MEASURED, value=None, shown="", detail=reasons[check.name], advice="")
        if check.name in reasons and check.outcome in (Outcome.FAIL, Outcome.UNCERTAIN)
        else check
        for check in checks
    ]
