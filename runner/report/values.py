"""Values of which nobody knows what they are: a server may have sent anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def is_number(value: Any) -> bool:
    """Whether it is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def finite(value: Any) -> float | None:
    """A number as a float; None for what is none, NaN and infinity included."""
    return float(value) if is_number(value) else None


def listed(values: Any) -> Sequence[Any]:
    """A list as it is; an empty one for anything else."""
    return values if isinstance(values, list | tuple) else ()


def mappings(values: Any) -> list[Mapping[str, Any]]:
    """The objects of a list."""
    return [value for value in listed(values) if isinstance(value, Mapping)]
