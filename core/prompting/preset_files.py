"""Preset files: the pack's own and the user's, read, checked key by key, and merged."""

from __future__ import annotations

import logging
import re
import stat
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .. import host
from ..errors import PresetInvalid, PresetUnknown
from .brief import SUITS_THE_ROLE, UNSPECIFIED, Dialect, Kind
from .wording import balanced

log = logging.getLogger(__name__)

_KEYS = {"words", "claims", "avoid", "allows", *(dialect.key for dialect in Dialect)}
_KEYS_OF = {
    Kind.SETTING: {"place", "depth", "colour"},
    Kind.FRAMING: {"lens", "focus", "pose"},
    Kind.ROLE: {"suits"},
}
_POSE_KEYS = {"words", "tags", "claims"}
_FOCUS = ("", "shallow", "deep")
_SUITED = (Kind.SETTING.value, Kind.ATTIRE.value)
_MOST_BYTES = 1_000_000
"""A larger file is no preset file, and would take the server seconds to read."""
_RESERVED = (UNSPECIFIED, SUITS_THE_ROLE)


@dataclass(frozen=True)
class Preset:
    """One choice of a kind: its wordings by dialect and what it presupposes. `presets.toml` explains each key."""

    kind: Kind
    name: str
    source: str
    wordings: dict[Dialect, tuple[str, ...]]
    claims: dict[str, str] = field(default_factory=dict)
    avoid: tuple[str, ...] = ()
    allows: tuple[str, ...] = ()
    place: str = "in"
    depth: bool = False
    colour: str = ""
    lens: str = ""
    focus: str = ""
    pose: str = ""
    pose_tags: str = ""
    pose_claims: dict[str, str] = field(default_factory=dict)
    suits: dict[str, str] = field(default_factory=dict)

    @property
    def coloured(self) -> bool:
        """Whether its wordings have a place for a colour."""
        return any("{colour}" in words for wordings in self.wordings.values() for words in wordings)


