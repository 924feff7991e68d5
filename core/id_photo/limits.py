"""The limits that one document's photo is held against: the general table, with the document's own figures put in."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..imaging.colour import LUMINANCE, parse_colour
from ..quality.checks import Bound, Limit, read_limits
from .document import FREE_BACKGROUND, Document, Edits
from .measures import scale_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .document import Range

FILE = Path(__file__).with_name("limits.toml")

FRAMING = frozenset((
    "aspect", "pixels", "print_density", "print_size", "file_format", "file_size", "head_height", "eye_line",
    "room_above", "chin_height", "head_width", "centring", "roll",
))  # fmt: skip
"""What cutting, turning and saving a photo decides: not asked of a photo that is still to be cut."""

PORTRAIT = frozenset((
    "faces", "upright", "aspect", "pixels", "file_format", "file_size", "unaltered", "head_height", "eye_line",
    "room_above", "centring", "whole_head", "inter_eye_distance", "sharpness", "compression", "file_compression",
    "under_exposure", "over_exposure", "eyes_visible", "natural_colour",
))  # fmt: skip
"""What is asked of a photo for a profile or an application, as far as it has a rule: no strict pose or light."""

BACKGROUND = tuple(f"background_{each}" for each in ("uniformity", "lightness", "colour", "shadow", "pattern"))
"""Measures of what is behind the person; without a mask of the person there are none."""

LEAST_PRINT = 300.0
"""Pixels per inch that every print should have: what ICAO Doc 9303 part 3 asks of a photo that is scanned."""

COARSE = 0.8
"""A print with less than this share of them is surely too coarse."""

NEAR = 0.98
"""A print may have so much of the pixels that it should have: whole pixels, and millimetres that were inches."""


@cache
def table() -> dict[str, Limit]:
    """The general table, limits.toml, in the order of a report. Raises LimitsInvalid."""
    return read_limits(FILE)


def limits_for(document: Document, *, uncut: bool = False) -> dict[str, Limit | str]:
    """Every limit by measure, or in a few words why the document does not ask for it.

    `uncut`: the photo is still to be cut to the document, so that what cutting decides is not asked.
    """
    return {name: _limit(limit, document, uncut) for name, limit in table().items()}


def _limit(limit: Limit, document: Document, uncut: bool) -> Limit | str:
    if uncut and limit.name in FRAMING:
        return "decided when the photo is cut"
    if document.kind in ("profile", "application") and limit.name not in PORTRAIT and not _stated(limit.name, document):
        return "no rule for such a photo"
    rule = RULES.get(limit.name)
    return rule(limit, document) if rule else limit


def _stated(name: str, document: Document) -> bool:
    """Whether a document of a free kind has a rule of its own on what else is asked of stricter ones only."""
    return {
        "smile": document.expression != "any",
        "mouth_closed": document.expression != "any",
        "glasses": document.glasses != "any",
        "dark_glasses": document.glasses != "any",
        "glasses_glare": document.glasses != "any",
        "head_covering": document.head_covering != "any",
        "chin_height": document.chin is not None,
        "head_width": document.head_width is not None,
        **dict.fromkeys(BACKGROUND, document.background != FREE_BACKGROUND),
    }.get(name, False)


def _lengths(field: str) -> Callable[[Limit, Document], Limit | str]:
    """A rule that the document gives as a share of the picture's height."""

    def rule(limit: Limit, document: Document) -> Limit | str:
        wanted: Range | None = getattr(document, field)
        if wanted is None:
            return "no figure is known"
        return _between(limit, wanted, scale_of(document)[0], f"limit of {document.title}")

    return rule


def _between(limit: Limit, wanted: Range, factor: float, source: str) -> Limit:
    low, high = wanted.low * factor, wanted.high * factor
    return replace(limit, at_least=Bound(low, low), at_most=Bound(high, high), source=source)


def _head_width(limit: Limit, document: Document) -> Limit | str:
    if document.head_width is None:
        return "no figure is known"
    return _between(limit, document.head_width, document.width_mm or 100.0, f"limit of {document.title}")


def _print_density(limit: Limit, document: Document) -> Limit | str:
    if document.height_mm is None:
        return "an upload has no size on paper"
    least = min(LEAST_PRINT, document.dpi)
    return replace(limit, at_least=Bound(NEAR * least, COARSE * least), wanted=f"at least {least:g} pixels per inch")


def _print_size(limit: Limit, document: Document) -> Limit | str:
    return limit if document.height_mm is not None else "an upload has no size on paper"


