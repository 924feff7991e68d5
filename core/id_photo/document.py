"""What a document asks of its photo, as data, and the same rules in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, StringConstraints

from ..toml_tables import ReadAs

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


def _span(ends: tuple[float, float]) -> Range:
    if not 0 <= ends[0] <= ends[1]:
        raise ValueError(f"is {ends[0]:g} to {ends[1]:g}; write [low, high], from 0, the lower number first")
    return Range(*ends)


def _share(ends: tuple[float, float]) -> Range:
    if ends[1] > 1:
        raise ValueError(f"is {ends[0]:g} to {ends[1]:g}; write [low, high] as shares of the picture, 0 to 1")
    return _span(ends)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"is {text!r}; write the day like 2026-11-20") from None


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Span = Annotated[Range, ReadAs(tuple[float, float], _span)]
Share = Annotated[Range, ReadAs(tuple[float, float], _share)]
Pixels = tuple[PositiveInt, PositiveInt]
"""Width, height."""

Kind = Literal["passport", "visa", "identity card", "residence", "driving licence", "generic", "profile", "application"]
Expression = Literal["neutral", "closed smile", "any"]
"""Mouth closed and no smile; a slight smile with the mouth closed; no rule."""

Glasses = Literal["none", "no glare", "any"]
"""Not allowed; allowed where the eyes are seen without glare or tint; no rule."""

HeadCovering = Literal["none", "religious", "any"]
"""Never; for reasons of religion (or health) with the face free; no rule."""

Confidence = Literal["high", "medium", "low"]
"""How sure the figures are: the authority's text, agreed by a second source; one of both; neither, or a dispute."""


@dataclass(frozen=True)
class Source:
    """Where a figure comes from. `says`: what it says, in a few words. `checked`: ISO date."""

    url: Annotated[str, StringConstraints(pattern="^https://")]
    checked: Annotated[str, AfterValidator(_day)]
    says: str = ""


Sources = Annotated[tuple[Source, ...], Field(min_length=1)]


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
    title: Text
    country: Text
    kind: Kind
    width_mm: PositiveFloat | None = None
    height_mm: PositiveFloat | None = None
    pixels: Pixels | None = None
    min_pixels: Pixels | None = None
    max_pixels: Pixels | None = None
    dpi: PositiveInt = 300
    head: Share | None = None
    head_top: HeadTop = HeadTop.CROWN
    eyes: Share | None = None
    room: Share | None = None
    chin: Share | None = None
    head_width: Share | None = None
    background: str = ""
    background_colours: tuple[Annotated[str, StringConstraints(pattern="^#[0-9A-F]{6}$")], ...] = ()
    expression: Expression = "neutral"
    glasses: Glasses = "no glare"
    head_covering: HeadCovering = "religious"
    file_bytes: Span | None = None
    formats: Annotated[tuple[Literal["jpeg", "png", "webp"], ...], Field(min_length=1)] = ("jpeg",)
    edits: Edits = Edits.NONE
    edits_rule: str = ""
    authority: str = ""
    capture: str = ""
    notes: tuple[Text, ...] = ()
    disputes: tuple[Text, ...] = ()
    confidence: Confidence = "low"
    sources: tuple[Source, ...] = ()

    @property
    def handed_in_as_print(self) -> bool:
        """Whether there is no upload, and so no rule on a file."""
        return self.pixels is None and self.file_bytes is None and self.min_pixels is None

    @property
    def rule_on_edits(self) -> str:
        """What is said about edits and by whom, for use in brackets: the authority's rule, or that none is known."""
        if not self.edits_rule:
            return f"no rule of {self.authority} about edits is known, and nothing is changed without one"
        return f"{self.authority}: {self.edits_rule.rstrip('.')}"


FREE_BACKGROUND = "anything calm"
"""The words of a table that asks for no particular background; its colours are those to replace one with."""

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
    parts = [] if document.handed_in_as_print else [" or ".join(form.upper() for form in document.formats)]
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
