"""The report of an ID photo that was made, and what enlarging did to its measures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..quality.checks import Measure
from .document import MM_PER_INCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .document import Document
    from .framing import Fit, Framing
    from .head import Head
    from .measures import IDPhoto

EYES_APART = 90
"""Pixels between the eye centres that ISO/IEC 39794-5 asks for at least."""

FREE_KINDS = ("profile", "application")
"""Kinds of photos that no identity is checked by."""

ENLARGED = 1.05
"""From this on a picture counts as enlarged."""

WHERE = {
    "above": "above the head",
    "below": "below the shoulders",
    "left": "at the left",
    "right": "at the right",
}

OF_WIDTH = ("head width", "off centre")
"""What is measured in shares of the width; the other lengths are shares of the height."""

WHOLE_HEAD = "whole head"
"""The rule without a figure: it is told in words, and only where it is broken."""

RATIOS = ("share of the room above",)
"""What is no length."""


def make_report(
    document: Document,
    framing: Framing,
    ideal: Framing,
    head: Head,
    size: tuple[int, int, float],
    notes: list[str],
    edits: list[str],
) -> dict[str, Any]:
    """The report as JSON holds it.

    `ideal` is the frame that would be taken if the photo went on for ever. `head` is in pixels of the photo. `size`:
    the picture's width and height in pixels, and its pixels per inch. `broken` says in words which rules do not hold,
    and `to_do` what would mend that; both are empty where all hold. `warnings` are about all else.
    """
    width, height, dpi = size
    scale = height / framing.cut.height
    rules = [_line(fit, document) for fit in framing.fits if fit.binding and fit.name != WHOLE_HEAD]
    return {
        "document": document.id,
        "title": document.title,
        "confidence": document.confidence,
        "width_px": width,
        "height_px": height,
        "dpi": dpi,
        "photo_dpi": round(dpi / max(1.0, scale), 1),
        "width_mm": round(width / dpi * MM_PER_INCH, 2),
        "height_mm": round(height / dpi * MM_PER_INCH, 2),
        "turned_degrees": round(-head.roll, 2),
        "scale": round(scale, 3),
        "eyes_apart_px": round(head.unit * scale, 1),
        "rules": rules,
        "advice": [_line(fit, document) for fit in framing.fits if not fit.binding],
        "broken": _broken(document, framing, head),
        "to_do": _to_do(document, framing, ideal, head),
        "warnings": _warnings(document, framing, head, scale),
        "edits_made": edits,
        "edits_rule": document.edits_rule,
        "notes": [*notes, *_capture(document)],
        "document_notes": list(document.notes),
    }


def _unit(name: str, document: Document) -> tuple[float, str]:
    """What turns a share into a length for people, and its unit."""
    side, word = (document.width_mm, "width") if name in OF_WIDTH else (document.height_mm, "height")
    if name in RATIOS:
        return 100.0, "%"
    return (side, "mm") if side is not None else (100.0, f"% of the {word}")


def _line(fit: Fit, document: Document) -> dict[str, Any]:
    factor, unit = _unit(fit.name, document)
    return {
        "name": fit.name,
        "value": round(fit.value * factor, 2),
        "uncertainty": round(fit.sigma * factor, 2),
        "low": round(fit.limits.low * factor, 2),
        "high": round(fit.limits.high * factor, 2),
        "unit": unit,
        "met": fit.met,
        "margin_sigma": round(fit.margin, 2),
    }


def _broken(document: Document, framing: Framing, head: Head) -> list[str]:
    told = []
    for fit in framing.broken:
        factor, unit = _unit(fit.name, document)
        if fit.name == WHOLE_HEAD:
            if not head.cut_off:
                told.append(f"The frame cuts off {-fit.value * factor:.1f} {unit} of the head at the top.")
            continue
        least, most = f"{fit.limits.low * factor:.1f}", f"{fit.limits.high * factor:.1f}"
        told.append(f"{fit.name.capitalize()}: {fit.value * factor:.1f} {unit}, and {least} to {most} are asked for.")
    if head.cut_off:
        told.append("The photo cuts off the top of the head.")
    return told


def _to_do(document: Document, framing: Framing, ideal: Framing, head: Head) -> list[str]:
    """What would mend the rules that are broken."""
    beyond_reach = {fit.name for fit in ideal.broken}
    to_do = []
    if head.cut_off or any(fit.name not in beyond_reach for fit in framing.broken):
        short = short_of(document, ideal.beyond, ideal.cut.height)
        why = f": this one ends {short} (in the size of the finished photo)" if short else ""
        to_do.append(f"Step back, and take a photo that goes on further round the head{why}.")
    if any(fit.name in beyond_reach for fit in framing.broken):
        to_do.append("Look at the figures: this document's rules cannot all be kept for this head.")
    return to_do


def short_of(document: Document, beyond: Mapping[str, float], height: float) -> str:
    """By how much a photo is too small for a frame that is `height` pixels high and leaves it by `beyond` pixels.

    Side by side, in the size of the finished photo; empty where it is large enough.
    """
    whole, unit = (document.height_mm, "mm") if document.height_mm is not None else (100.0, "% of the height")
    sides = [f"{length / height * whole:.1f} {unit} too early {WHERE[side]}" for side, length in beyond.items()]
    return ", ".join(sides[:-1]) + (" and " if len(sides) > 1 else "") + sides[-1] if sides else ""


def _warnings(document: Document, framing: Framing, head: Head, scale: float) -> list[str]:
    warnings = []
    apart = head.unit * min(scale, 1.0)
    if apart < EYES_APART and document.kind not in FREE_KINDS:
        where = "the photo" if scale > 1 else "the picture at this size"
        warnings.append(
            f"There are {apart:.0f} pixels between the eyes in {where}, and {EYES_APART} are the least for identity "
            "documents."
        )
    if scale > ENLARGED:
        warnings.append(
            f"The picture is enlarged {scale:.2f} times: the photo has fewer pixels than the size needs, and no detail "
            "is invented."
        )
    native = round(framing.cut.width), round(framing.cut.height)
    least = document.min_pixels
    if least is not None and (native[0] < least[0] or native[1] < least[1]):
        warnings.append(
            f"The frame has {native[0]} x {native[1]} pixels in the photo, and {document.title} asks for at least "
            f"{least[0]} x {least[1]}."
        )
    for fit in framing.fits:
        if fit.name == "room above the hair" and fit.value < 0:
            factor, unit = _unit(fit.name, document)
            warnings.append(f"The frame cuts off {-fit.value * factor:.1f} {unit} of hair at the top.")
    return warnings


def _capture(document: Document) -> list[str]:
    if not document.capture:
        return []
    return [f"{document.authority} wants the photo {document.capture}; use this one to see how it should look."]


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
