"""The report of an ID photo that was made: what was measured, which rules hold, and what to do where one does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .document import Document
    from .framing import Fit, Framing
    from .head import Head

EYES_APART = 90
"""Pixels between the eye centres that ISO/IEC 39794-5 asks for at least."""

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
    the picture's width and height in pixels, and its pixels per inch. `broken` says in words which rules do not hold
    and why; it is empty where all do. `warnings` are about what no rule on the head's place says.
    """
    width, height, dpi = size
    scale = height / framing.cut.height
    rules = [_line(fit, document) for fit in framing.fits if fit.binding]
    return {
        "document": document.id,
        "title": document.title,
        "confidence": document.confidence,
        "width_px": width,
        "height_px": height,
        "dpi": dpi,
        "width_mm": round(width / dpi * 25.4, 2),
        "height_mm": round(height / dpi * 25.4, 2),
        "turned_degrees": round(-head.roll, 2),
        "scale": round(scale, 3),
        "eyes_apart_px": round(head.unit * scale, 1),
        "rules": rules,
        "advice": [_line(fit, document) for fit in framing.fits if not fit.binding],
        "broken": _broken(document, framing, ideal, head),
        "warnings": _warnings(document, framing, head, scale),
        "edits_made": edits,
        "edits_rule": document.edits_rule,
        "notes": [*notes, *_capture(document)],
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


def _broken(document: Document, framing: Framing, ideal: Framing, head: Head) -> list[str]:
    told = [_why(fit, document, ideal) for fit in framing.broken]
    if head.cut_off:
        told.append("The photo cuts off the top of the head; take one with room above the hair.")
    return told


def _why(fit: Fit, document: Document, ideal: Framing) -> str:
    """One sentence: the rule, the value, the cause and what to do."""
    factor, unit = _unit(fit.name, document)
    least, most = f"{fit.limits.low * factor:.1f}", f"{fit.limits.high * factor:.1f}"
    said = f"{fit.name.capitalize()}: {fit.value * factor:.1f} {unit}, asked for are {least} to {most}"
    if any(other.name == fit.name for other in ideal.broken):
        return f"{said}; the document's rules cannot all be kept together for this head."
    short = _short_of(document, ideal)
    return (
        f"{said}; step back, because the photo ends {short}." if short else f"{said}; take the photo from further off."
    )


def _short_of(document: Document, ideal: Framing) -> str:
    """By how much the photo is too small for the ideal frame, side by side."""
    whole, unit = (document.height_mm, "mm") if document.height_mm is not None else (100.0, "% of the height")
    sides = [
        f"{length / ideal.cut.height * whole:.1f} {unit} too early {WHERE[side]}"
        for side, length in ideal.beyond.items()
    ]
    return " and ".join(sides)


def _warnings(document: Document, framing: Framing, head: Head, scale: float) -> list[str]:
    warnings = []
    eyes = head.unit * min(scale, 1.0)
    if eyes < EYES_APART and scale > 1:
        warnings.append(
            f"The photo has {eyes:.0f} pixels between the eyes and {EYES_APART} are the least for identity documents; "
            "use a larger photo."
        )
    elif head.unit * scale < EYES_APART and document.kind not in ("profile", "application"):
        warnings.append(
            f"The picture has {head.unit * scale:.0f} pixels between the eyes at this size, and {EYES_APART} are the "
            "least for identity documents."
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
        if fit.name == "off centre" and not fit.met:
            warnings.append(f"The head is {100 * abs(fit.value):.0f} % of the width beside the middle.")
    return warnings


def _capture(document: Document) -> list[str]:
    if not document.capture:
        return []
    return [f"{document.authority} wants the photo {document.capture}; use this one to see how it should look."]
