"""What enlarging adds is no detail: measures in pixels of a picture that was enlarged, told in those of its photo."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..quality.measure import Measure
from .make_report import ENLARGED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .photo import IDPhoto

SIZES = ("pixels", "print_density", "inter_eye_distance")
"""Measures that count pixels of the picture."""

DETAIL = "resolution"
"""The measure of the pixels that show detail of their own: no more than the photo has between the eyes."""


def of_the_photo(measures: Iterable[Measure], made: IDPhoto | None) -> list[Measure]:
    """The measures of a picture, those in pixels as the photo has them from which it was `made`."""
    found = list(measures)
    if made is None or made.enlarged <= ENLARGED:
        return found
    apart = next((each.value for each in found if each.name == "inter_eye_distance"), None)
    most = float("inf") if apart is None else apart / made.enlarged
    return [_counted(each, made.enlarged, most) for each in found]


def _counted(measure: Measure, enlarged: float, most: float) -> Measure:
    if measure.value is None:
        return measure
    if measure.name == DETAIL and measure.value > most:
        return replace(measure, value=most, detail=f"There are {most:.0f} pixels between the eyes in the photo itself.")
    if measure.name not in SIZES:
        return measure
    value = measure.value / enlarged
    words = f"{value:.0f} of the photo itself, enlarged {enlarged:.2f} times to {measure.value:.0f}."
    sigma = None if measure.uncertainty is None else measure.uncertainty / enlarged
    return replace(measure, value=value, uncertainty=sigma, detail=words)
