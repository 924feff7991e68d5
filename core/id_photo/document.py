"""What a document asks of its photo, as data, and the same rules in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

MM_PER_INCH = 25.4


@dataclass(frozen=True)
class Range:
    """A closed range; `low` <= `high`."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """Half-way between both ends."""
        return (self.low + self.high) / 2

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


class HeadTop(StrEnum):
    """What a document calls the top of the head."""

    CROWN = "crown"
    """The top of the skull; hair above it is not counted (ISO/IEC 19794-5, ICAO Doc 9303)."""
    HAIR = "hair"
    """The highest point, hair included."""


class Edits(StrEnum):
    """How far the picture may be changed beyond cutting, turning, resizing and compressing."""

    NONE = "none"
    """Nothing at all: no replaced background, no retouching, no changed light."""
    BACKGROUND = "background"
    """A plain background may replace the photo's own; the person stays as photographed."""
    ANY = "any"
    """The rule says nothing against edits (profiles, applications)."""


KINDS = ("passport", "visa", "identity card", "residence", "driving licence", "generic", "profile", "application")
"""What a document's `kind` may be."""

EXPRESSIONS = ("neutral", "closed smile", "any")
"""What `expression` may be: mouth closed and no smile; a slight smile with the mouth closed; no rule."""

GLASSES = ("none", "no glare", "any")
"""What `glasses` may be: not allowed; allowed where the eyes are seen without glare or tint; no rule."""

HEAD_COVERINGS = ("none", "religious", "any")
"""What `head_covering` may be: never; for reasons of religion (or health) with the face free; no rule."""

CONFIDENCES = ("high", "medium", "low")
"""How sure the figures are: the authority's text, agreed by a second source; one of both; neither, or a dispute."""


@dataclass(frozen=True)
class Source:
    """Where a figure comes from. `says`: what it says, in a few words. `checked`: ISO date."""

    url: str
    checked: str
    says: str = ""


@dataclass(frozen=True)
class Document:
    """The rules for the photo of one document.

    Lengths are millimetres, pixels are (width, height). `head` (chin to `head_top`), `eyes` (eye line above the bottom
    edge), `room` (head top to the top edge) and `chin` (chin above the bottom edge) are shares of the picture's height
    in 0..1, `head_width` is a share of its width; None where no rule is known. A document has `width_mm` and
    `height_mm` (a print), or `pixels` (an upload), or both; where the rule gives only `min_pixels` and `max_pixels`,
    `pixels` is our choice between them. `file_bytes` are bytes. `kind`, `expression`, `glasses`, `head_covering` and
    `confidence` are one of the words above. `background_colours` are hexadecimal, the one to use first.
    `edits_rule` is what is said about edits, in short; empty where no rule was found, and then `edits` is NONE.
    `authority` is the office's name as it reads in a sentence; `capture` says who must take the photo, where a file
    made here is not accepted; empty otherwise.
    """

    id: str
    title: str
    country: str
    kind: str
    width_mm: float | None = None
    height_mm: float | None = None
    pixels: tuple[int, int] | None = None
    min_pixels: tuple[int, int] | None = None
    max_pixels: tuple[int, int] | None = None
    dpi: int = 300
    head: Range | None = None
    head_top: HeadTop = HeadTop.CROWN
    eyes: Range | None = None
    room: Range | None = None
    chin: Range | None = None
    head_width: Range | None = None
    background: str = ""
    background_colours: tuple[str, ...] = ()
    expression: str = "neutral"
    glasses: str = "no glare"
    head_covering: str = "religious"
    file_bytes: Range | None = None
    formats: tuple[str, ...] = ("jpeg",)
    edits: Edits = Edits.NONE
    edits_rule: str = ""
    authority: str = ""
    capture: str = ""
    notes: tuple[str, ...] = ()
    disputes: tuple[str, ...] = ()
    confidence: str = "low"
    sources: tuple[Source, ...] = field(default_factory=tuple)

    @property
    def rule_on_edits(self) -> str:
        """What is said about edits and by whom, for use in brackets: the authority's rule, or that none is known."""
        if not self.edits_rule:
            return f"no rule of {self.authority} about edits is known, and nothing is changed without one"
        return f"{self.authority}: {self.edits_rule.rstrip('.')}"


TOPS = {HeadTop.CROWN: "chin to crown, hair not counted", HeadTop.HAIR: "chin to the top of the hair"}

EXPRESSION_WORDS = {
    "neutral": "neutral, mouth closed",
    "closed smile": "neutral, or a slight smile with the mouth closed",
    "any": "as you like",
}

GLASSES_WORDS = {
    "none": "not allowed",
    "no glare": "allowed without glare, tint, or frames over the eyes",
    "any": "as you like",
}

HEAD_COVERING_WORDS = {
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
    yield "Expression", EXPRESSION_WORDS[document.expression]
    yield "Glasses", GLASSES_WORDS[document.glasses]
    yield "Head covering", HEAD_COVERING_WORDS[document.head_covering]
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