def _pixels(limit: Limit, document: Document) -> Limit | str:
    """By the width: the proportions are a check of their own."""
    least = document.min_pixels or document.pixels
    exact = document.pixels if document.min_pixels is None and document.max_pixels is None else None
    most = document.max_pixels or (None if document.kind in ("profile", "application") else exact)
    if least is None and most is None:
        return "no number is known"
    if least is None:
        least = exact
    words = [f"{each[0]} x {each[1]}" for each in dict.fromkeys((least, most)) if each]
    wanted = " to ".join(words) if least and most else f"{'at least' if least else 'at most'} {words[0]}"
    at_least, at_most = (each and Bound(each[0], each[0]) for each in (least, most))
    return replace(limit, at_least=at_least, at_most=at_most, wanted=f"{wanted} pixels")


def _file_format(limit: Limit, document: Document) -> Limit | str:
    if document.handed_in_as_print:
        return "a print is handed in"
    return replace(limit, wanted=" or ".join(name.upper() for name in document.formats))


def _file_size(limit: Limit, document: Document) -> Limit | str:
    if document.file_bytes is None:
        return "no figure is known"
    low, high = document.file_bytes.low / 1000, document.file_bytes.high / 1000
    at_least = Bound(low, low) if low > 0 else None
    return replace(limit, at_least=at_least, at_most=Bound(high, high), source=f"limit of {document.title}")


def _unaltered(limit: Limit, document: Document) -> Limit | str:
    if document.edits is Edits.ANY:
        return "edits are allowed"
    wanted = "no change" if document.edits is Edits.NONE else "no change but to the background"
    if not document.edits_rule:
        limit = replace(limit, at_least=Bound(1, float("-inf")))
    return replace(limit, wanted=wanted, source=document.rule_on_edits)


def _smile(limit: Limit, document: Document) -> Limit | str:
    return limit if document.expression == "neutral" else "a slight smile is allowed"


def _mouth_closed(limit: Limit, document: Document) -> Limit | str:
    return "the expression is free" if document.expression == "any" else limit


def _glasses(limit: Limit, document: Document) -> Limit | str:
    return limit if document.glasses == "none" else "glasses are allowed"


def _clear_glasses(limit: Limit, document: Document) -> Limit | str:
    return "no rule about glasses" if document.glasses == "any" else limit


def _head_covering(limit: Limit, document: Document) -> Limit | str:
    """Where the rule has an exception for religion, only a person can decide: it never fails for certain."""
    if document.head_covering == "any":
        return "no rule about head coverings"
    if document.head_covering == "none":
        return limit
    at_most = limit.at_most and Bound(limit.at_most.passes, float("inf"))
    at_least = limit.at_least and Bound(limit.at_least.passes, float("-inf"))
    advice = "Take off the hat, unless you wear it for reasons of religion or health and your whole face is free."
    return replace(
        limit,
        at_least=at_least,
        at_most=at_most,
        too_low=advice,
        too_high=advice,
        wanted="none, except for reasons of religion or health",
    )


def _background(limit: Limit, document: Document) -> Limit | str:
    return limit if document.background_colours else "any calm background is allowed"


LIGHT = 0.75
"""The luma (0..1) from which on a colour is a light one."""


def _background_lightness(limit: Limit, document: Document) -> Limit | str:
    """A document that takes blue or red does not ask for a light background."""
    colours = [parse_colour(each) for each in document.background_colours]
    lumas = [sum(w * c for w, c in zip(LUMINANCE, each, strict=True)) for each in colours]
    return "darker colours are allowed" if min(lumas, default=1.0) < LIGHT else _background(limit, document)


def _background_colour(limit: Limit, document: Document) -> Limit | str:
    """The words of the document say which colours it takes."""
    advice = f"Stand in front of a wall of a colour that the document takes: {document.background}."
    wanted = f"{limit.words('')} from {', '.join(document.background_colours)}"
    return _background(replace(limit, too_high=advice, wanted=wanted), document)


RULES: dict[str, Callable[[Limit, Document], Limit | str]] = {
    "pixels": _pixels,
    "print_density": _print_density,
    "print_size": _print_size,
    "file_format": _file_format,
    "file_size": _file_size,
    "unaltered": _unaltered,
    "head_height": _lengths("head"),
    "eye_line": _lengths("eyes"),
    "room_above": _lengths("room"),
    "chin_height": _lengths("chin"),
    "head_width": _head_width,
    "smile": _smile,
    "mouth_closed": _mouth_closed,
    "glasses": _glasses,
    "dark_glasses": _clear_glasses,
    "glasses_glare": _clear_glasses,
    "head_covering": _head_covering,
    **dict.fromkeys(BACKGROUND, _background),
    "background_lightness": _background_lightness,
    "background_colour": _background_colour,
}
"""How a document changes a limit of the table."""
