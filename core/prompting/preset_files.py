"""Preset files: the pack's own and the user's, read, checked key by key, and merged."""

from __future__ import annotations

import logging
import re
import stat
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from .. import host
from ..errors import PresetInvalid, PresetUnknown
from ..toml_tables import ReadAs, TomlFile
from .brief import SUITS_THE_ROLE, UNSPECIFIED, Dialect, Kind
from .wording import balanced

log = logging.getLogger(__name__)

_RESERVED = (UNSPECIFIED, SUITS_THE_ROLE)
_WORDED = {"words", *(dialect.key for dialect in Dialect)}


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


def _text(text: str) -> str:
    if balanced(text) != text:
        raise ValueError(f"has {text!r}, whose brackets do not match; close each weight")
    return text


def _texts(value: Any) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(each, str) and each.strip() for each in values):
        raise ValueError("must be text in quotes, or a list of such texts, none of them empty")
    return tuple(map(_text, values))


def _wordings(value: Any) -> tuple[str, ...]:
    wordings = _texts(value)
    if not wordings:
        raise ValueError("has no wording; write at least one")
    for words in wordings:
        if " ".join(words.split()).strip(" ,.") != words or ",," in words.replace(" ", ""):
            raise ValueError(f"has {words!r}; leave out commas, full stops and spaces at its ends, and line ends")
    return wordings


Text = Annotated[str, ReadAs(str, _text)]
Texts = Annotated[tuple[str, ...], ReadAs(Any, _texts)]
Wordings = Annotated[tuple[str, ...], ReadAs(Any, _wordings)]


@dataclass(frozen=True)
class _Table:
    """A preset as a file has it; `presets.toml` explains each key."""

    words: Wordings | None = None
    tags: Wordings | None = None
    sentences: Wordings | None = None
    prose: Wordings | None = None
    edit: Wordings | None = None
    claims: dict[str, str] = field(default_factory=dict)
    avoid: Texts = ()
    allows: Texts = ()


@dataclass(frozen=True)
class _Setting(_Table):
    place: Annotated[str, ReadAs(Text, lambda text: text or "in")] = "in"
    depth: bool = False
    colour: Text = ""


@dataclass(frozen=True)
class _Pose:
    words: Text = ""
    tags: Text = ""
    claims: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Framing(_Table):
    lens: Text = ""
    focus: Literal["", "shallow", "deep"] = ""
    pose: _Pose = _Pose()


@dataclass(frozen=True)
class _Role(_Table):
    suits: dict[Literal["setting", "attire"], str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Negative:
    tags: Texts | None = None
    sentences: Texts | None = None


@dataclass(frozen=True)
class _Style:
    tags: Texts | None = None
    sentences: Texts | None = None
    prose: Texts | None = None
    edit: Texts | None = None
    negative: _Negative = _Negative()


_FORMS = {Kind.SETTING: _Setting, Kind.FRAMING: _Framing, Kind.ROLE: _Role}


def read(file: Path) -> Presets:
    """The presets of one file. Raises PresetInvalid, which names the file, the line or key, and what to do."""
    toml = TomlFile(file, PresetInvalid)
    by_kind: dict[Kind, dict[str, Preset]] = {}
    for kind, rows in toml.tables.items():
        if kind == "style":
            continue
        if kind not in list(Kind):
            raise toml.wrong(kind, "", f"is no kind of preset; use one of {', '.join(Kind)} or style")
        if not isinstance(rows, dict):
            raise toml.wrong(kind, "", 'must hold tables such as [role."my role"]')
        by_kind[Kind(kind)] = {name: _preset(toml, Kind(kind), name, table) for name, table in rows.items()}
    style = toml.checked("style", toml.tables.get("style", {}), _Style)
    return Presets(by_kind, Style(_by_dialect(style), _by_dialect(style.negative)))


def _by_dialect(style: _Style | _Negative) -> dict[Dialect, tuple[str, ...]]:
    said = {each: getattr(style, each.key, None) for each in Dialect}
    return {each: words for each, words in said.items() if words is not None}


def _preset(toml: TomlFile, kind: Kind, name: str, table: Any) -> Preset:
    where = f'{kind}."{name}"'
    if name in _RESERVED or not name.strip():
        raise toml.wrong(where, "", "is a name that the node uses itself; give another")
    row = toml.checked(where, table, _FORMS.get(kind, _Table))
    wordings = {}
    for dialect in Dialect:
        key = dialect.key if getattr(row, dialect.key) is not None else "words"
        wordings[dialect] = getattr(row, key)
        if wordings[dialect] is None:
            raise toml.wrong(where, "", f"has no wording for {dialect.value}; add a key words or a key {dialect.key}")
        for words in wordings[dialect]:
            if set(re.findall(r"{(.*?)}", words)) - ({"colour"} if kind is Kind.SETTING else set()):
                raise toml.wrong(where, key, f"has {words!r}; only {{colour}} is filled in, and only in a setting")
    values = {key: value for key, value in vars(row).items() if key not in _WORDED}
    if isinstance(row, _Framing):
        words = row.pose.words
        values |= {"pose": words, "pose_tags": row.pose.tags or words, "pose_claims": row.pose.claims}
    return Preset(kind, name, str(toml.file), wordings, **values)
