"""What a measured property should be, as data: limits of one or both sides, in words, with advice."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors.quality_errors import LimitsInvalid

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


@dataclass(frozen=True)
class Limit:
    """How one measure is judged and what is said of it.

    title: plain words, as a heading. failing: what is wrong where the rule is broken, to follow on a colon, and
    failing_high where that differs for a value beyond `at_most`. group: the heading above it. at_least, at_most: its
    bounds, in the measure's unit. too_low, too_high: advice, a sentence. unseen: advice where there is no value, which
    is then a doubt. wanted: the limit in words where numbers say nothing. source: whose rule it is. For people a number
    is multiplied by `times`, has `digits` and `unit` (else the measure's own); `shown`: whether it is shown at all.
    """

    name: str
    title: str
    group: str
    at_least: Bound | None = None
    at_most: Bound | None = None
    failing: str = ""
    failing_high: str = ""
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
            span = f"within ±{high}" if low == f"−{high}" else f"{low} to {high}"
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
        return f"{value * self.times:.{self.digits}f}".replace("-", "−")

    def with_unit(self, figures: str, unit: str) -> str:
        """The figures with the unit that is shown, `unit` being the measure's."""
        unit = self.unit or unit
        return f"{figures}{unit}" if unit == "°" else f"{figures} {unit}".rstrip()


KEYS = {
    "title": str,
    "failing": str,
    "failing_high": str,
    "group": str,
    "too_low": str,
    "too_high": str,
    "unseen": str,
    "wanted": str,
    "source": str,
    "unit": str,
    "times": int,
    "digits": int,
    "shown": bool,
}


def read_limits(file: Path) -> dict[str, Limit]:
    """The limits of a TOML file by measure, in its order: that is the order of a report.

    A bound is one number, or ``[passes, fails]``. Raises LimitsInvalid, which names the file, the entry and the key.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LimitsInvalid(f"{file.name} cannot be read as TOML ({error}); repair it.") from error
    return {name: _limit(f"{file.name}, [{name}]", name, entry) for name, entry in table.items()}


def _limit(where: str, name: str, entry: Any) -> Limit:
    if not isinstance(entry, Mapping) or not {"title", "group"} <= set(entry):
        raise LimitsInvalid(f"{where}: this is no table with a title and a group; add them.")
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if key in ("at_least", "at_most"):
            values[key] = _bound(f"{where}: {key}", value, rising=key == "at_least")
        elif key in KEYS and isinstance(value, KEYS[key]):
            values[key] = value
        else:
            raise LimitsInvalid(f"{where}: {key} = {value!r} is no key and value of a limit; correct it.")
    return Limit(name, **values)


def _bound(where: str, value: Any, *, rising: bool) -> Bound:
    numbers = value if isinstance(value, list) else [value, value]
    if len(numbers) != 2 or any(isinstance(each, bool) or not isinstance(each, int | float) for each in numbers):
        raise LimitsInvalid(f"{where} = {value!r} must be a number, or [what passes, what fails].")
    passes, fails = (float(each) for each in numbers)
    if passes != fails and (passes > fails) != rising:
        raise LimitsInvalid(f"{where} = {value!r}: what fails must lie beyond what passes; swap them.")
    return Bound(passes, fails)
