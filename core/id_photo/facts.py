"""A document's rules in words, as the command line and the documentation show them."""

from __future__ import annotations

from collections.abc import Iterator

from .document import Document, Edits, HeadTop, Range

TOPS = {HeadTop.CROWN: "chin to crown, hair not counted", HeadTop.HAIR: "chin to the top of the hair"}

EXPRESSIONS = {
    "neutral": "neutral, mouth closed",
    "closed smile": "neutral, or a slight smile with the mouth closed",
    "any": "as you like",
}

GLASSES = {
    "none": "not allowed",
    "no glare": "allowed without glare, tint, or frames over the eyes",
    "any": "as you like",
}

HEAD_COVERINGS = {
    "none": "not allowed",
    "religious": "for reasons of religion or health, with the face free",
    "any": "as you like",
}

EDITS = {
    Edits.NONE: "none",
    Edits.BACKGROUND: "the background may be replaced",
    Edits.ANY: "no limits known",
}

NO_RULE = "No rule was found, and nothing is changed without one."


def facts(document: Document) -> list[tuple[str, str]]:
    """What is asked, as (title, text), without notes, disputes and sources; what no rule is known for is left out."""
    return [(title, text) for title, text in _facts(document) if text]


def _facts(document: Document) -> Iterator[tuple[str, str]]:
    tall, wide = document.height_mm, document.width_mm
    yield "Size", size(document)
    yield "File", _file(document)
    yield "Head", f"{length(document.head, tall)}, {TOPS[document.head_top]}" if document.head else ""
    yield "Eye line", f"{length(document.eyes, tall)} above the bottom edge" if document.eyes else ""
    yield "Above the head", length(document.room, tall)
    yield "Below the chin", length(document.chin, tall)
    yield "Head width", length(document.head_width, wide)
    yield "Background", f"{document.background} ({', '.join(document.background_colours)})"
    yield "Expression", EXPRESSIONS[document.expression]
    yield "Glasses", GLASSES[document.glasses]
    yield "Head covering", HEAD_COVERINGS[document.head_covering]
    yield "Edits", f"{EDITS[document.edits]}. {document.edits_rule or NO_RULE}"
    yield "Taken by", document.capture
    yield "Authority", document.authority
    yield "Confidence", document.confidence


def size(document: Document) -> str:
    """Size on paper and in pixels: 35 x 45 mm, 630 x 810 pixels."""
    parts = []
    if document.width_mm and document.height_mm:
        parts.append(f"{document.width_mm:g} x {document.height_mm:g} mm")
    if document.pixels:
        parts.append("{} x {} pixels".format(*document.pixels))
    return ", ".join(parts)


def length(share: Range | None, side: float | None) -> str:
    """A range of a side, in mm of a print and in percent: 32 to 36 mm (71 to 80 %). Empty where there is no rule."""
    if share is None:
        return ""
    percent = f"{share.low * 100:.0f} to {share.high * 100:.0f} %"
    return f"{round(share.low * side, 1):g} to {round(share.high * side, 1):g} mm ({percent})" if side else percent


def _file(document: Document) -> str:
    """Forms, limits in pixels and in bytes, resolution."""
    parts = [" or ".join(form.upper() for form in document.formats)]
    if document.min_pixels:
        parts.append("at least {} x {} pixels".format(*document.min_pixels))
    if document.max_pixels:
        parts.append("at most {} x {} pixels".format(*document.max_pixels))
    if document.file_bytes:
        least = f"{_bytes(document.file_bytes.low)} to " if document.file_bytes.low else "at most "
        parts.append(least + _bytes(document.file_bytes.high))
    parts.append(f"{document.dpi} pixels per inch")
    return ", ".join(parts)


def _bytes(number: float) -> str:
    return f"{number / 1e6:g} MB" if number >= 1e6 else f"{number / 1e3:g} kB"
