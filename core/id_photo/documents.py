"""The table of documents, documents/*.toml: read once, checked as it is read, asked by id."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType

from ..errors.formats import DocumentInvalid, DocumentUnknown
from ..toml_tables import read_tables
from .document import Confidence, Document, Edits, Range, Sources, Span, Text

FOLDER = Path(__file__).with_name("documents")

NOWHERE = "International"
"""The `country` of what belongs to no country; listed last."""


def documents() -> Mapping[str, Document]:
    """All documents by id: by country, in a country as the table has them, those of no country last.

    Raises DocumentInvalid.
    """
    return _all()


def document(id: str) -> Document:  # noqa: A002 - it is what the field is called
    """The document of that id. Raises DocumentUnknown, which names ids that are close, and DocumentInvalid."""
    found = documents().get(id)
    if found is None:
        near = near_misses(id)
        hint = f"did you mean {' or '.join(near)}?" if near else "see `likeness documents` for all ids."
        raise DocumentUnknown(f"There is no document called {id!r}; {hint}")
    return found


def names() -> tuple[str, ...]:
    """The ids, in the order of `documents`."""
    return tuple(documents())


def near_misses(wanted: str, most: int = 3) -> list[str]:
    """Up to `most` ids that were perhaps meant: alike in spelling, or with the word in their country or title."""
    word = "-".join(wanted.casefold().split()).replace("_", "-")
    close = difflib.get_close_matches(word, names(), n=most, cutoff=0.7)
    about = [
        each.id
        for each in documents().values()
        if word and (word in each.id.split("-") or word.replace("-", " ") in f"{each.country} {each.title}".casefold())
    ]
    return list(dict.fromkeys([*close, *about]))[:most]


@cache
def _all() -> Mapping[str, Document]:
    found: dict[str, Document] = {}
    for file in sorted(FOLDER.glob("*.toml")):
        for each in read(file):
            if each.id in found:
                raise DocumentInvalid(f"{file.name} has an entry {each.id!r} that another file has too; rename one.")
            found[each.id] = each
    order = sorted(found.values(), key=lambda each: (each.country == NOWHERE, each.country, each.kind == "application"))
    return MappingProxyType({each.id: each for each in order})


@dataclass(frozen=True, kw_only=True)
class Entry(Document):
    """A document as a file has it: with what none may leave out, and with lengths in millimetres where a rule has them.

    A length in millimetres (`head_mm`) becomes the share of the picture's side (`head`). Raises ValueError.
    """

    background: Text = field()
    edits: Edits = field()
    authority: Text = field()
    confidence: Confidence = field()
    sources: Sources = field()
    head_mm: Span | None = None
    eyes_mm: Span | None = None
    room_mm: Span | None = None
    chin_mm: Span | None = None
    head_width_mm: Span | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.id):
            raise ValueError("is no id; it has small letters, digits and single hyphens only")
        if self.edits is not Edits.NONE and not self.edits_rule:
            raise ValueError(f"has edits = {str(self.edits)!r} and needs the edits_rule that allows them")
        if (self.width_mm is None) != (self.height_mm is None):
            raise ValueError("has one of width_mm and height_mm; they go together")
        if self.width_mm is None and self.pixels is None:
            raise ValueError("has no size; give width_mm and height_mm, or pixels, or both")
        for low, high in itertools.combinations((self.min_pixels, self.pixels, self.max_pixels), 2):
            if low and high and not (low[0] <= high[0] and low[1] <= high[1]):
                raise ValueError("has min_pixels, pixels and max_pixels that do not go together; order them by size")
        for key in ("head", "eyes", "room", "chin", "head_width"):
            self._to_share(key, self.width_mm if key == "head_width" else self.height_mm)

    def _to_share(self, key: str, side: float | None) -> None:
        length: Range | None = getattr(self, f"{key}_mm")
        if length is None:
            return
        if side is None or getattr(self, key) or length.high > side:
            raise ValueError(f"has {key}_mm, which needs a picture in mm that is larger than it, and no {key} beside")
        object.__setattr__(self, key, Range(length.low / side, length.high / side))


def read(file: Path) -> list[Document]:
    """The documents of one file, in its order. Raises DocumentInvalid, which names the file, the entry and the key."""
    entries = read_tables(file, Entry, DocumentInvalid).values()
    return [Document(**{each.name: getattr(entry, each.name) for each in fields(Document)}) for entry in entries]
