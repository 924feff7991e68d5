"""The table of documents, documents/*.toml: read once, checked as it is read, asked by id."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors.formats import DocumentInvalid, DocumentUnknown
from .document import CONFIDENCES, EXPRESSIONS, GLASSES, HEAD_COVERINGS, KINDS, Document, Edits, HeadTop, Range, Source

FOLDER = Path(__file__).with_name("documents")

NOWHERE = "International"
"""The `country` of what belongs to no country; listed last."""

Reader = Callable[[Any], Any]


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


def read(file: Path) -> list[Document]:
    """The documents of one file, in its order. Raises DocumentInvalid, which names the file, the entry and the key."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DocumentInvalid(f"{file.name} cannot be read as TOML: {error}.") from error
    return [_entry(file.name, name, entry) for name, entry in table.items()]


def _entry(file: str, name: str, entry: Any) -> Document:
    """One entry as a Document."""
    where = f"{file}, [{name}]"
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise DocumentInvalid(f"{where}: an id has small letters, digits and single hyphens only.")
    if not isinstance(entry, dict):
        raise DocumentInvalid(f"{where}: this is no table of keys and values.")
    values: dict[str, Any] = {"id": name}
    for key, value in entry.items():
        reader = READERS.get(key) or LENGTHS.get(key)
        if reader is None:
            near = difflib.get_close_matches(key, [*READERS, *LENGTHS], n=1)
            raise DocumentInvalid(f"{where}: there is no key {key!r}{f'; {near[0]!r} is near' if near else ''}.")
        try:
            values[key] = reader(value)
        except ValueError as error:
            raise DocumentInvalid(f"{where}: {key} = {value!r} must be {error}.") from error
    for key in REQUIRED:
        if not values.get(key):
            raise DocumentInvalid(f"{where}: {key} is missing.")
    if values["edits"] is not Edits.NONE and not values.get("edits_rule"):
        raise DocumentInvalid(f"{where}: edits = {str(values['edits'])!r} needs the edits_rule that allows them.")
    _as_shares(where, values)
    _sizes(where, values)
    return Document(**values)


def _as_shares(where: str, values: dict[str, Any]) -> None:
    """Turn the lengths that a rule gives in millimetres (`head_mm`) into shares of the picture's side (`head`)."""
    for key in LENGTHS:
        if key not in values:
            continue
        name = key.removesuffix("_mm")
        side = values.get("width_mm" if name == "head_width" else "height_mm")
        length: Range = values.pop(key)
        if side is None or name in values or length.high > side:
            raise DocumentInvalid(f"{where}: {key} needs a picture in mm that is larger than it, and no {name} beside.")
        values[name] = Range(length.low / side, length.high / side)


def _sizes(where: str, values: dict[str, Any]) -> None:
    """Demand a size, and pixels between their limits."""
    if ("width_mm" in values) != ("height_mm" in values):
        raise DocumentInvalid(f"{where}: width_mm and height_mm go together.")
    if "width_mm" not in values and "pixels" not in values:
        raise DocumentInvalid(f"{where}: a document has width_mm and height_mm, or pixels, or both.")
    pixels = values.get("pixels")
    least, most = values.get("min_pixels"), values.get("max_pixels")
    for low, high, key in ((least, pixels, "min_pixels"), (pixels, most, "max_pixels"), (least, most, "max_pixels")):
        if low and high and not (low[0] <= high[0] and low[1] <= high[1]):
            raise DocumentInvalid(f"{where}: {key} does not go with the other sizes in pixels.")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    return value.strip()


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
        raise ValueError("a list of texts")
    return tuple(each.strip() for each in value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError("a number above 0")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError("a whole number above 0")
    return value


def _range(value: Any) -> Range:
    numbers = isinstance(value, list) and all(type(each) in (int, float) for each in value)
    if not numbers or len(value) != 2 or not 0 <= value[0] <= value[1]:
        raise ValueError("[low, high], from 0, the lower number first")
    return Range(float(value[0]), float(value[1]))


def _share(value: Any) -> Range:
    share = _range(value)
    if share.high > 1:
        raise ValueError("[low, high] as shares of the picture, 0 to 1")
    return share


def _pixels(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("[width, height] in pixels")
    return _whole(value[0]), _whole(value[1])


def _colours(value: Any) -> tuple[str, ...]:
    colours = _texts(value)
    if not all(re.fullmatch(r"#[0-9A-F]{6}", each) for each in colours):
        raise ValueError('a list of colours such as "#FFFFFF"')
    return colours


def _formats(value: Any) -> tuple[str, ...]:
    formats = _texts(value)
    if not formats or not set(formats) <= {"jpeg", "png", "webp"}:
        raise ValueError("a list of jpeg, png and webp")
    return formats


def _sources(value: Any) -> tuple[Source, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("a list of sources")
    return tuple(_source(each) for each in value)


def _source(value: Any) -> Source:
    texts = isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
    if not texts or not {"url", "checked"} <= set(value) <= {"url", "checked", "says"}:
        raise ValueError("tables of url, checked and says")
    if not value["url"].startswith("https://"):
        raise ValueError("tables whose url begins with https://")
    try:
        date.fromisoformat(value["checked"])
    except ValueError:
        raise ValueError("tables whose date is like 2026-11-20") from None
    return Source(**value)


def _one_of(*words: str) -> Reader:
    """A reader that takes these words only."""

    def read_word(value: Any) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return value

    return read_word


def _word_of(kind: type[Edits] | type[HeadTop]) -> Reader:
    """A reader of an enumeration's words."""
    take = _one_of(*kind)
    return lambda value: kind(take(value))


REQUIRED = ("title", "country", "kind", "authority", "background", "confidence", "sources", "edits")

LENGTHS: dict[str, Reader] = dict.fromkeys(("head_mm", "eyes_mm", "room_mm", "chin_mm", "head_width_mm"), _range)
"""Keys for rules that are given in millimetres; without `_mm` they are shares of the picture."""

READERS: dict[str, Reader] = {
    "title": _text,
    "country": _text,
    "kind": _one_of(*KINDS),
    "width_mm": _number,
    "height_mm": _number,
    "pixels": _pixels,
    "min_pixels": _pixels,
    "max_pixels": _pixels,
    "dpi": _whole,
    "head": _share,
    "head_top": _word_of(HeadTop),
    "eyes": _share,
    "room": _share,
    "chin": _share,
    "head_width": _share,
    "background": _text,
    "background_colours": _colours,
    "expression": _one_of(*EXPRESSIONS),
    "glasses": _one_of(*GLASSES),
    "head_covering": _one_of(*HEAD_COVERINGS),
    "file_bytes": _range,
    "formats": _formats,
    "edits": _word_of(Edits),
    "edits_rule": _text,
    "authority": _text,
    "capture": _text,
    "notes": _texts,
    "disputes": _texts,
    "confidence": _one_of(*CONFIDENCES),
    "sources": _sources,
}
"""How each key of an entry is read and checked; a ValueError says what the value must be."""
