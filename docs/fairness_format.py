"""How the fairness page shows rates, counts and tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Result = dict[str, Any]


def percent(rate: float | None) -> str:
    """A rate with two digits that count, as "0.23 %"."""
    if rate is None:
        return "–"
    value = 100 * rate
    digits = 0 if value == 0 or value >= 99.95 else 1 if value >= 1 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f} %"


def with_interval(rate: Result) -> str:
    """A rate with its interval, as "0.23 % (0.18 to 0.28)"."""
    if not rate["total"]:
        return "–"
    low, high = (percent(rate[end]).removesuffix(" %") for end in ("low", "high"))
    return f"{percent(rate['rate'])} ({low} to {high})"


def counted(rate: Result) -> str:
    """A count, as "4 of 174"."""
    return f"{rate['count']} of {rate['total']:,}" if rate["total"] else "–"


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; the first column is text and the others are figures."""
    head = list(head)
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])
