"""One measured property of a photo: a number with a unit, how sure it is, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass


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
