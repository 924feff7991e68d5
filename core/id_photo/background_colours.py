"""The background colours that a document takes, by the names that people give them."""

from __future__ import annotations

import re

from ..errors.formats import BackgroundNotAllowed
from .document import Document, Edits

NAMES: dict[str, tuple[str, ...]] = {
    "#FFFFFF": ("white",),
    "#FAFAFA": ("off-white", "nearly white"),
    "#F7F7F4": ("off-white",),
    "#F5F1E6": ("cream",),
    **dict.fromkeys(("#F2F2F2", "#F0F0F0", "#EDEDED"), ("light grey", "pale grey")),
    **dict.fromkeys(("#E6E6E6", "#E3E3E3", "#E0E0E0"), ("light grey", "grey")),
    "#DADADA": ("grey", "light grey"),
    "#DDE3E8": ("blue grey", "light grey"),
    **dict.fromkeys(("#E3EAF2", "#DCE3EA", "#DCE7F2", "#DCE9F5", "#D5E3F0"), ("light blue", "pale blue")),
    "#438EDB": ("blue", "light blue"),
    "#D9001B": ("red",),
}
"""What each colour of the documents' tables is called, the usual word first."""


def plain_words(text: str) -> str:
    """A name as people type it: small letters, single blanks, British spelling."""
    return re.sub(r"[\s_-]+", " ", text.strip().casefold()).replace("gray", "grey")


def allowed_names(document: Document) -> list[str]:
    """What its colours are called: of two that share a word, the second goes by another word or by its number."""
    found: list[str] = []
    for colour in document.background_colours:
        found.append(next((name for name in NAMES.get(colour, ()) if name not in found), colour.lower()))
    return found


def allowed_colour(document: Document, text: str) -> str:
    """The colour (#RRGGBB) that `text` means among those that the document takes: a name, or #rrggbb itself.

    Raises BackgroundNotAllowed with those that it takes.
    """
    words, names = plain_words(text), allowed_names(document)
    for colour, name in zip(document.background_colours, names, strict=True):
        if words in (plain_words(name), colour.lower(), colour.lower().lstrip("#")):
            return colour
    for colour in document.background_colours:
        if words in map(plain_words, NAMES.get(colour, ())):
            return colour
    if document.edits is Edits.ANY and re.fullmatch(r"#[0-9a-f]{6}", words):
        return words.upper()
    raise BackgroundNotAllowed(
        f"{document.title} takes no background {text!r} ({document.background}); choose {', '.join(names)}."
    )