@dataclass(frozen=True)
class Style:
    """What a prompt says whatever is chosen: closing words and the negative, by dialect."""

    closing: dict[Dialect, tuple[str, ...]] = field(default_factory=dict)
    negative: dict[Dialect, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Presets:
    """All presets that can be chosen, by kind and name, and the style."""

    by_kind: dict[Kind, dict[str, Preset]]
    style: Style

    def get(self, kind: Kind, name: str) -> Preset:
        """The preset of that name. Raises PresetUnknown."""
        preset = self.by_kind.get(kind, {}).get(name)
        if preset is None:
            known = ", ".join(self.by_kind.get(kind, {}))
            raise PresetUnknown(f"There is no {kind} preset called {name!r}; choose one of {known}.")
        return preset

    def merged(self, other: Presets) -> Presets:
        """These presets with those of `other` over them."""
        by_kind = {kind: {**self.by_kind.get(kind, {}), **other.by_kind.get(kind, {})} for kind in Kind}
        closing = {**self.style.closing, **other.style.closing}
        return Presets(by_kind, Style(closing, {**self.style.negative, **other.style.negative}))


def stamp() -> list[tuple[str, int, int]]:
    """Path, size and time of each user file, ``presets/*.toml`` below each model folder: what changes when one does.

    In the order in which they are merged: the folder to write to last, and in a folder by name.
    """
    found = []
    for folder in reversed(host.model_dirs()):
        for file in sorted((folder / "presets").glob("*.toml")):
            try:
                entry = file.stat()
            except OSError:
                continue
            if stat.S_ISREG(entry.st_mode):
                found.append((str(file), entry.st_size, max(entry.st_mtime_ns, entry.st_ctime_ns)))
    return found


@cache
def built_in() -> Presets:
    """The pack's own presets."""
    presets = Presets({}, Style())
    for file in sorted(Path(__file__).parent.glob("presets*.toml")):
        presets = presets.merged(read(file))
    return presets


def load() -> Presets:
    """Built-in and user presets. Raises PresetInvalid for a user file with an error."""
    presets = built_in()
    for found in _of_user():
        if isinstance(found, PresetInvalid):
            raise found.with_traceback(None)
        presets = presets.merged(found)
    return presets


def names(kind: Kind) -> list[str]:
    """Names of the presets of a kind, for the list on a node; a user file with an error is left out and logged."""
    found = [built_in(), *(each for each in _of_user() if isinstance(each, Presets))]
    return list(dict.fromkeys(name for presets in found for name in presets.by_kind.get(kind, {})))


def _of_user() -> list[Presets | PresetInvalid]:
    return [_read_once(*entry) for entry in stamp()]


@cache
def _read_once(file: str, size: int, time: int) -> Presets | PresetInvalid:
    """The presets of a file or what is wrong with it: ComfyUI asks for the lists again and again."""
    try:
        return read(Path(file))
    except PresetInvalid as error:
        log.warning("%s", error)
        return error


def read(file: Path) -> Presets:
    """The presets of one file. Raises PresetInvalid, which names the file, the line or key, and what to do."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise PresetInvalid(f"{file} is larger than {_MOST_BYTES:,} bytes, which no preset file is; move it away.")
        text = file.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise PresetInvalid(f"{file} cannot be read ({error}); save it as UTF-8 text or move it away.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PresetInvalid(f"{file} is not TOML: {error}; correct that line.") from error
    reader = _Reader(file, text)
    by_kind: dict[Kind, dict[str, Preset]] = {}
    for kind, rows in tables.items():
        if kind == "style":
            continue
        if kind not in list(Kind):
            raise reader.wrong(kind, "", f"is no kind of preset; use one of {', '.join(Kind)} or style")
        rows = reader.table(rows, kind, "", 'must hold tables such as [role."my role"]')
        by_kind[Kind(kind)] = {name: reader.preset(Kind(kind), name, fields) for name, fields in rows.items()}
    return Presets(by_kind, reader.style(tables.get("style", {})))


class _Reader:
    """Checks the tables of one file; every complaint names the file, the preset, its line, and the key."""

    def __init__(self, file: Path, text: str) -> None:
        self.file = file
        self.lines = text.splitlines()

    def preset(self, kind: Kind, name: str, fields: Any) -> Preset:
        where = f'{kind}."{name}"'
        fields = self.table(fields, where, "", "must be a table with a key words")
        if name in _RESERVED or not name.strip():
            raise self.wrong(where, "", "is a name that the node uses itself; give another")
        self._known_keys(where, fields, _KEYS | _KEYS_OF.get(kind, set()))
        pose = self.table(fields.get("pose", {}), where, "pose", 'must be { words = "..." }')
        self._known_keys(where, pose, _POSE_KEYS)
        focus = self._text(where, fields, "focus")
        if focus not in _FOCUS:
            raise self.wrong(where, "focus", f'is {focus!r}; it may be "shallow" or "deep"')
        if not isinstance(fields.get("depth", False), bool):
            raise self.wrong(where, "depth", "must be true or false")
        pose_words = self._text(where, pose, "words")
        suits = self._pairs(where, fields, "suits")
        if unknown := sorted(set(suits) - set(_SUITED)):
            raise self.wrong(where, "suits", f"has {unknown[0]!r}; a role suggests {' and '.join(_SUITED)}")
        return Preset(
            kind=kind,
            name=name,
            source=str(self.file),
            wordings={dialect: self._wordings(where, fields, dialect) for dialect in Dialect},
            claims=self._pairs(where, fields, "claims"),
            avoid=self._list(where, fields, "avoid"),
            allows=self._list(where, fields, "allows"),
            place=self._text(where, fields, "place") or "in",
            depth=fields.get("depth", False),
            colour=self._text(where, fields, "colour"),
            lens=self._text(where, fields, "lens"),
            focus=focus,
            pose=pose_words,
            pose_tags=self._text(where, pose, "tags") or pose_words,
            pose_claims=self._pairs(where, pose, "claims"),
            suits=suits,
        )

    def style(self, fields: Any) -> Style:
        fields = self.table(fields, "style", "", "must be a table")
        negative = self.table(fields.get("negative", {}), "style", "negative", "must be a table")
        keys = {dialect.key for dialect in Dialect}
        self._known_keys("style", fields, keys | {"negative"})
        self._known_keys("style.negative", negative, {dialect.key for dialect in Dialect if dialect.has_negative})
        return Style(
            {each: self._list("style", fields, each.key) for each in Dialect if each.key in fields},
            {each: self._list("style.negative", negative, each.key) for each in Dialect if each.key in negative},
        )

    def table(self, value: Any, where: str, key: str, must: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(where, key, must)
        return value

    def wrong(self, where: str, key: str, what: str) -> PresetInvalid:
        line = self._line(where, key)
        place = f"line {line}, " if line else ""
        subject = f"[{where}]" + (f" key {key}" if key else "")
        return PresetInvalid(f"{self.file}, {place}{subject} {what}.")

    def _line(self, where: str, key: str) -> int:
        """The line of a preset's key, else of its header, counted from 1; 0 when it is not written as a header."""
        header = 0
        plain = where.replace('"', "")
        for number, line in enumerate(self.lines, 1):
            if line.strip().startswith("["):
                if header:
                    break
                if line.partition("]")[0].strip(" [").replace('"', "").replace("'", "") == plain:
                    header = number
            elif header and key and re.match(rf"\s*{re.escape(key)}\s*=", line):
                return number
        return header

    def _known_keys(self, where: str, fields: dict[str, Any], known: set[str]) -> None:
        for key in fields:
            if key not in known:
                raise self.wrong(where, key, f"is not known here; known keys are {', '.join(sorted(known))}")

    def _wordings(self, where: str, fields: dict[str, Any], dialect: Dialect) -> tuple[str, ...]:
        key = dialect.key if dialect.key in fields else "words"
        if key not in fields:
            raise self.wrong(where, "", f"has no wording for {dialect.value}; add a key words or a key {dialect.key}")
        wordings = self._list(where, fields, key)
        if not wordings:
            raise self.wrong(where, key, "has no wording; write at least one")
        for words in wordings:
            if " ".join(words.split()).strip(" ,.") != words or ",," in words.replace(" ", ""):
                raise self.wrong(
                    where, key, f"has {words!r}; leave out commas, full stops and spaces at its ends, and line ends"
                )
            if set(re.findall(r"{(.*?)}", words)) - self._filled_in(where):
                raise self.wrong(where, key, f"has {words!r}; only {{colour}} is filled in, and only in a setting")
        return wordings

    def _filled_in(self, where: str) -> set[str]:
        return {"colour"} if where.startswith(f"{Kind.SETTING}.") else set()

    def _list(self, where: str, fields: dict[str, Any], key: str) -> tuple[str, ...]:
        value = fields.get(key, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(each, str) and each.strip() for each in values):
            raise self.wrong(where, key, "must be text in quotes, or a list of such texts, none of them empty")
        for each in values:
            self._brackets(where, key, each)
        return tuple(values)

    def _brackets(self, where: str, key: str, text: str) -> None:
        if balanced(text) != text:
            raise self.wrong(where, key, f"has {text!r}, whose brackets do not match; close each weight")

    def _text(self, where: str, fields: dict[str, Any], key: str) -> str:
        value = fields.get(key, "")
        if not isinstance(value, str):
            raise self.wrong(where, key, "must be text in quotes")
        self._brackets(where, key, value)
        return value

    def _pairs(self, where: str, fields: dict[str, Any], key: str) -> dict[str, str]:
        value = self.table(fields.get(key, {}), where, key, 'must be { key = "text" }')
        if not all(isinstance(each, str) for each in value.values()):
            raise self.wrong(where, key, 'must be { key = "text" }, with text in quotes')
        return value
