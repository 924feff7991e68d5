"""What a portrait should be, and what is known of a photo, before either is put into the words of any generator."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

UNSPECIFIED = "unspecified"
SUITS_THE_ROLE = "suits the role"
PERSON = "person"


class Dialect(StrEnum):
    """The four ways in which generators want to be spoken to."""

    TAGS = "SD 1.5 tags"
    SENTENCES = "SDXL sentences"
    PROSE = "natural language"
    EDIT = "edit instruction"

    @property
    def key(self) -> str:
        """The dialect's name in preset files."""
        return self.name.lower()

    @property
    def has_negative(self) -> bool:
        """Whether the generators of this dialect read a negative prompt."""
        return self in (Dialect.TAGS, Dialect.SENTENCES)

    @property
    def limit(self) -> int:
        """Tokens that the text encoder reads at once: CLIP's 77 less start and end; 512 for T5 and Qwen."""
        return 75 if self.has_negative else 512


class Kind(StrEnum):
    """What presets there are. Where two contradict, the one named first here is kept."""

    ROLE = "role"
    SETTING = "setting"
    FRAMING = "framing"
    LIGHT = "light"
    EXPRESSION = "expression"
    ATTIRE = "attire"


@dataclass(frozen=True)
class Brief:
    """The meaning of a prompt: names of presets, and what the user adds in their own words.

    traits: phrases of what the person looks like and must go on looking like. described: words for kinds (and "pose")
    that were read off a photo; they fill what is unspecified. variation: 0 takes the first wording of each preset,
    any other number a seeded choice.
    """

    choices: dict[Kind, str] = field(default_factory=dict)
    subject: str = PERSON
    colour: str = ""
    traits: tuple[str, ...] = ()
    additions: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    avoid_traits: tuple[str, ...] = ()
    described: dict[str, str] = field(default_factory=dict)
    variation: int = 0

    def choice(self, kind: Kind) -> str:
        """The preset's name for a kind, `UNSPECIFIED` when none was chosen."""
        return self.choices.get(kind, UNSPECIFIED)


def phrases(text: str) -> tuple[str, ...]:
    """The phrases of a text that separates them by commas or lines; brackets, as in weights, are not cut apart."""
    found, depth, current = [], 0, ""
    for letter in text.replace("\n", ",") + ",":
        if not current.endswith("\\"):
            depth += (letter == "(") - (letter == ")")
        if letter == "," and depth <= 0:
            found.append(" ".join(current.split()))
            current, depth = "", 0
        else:
            current += letter
    found.append(" ".join(current.split()).rstrip(","))
    return tuple(dict.fromkeys(phrase for phrase in found if phrase))


def lines(text: str) -> tuple[str, ...]:
    """The lines of a text, without empty ones and without spaces at their ends or in doubles."""
    return tuple(line for line in (" ".join(each.split()).strip(" ,") for each in text.splitlines()) if line)


FIELDS = (
    "glasses", "facial_hair", "hair", "hair_texture", "hair_colour", "head_covering", "skin_details", "jewellery",
    "aids", "expression", "attire", "pose", "framing", "light", "background", "sharpness",
)  # fmt: skip
"""The fields a description may have, in the order in which a sentence names them; an unknown one is absent."""

MEASURED = "measured"
CAPTION = "caption"


@dataclass(frozen=True)
class Description:
    """What travels on a LIKENESS_DESCRIPTION socket.

    `fields` maps names of `FIELDS` to a phrase that stands alone as a tag and inside a sentence ("plain grey
    background"). `text` is one or two sentences. `measured` holds the numbers by field. `models` names what captioned.
    `sources` maps each field to `MEASURED` or `CAPTION`; `caption` is the captioning model's own sentence.
    """

    fields: dict[str, str]
    text: str = ""
    measured: dict[str, dict[str, Any]] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    caption: str = ""

    def to_json(self) -> str:
        """The fields as JSON: for each its value, its source, and the numbers where it was measured.

        What was measured and allows no word has the value null.
        """
        rows = {
            name: {"value": self.fields.get(name), "source": self.sources.get(name, MEASURED)} | self._numbers(name)
            for name in FIELDS
            if name in self.fields or name in self.measured
        }
        found = {"fields": rows, "caption": self.caption, "models": self.models}
        return json.dumps(found, indent=2, ensure_ascii=False)

    def _numbers(self, name: str) -> dict[str, Any]:
        return {"numbers": self.measured[name]} if name in self.measured else {}
