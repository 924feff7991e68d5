"""What a document asks of its photo, as data: the table documents/*.toml is read into these."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


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
