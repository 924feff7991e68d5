"""The values that a person types to be tried: words to numbers."""

from __future__ import annotations

import math
import re

from ..errors import BadNumbers

MOST_VALUES = 64
"""More values than this in one run is taken for a mistake."""


def numbers(text: str) -> list[float]:
    """The numbers in `text`, separated by commas, semicolons or white space, in their order.

    Raises BadNumbers when there is none, when a word is no finite number, or for more than MOST_VALUES.
    """
    words = [word for word in re.split(r"[,;\s]+", text) if word]
    if not words:
        raise BadNumbers("There is no value to try; type some, such as 0.1, 0.3, 0.5.")
    if len(words) > MOST_VALUES:
        raise BadNumbers(f"{len(words)} values are more than the {MOST_VALUES} of one run; leave some out.")
    return [_number(word) for word in words]


def _number(word: str) -> float:
    value = as_number(word)
    if value is None:
        raise BadNumbers(f"{word[:40]!r} is not a number; write the values like 0.1, 0.3, 0.5.")
    return value


def as_number(word: str) -> float | None:
    """A word as a finite number, or None for anything else."""
    try:
        value = float(word)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in word else None
