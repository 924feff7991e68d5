"""Which traits of a person a generator must keep: what the user says first, then what a description knows, no guess."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from ..toml_tables import ReadAs, read_tables
from .brief import Description, phrases

NOT_SAID = "not said"
"""The default of every trait: nothing is put into the prompt."""

USER = "user"
_HAIR = ("hair", "hair_texture", "hair_colour")


@dataclass(frozen=True)
class Choice:
    """One answer: `words` for the prompt ("" when there is nothing to show), what to avoid, what it rules out."""

    name: str
    words: str = ""
    avoid: str = ""
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TraitKind:
    """One kind of trait and its answers by name."""

    name: str
    tooltip: str
    choices: Annotated[dict[str, Choice], ReadAs(tuple[Choice, ...], lambda all_: {each.name: each for each in all_})]


@dataclass(frozen=True)
class Trait:
    """What is known of one kind, and who says so: `user`, `measured` or `caption`."""

    choice: Choice
    source: str

    @property
    def rank(self) -> int:
        """Whose word counts when two traits cannot both be true."""
        return 1 if self.source == USER else 0


@dataclass
class Kept:
    """`traits` and `avoid` for the prompt, and what was decided."""

    traits: str
    avoid: str
    report: dict[str, Any] = field(default_factory=dict)


@lru_cache(maxsize=1)
def kinds() -> dict[str, TraitKind]:
    """The kinds of traits in the order of the widgets, from traits.toml."""
    return read_tables(Path(__file__).with_name("traits.toml"), TraitKind)


def keep_traits(said: dict[str, str], more: str = "", description: Description | None = None) -> Kept:
    """Phrases that must stay and phrases that must not appear.

    `said` maps kinds to a choice's name or `NOT_SAID`; `more` is free text, phrases parted by commas or lines. A
    `description` fills only kinds that are not said, and only with fields of that kind.
    """
    notes: list[str] = []
    known = _spoken(said)
    described = _described(description)
    for kind, trait in described.items():
        if kind not in known:
            known[kind] = trait
        elif _phrase(kind, known[kind].choice) != _phrase(kind, trait.choice):
            told = trait.choice.words or trait.choice.name
            notes.append(
                f"{_title(kind)}: the description says '{told}'; '{known[kind].choice.name}' counts, as chosen."
            )
    _resolve(known, notes)
    wanted = _unique([*_phrases(known, notes), *_split(more)])
    avoid = _unique(part for trait in known.values() for part in _split(trait.choice.avoid))
    kept = [part for part in avoid if not _mentions(wanted, part)]
    notes += [f"'{part}' is asked for, so it is not avoided." for part in avoid if part not in kept]
    report = {
        "traits": [
            {"trait": kind, "value": known[kind].choice.words or known[kind].choice.name, "source": known[kind].source}
            for kind in kinds()
            if kind in known
        ],
        "more": _split(more),
        "avoid": kept,
        "not_said": [kind for kind in kinds() if kind not in known],
        "notes": notes,
    }
    return Kept(", ".join(wanted), ", ".join(kept), report)


def _spoken(said: dict[str, str]) -> dict[str, Trait]:
    return {
        kind: Trait(kinds()[kind].choices[answer], USER)
        for kind, answer in said.items()
        if answer != NOT_SAID and kind in kinds()
    }


def _described(description: Description | None) -> dict[str, Trait]:
    """What a description knows: a field that is a choice's name is that choice, any other one is taken as words."""
    if description is None:
        return {}
    found = {}
    for kind in kinds():
        phrase = description.fields.get(kind, "").strip()
        if phrase:
            found[kind] = Trait(_as_choice(kind, phrase), description.sources.get(kind, "description"))
    return found


def _as_choice(kind: str, phrase: str) -> Choice:
    choices = kinds()[kind].choices
    bare = phrase.removesuffix(" hair") if kind in _HAIR else phrase
    for choice in choices.values():
        if bare in (choice.name, choice.words):
            return choice
    return Choice(phrase, bare)


def _resolve(known: dict[str, Trait], notes: list[str]) -> None:
    """Drop what cannot be true beside another trait: the user's word counts, and of two of them the one that rules."""
    for kind in list(known):
        trait = known.get(kind)
        if trait is None:
            continue
        for other in trait.choice.excludes:
            rival = known.get(other)
            if rival is None:
                continue
            loser, winner = (kind, other) if rival.rank > trait.rank else (other, kind)
            notes.append(
                f"{_title(loser)} '{known[loser].choice.name}' does not go with {_title(winner).lower()} "
                f"'{known[winner].choice.name}' and is left out."
            )
            del known[loser]
            if loser == kind:
                break


def _phrases(known: dict[str, Trait], notes: list[str]) -> list[str]:
    """The words in the order of the kinds; length, texture and colour of hair are one phrase."""
    found = []
    for kind, entry in _in_order(known):
        if kind in _HAIR:
            if kind == next(name for name in _HAIR if name in known):
                found.append(hair_phrase([known[name].choice.words for name in _HAIR if name in known]))
        elif kind == "facial_hair_colour":
            if "facial_hair" not in known:
                notes.append("The colour of the facial hair is left out, because no facial hair is said.")
        elif kind == "facial_hair" and "facial_hair_colour" in known:
            found.append(_coloured(entry.choice.words, known["facial_hair_colour"].choice.words))
        else:
            found.append(entry.choice.words)
    return [words for words in found if words]


def _in_order(known: dict[str, Trait]) -> list[tuple[str, Trait]]:
    """The traits in the order of the widgets."""
    return [(kind, known[kind]) for kind in kinds() if kind in known]


def hair_phrase(words: list[str]) -> str:
    """Adjectives of hair as one phrase: ["short", "curly"] -> "short curly hair"; "bald head" stays as it is."""
    joined = " ".join(words)
    return joined if re.search(r"\b(head|hair|hairline)$", joined) else f"{joined} hair"


def _coloured(words: str, colour: str) -> str:
    """`colour` before the noun, in the place of a colour that is there: "short beard" -> "short grey beard"."""
    colours = {choice.words for choice in kinds()["facial_hair_colour"].choices.values()}
    first, joiner, rest = " ".join(word for word in words.split() if word not in colours).partition(" and ")
    *before, noun = first.split()
    return " ".join([*before, colour, noun]) + joiner + rest


def _phrase(kind: str, choice: Choice) -> str:
    return choice.words.lower() or choice.name.lower()


def _title(kind: str) -> str:
    return kind.replace("_", " ").capitalize()


def _split(text: str) -> list[str]:
    return list(phrases(text.replace(";", ",")))


def _unique(parts: Iterable[str]) -> list[str]:
    """Without repetitions, whatever their case."""
    found: dict[str, str] = {}
    for part in parts:
        found.setdefault(part.lower(), part)
    return list(found.values())


def _mentions(wanted: list[str], term: str) -> bool:
    """Whether a phrase to keep names what would be avoided, as whole words, in the singular or the plural."""
    return any(re.search(rf"(?<![\w-]){re.escape(term)}s?(?![\w-])", phrase, re.IGNORECASE) for phrase in wanted)
