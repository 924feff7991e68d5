"""Reads a captioning model's sentences, and joins them with what was measured into one description."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal

from ..toml_tables import ReadAs, TomlFile
from .brief import CAPTION, FIELDS, MEASURED, Description
from .measure_photo import Measured
from .traits import hair_phrase
from .wording import listed, noun_phrase

NOT = ("no", "not", "without", "isn't", "doesn't", "neither", "nor", "never")
"""Words that turn what follows into its opposite, up to REACH words before it."""

HELD = ("holding", "holds", "carrying", "carries", "removed")
"""Words after which a thing is there and not worn."""

REACH = 4
_OTHERS = re.compile(r"\b(?:another|other|a second) (?:man|woman|person|people|men|women|boy|girl|child)\b.*$")
_GOING_ON = ("wearing", "wears", "with", "in")
"""After a thing these begin another one: what was denied is the first ("no glasses, wearing a tie")."""
_JOINERS = ("and", ",", "or")
_WORD = re.compile(r"[a-z]+(?:[-'][a-z]+)*|,")


def _longest_first(nouns: dict[str, list[str]]) -> dict[str, list[tuple[str, ...]]]:
    return {field: sorted((tuple(noun.split()) for noun in of), key=len, reverse=True) for field, of in nouns.items()}


def _compiled(expression: dict[str, list[str]]) -> dict[str, list[re.Pattern[str]]]:
    return {phrase: [re.compile(rf"\b{pattern}\b") for pattern in of] for phrase, of in expression.items()}


@dataclass(frozen=True)
class Vocabulary:
    """The words of describe_words.toml: nouns and modifiers by field, as the file says."""

    modifiers: dict[str, frozenset[str]]
    nouns: Annotated[dict[str, list[tuple[str, ...]]], ReadAs(dict[str, list[str]], _longest_first)]
    before: dict[str, list[str]]
    not_these: dict[str, list[str]]
    spelling: dict[str, str]
    expression: Annotated[dict[str, list[re.Pattern[str]]], ReadAs(dict[str, list[str]], _compiled)]
    people: Annotated[frozenset[str], ReadAs(dict[Literal["words"], frozenset[str]], lambda table: table["words"])]

    @cached_property
    def things(self) -> frozenset[str]:
        """How nouns end."""
        return frozenset(noun[-1] for nouns in self.nouns.values() for noun in nouns)

    def may_precede(self, field: str) -> frozenset[str]:
        """The modifiers that may stand before the nouns of a field."""
        return frozenset().union(*(self.modifiers[name] for name in self.before.get(field, ())))


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """Read describe_words.toml."""
    file = TomlFile(Path(__file__).with_name("describe_words.toml"))
    return file.checked("", file.tables, Vocabulary)


def read_caption(sentences: list[str]) -> dict[str, str]:
    """Fields of a description by name, from a model's sentences. What no sentence says is absent.

    Words are taken from describe_words.toml only, so that nothing of sex, age or ethnicity can pass; the background is
    read freely, but not when it speaks of people. A denial ("without glasses") counts for glasses only.
    """
    fields: dict[str, str] = {}
    behind: list[str] = []
    persons: list[list[str]] = []
    for sentence in (part for text in sentences for part in re.split(r"[.!?;\n]+", _plain(text)) if part.strip()):
        rest, found = _take_background(_OTHERS.sub("", sentence))
        behind += found
        persons.append(_WORD.findall(rest))
    for field in vocabulary().nouns:
        phrase = _field(field, persons)
        if phrase:
            fields[field] = phrase
    fields |= _hair(persons)
    expression = _expression([" ".join(words) for words in persons])
    if expression:
        fields["expression"] = expression
    if behind:
        fields["background"] = _background(behind)
    return fields


def _plain(text: str) -> str:
    """Lower case, our spelling, and one word for "salt and pepper" and for BLIP's "t - shirt" and "chef ' s"."""
    low = re.sub(r"[^\S\n]+", " ", text.lower().replace("’", "'"))
    low = re.sub(r"(?<=[a-z]) ([-']) (?=[a-z])", r"\1", low)
    low = low.replace("salt and pepper", "salt-and-pepper").replace("clean shaven", "clean-shaven")
    return re.sub(r"[a-z]+", lambda word: vocabulary().spelling.get(word[0], word[0]), low)


def _field(field: str, sentences: list[list[str]]) -> str:
    """All phrases of a field that are not denied, joined; "no glasses" when glasses are denied."""
    phrases: list[str] = []
    denied = False
    for words in sentences:
        for start, end in _spans(field, words):
            if _follows(words, start, NOT):
                denied = True
            elif not _follows(words, start, HELD):
                phrases.append(_joined(words[start:end]))
    unique = [phrase for phrase in dict.fromkeys(phrases) if not _inside_another(phrase, phrases)]
    if field == "glasses":
        return f"wearing {unique[0]}" if unique else "no glasses" if denied else ""
    if field == "facial_hair" and not unique:
        return "clean-shaven" if any("clean-shaven" in words for words in sentences) else ""
    if not unique:
        return ""
    if field in ("head_covering", "jewellery"):
        return f"wearing {listed(map(noun_phrase, unique))}"
    return listed(unique)


def _spans(field: str, words: list[str]) -> list[tuple[int, int]]:
    """Where the nouns of a field stand with their modifiers, as (start, end), the longest noun at each place."""
    known = vocabulary()
    others = [tuple(phrase.split()) for phrase in known.not_these.get(field, [])]
    spans, at = [], 0
    while at < len(words):
        noun = next((noun for noun in known.nouns[field] if tuple(words[at : at + len(noun)]) == noun), None)
        if noun is None or any(
            tuple(words[max(0, at - 1) : at + 1]) == other or tuple(words[at : at + 2]) == other for other in others
        ):
            at += 1
            continue
        spans.append((_first_modifier(words, at, known.may_precede(field)), at + len(noun)))
        at += len(noun)
    return spans


def _first_modifier(words: list[str], noun: int, allowed: frozenset[str]) -> int:
    """The index of the first modifier before `noun`; joiners count only between two modifiers."""
    first = at = noun
    while at > 0:
        at -= 1
        if words[at] in allowed:
            first = at
        elif words[at] not in _JOINERS or at + 1 == noun:
            break
    return first


def _follows(words: list[str], start: int, turning: tuple[str, ...]) -> bool:
    """Whether one of the `turning` words stands shortly before, in the same clause."""
    before = words[max(0, start - REACH) : start]
    for stop in (",", "but"):
        if stop in before:
            before = before[len(before) - before[::-1].index(stop) :]
    for at in range(len(before) - 1, 0, -1):
        if before[at] in _GOING_ON and before[at - 1] in vocabulary().things:
            before = before[at:]
            break
    return any(word in turning for word in before)


def _inside_another(phrase: str, phrases: list[str]) -> bool:
    """Whether another phrase says the same with more words: "suit" beside "dark suit"."""
    words = set(phrase.split())
    return any(words < set(other.split()) for other in phrases)


def _joined(words: list[str]) -> str:
    return " ".join(words).replace(" ,", ",")


def _hair(sentences: list[list[str]]) -> dict[str, str]:
    """Length, texture and colour of the hair, each a phrase of its own."""
    known = vocabulary().modifiers
    kinds = {"hair": "hair_length", "hair_texture": "hair_texture", "hair_colour": "hair_colour"}
    every = known["hair_length"] | known["hair_texture"] | known["hair_colour"]
    said: list[str] = []
    fields: dict[str, str] = {}
    for words in sentences:
        text = " ".join(words)
        if re.search(r"\b(bald|shaved head)\b", text) and not re.search(r"\b(not|isn't) bald", text):
            fields.setdefault("hair", "bald head" if "bald" in words else "shaved head")
        if re.search(r"\b(ponytail|(pulled|tied) back|in a bun)\b", text):
            fields.setdefault("hair", "tied-back hair")
        for at, word in enumerate(words):
            if word == "hair" and not _follows(words, _first_modifier(words, at, every), NOT):
                said += words[_first_modifier(words, at, every) : at]
                said += _after(words, at + 1, every)
            if word == "blond" and words[at + 1 : at + 2] and words[at + 1] in vocabulary().people:
                said.append(word)
    for field, kind in kinds.items():
        found = list(dict.fromkeys(word for word in said if word in known[kind]))
        if found and found != ["very"]:
            fields.setdefault(field, f"{' '.join(found)} hair")
    if fields.get("hair") in ("bald head", "shaved head"):
        return {"hair": fields["hair"]}
    return fields


def _after(words: list[str], at: int, allowed: frozenset[str]) -> list[str]:
    """The modifiers in "hair is long and brown"."""
    if words[at : at + 1] not in (["is"], ["are"]):
        return []
    found = []
    for word in words[at + 1 :]:
        if word not in allowed and word not in _JOINERS:
            break
        found.append(word)
    return [word for word in found if word in allowed]


def _expression(sentences: list[str]) -> str:
    for phrase, patterns in vocabulary().expression.items():
        for sentence in sentences:
            for match in (found for pattern in patterns for found in pattern.finditer(sentence)):
                words = _WORD.findall(sentence[: match.start()])
                if not _follows(words, len(words), NOT):
                    return phrase
    return ""


_END = (
    r"(?=,|$| and (?:he|she|they|is|has|looking|smiling|wearing)\b| while | wearing | smiling| looking | with a smile)"
)
_BEHIND = [
    re.compile(r"\b(?:the )?background (?:is|shows|features|has|appears to be|seems to be|consists of) (.+?)(?=$)"),
    re.compile(rf"\bin the background,? (?:there (?:is|are)|is|are|we see|you can see) (.+?){_END}"),
    re.compile(r"\bwith ((?:an? |the |some )?[\w' -]+?) in the background\b"),
    re.compile(rf"\b(?:standing |sitting |posing |seated |posed )*in front of (.+?){_END}"),
    re.compile(rf"\bagainst (an? .+?){_END}"),
    re.compile(r"\b(?:on|with) (an? [\w -]*?(?:background|backdrop))\b"),
    re.compile(rf"\b(?:standing|sitting|seated) in (an? .+?){_END}"),
]
_FILLER = re.compile(
    r"^(?:but|(?:it )?(?:appears|seems) to be|(?:it )?looks like|it is|is|of|what looks like|an?|the|some|what)\s+"
)
_SURFACE = re.compile(r"\b(?:background|backdrop|wall|curtain|curtains)$")
_THERE = " in the background"


def _take_background(sentence: str) -> tuple[str, list[str]]:
    """The sentence without what it says of the background, and that as phrases."""
    found: list[str] = []
    for pattern in _BEHIND:
        match = pattern.search(sentence)
        if match is None:
            continue
        sentence = f"{sentence[: match.start()]} , {sentence[match.end() :]}"
        found += _background_phrases(match[1])
    return sentence, found


def _background(phrases: list[str]) -> str:
    """Looks and surfaces first, then the things that are behind: "blurred background, office and flag behind"."""
    things = list(dict.fromkeys(phrase.removesuffix(_THERE) for phrase in phrases if phrase.endswith(_THERE)))
    parts = list(dict.fromkeys(phrase for phrase in phrases if not phrase.endswith(_THERE)))
    return ", ".join([*parts, *([" and ".join(things) + _THERE] if things else [])])


def _background_phrases(text: str) -> list[str]:
    """ "blurred and appears to be an office" -> ["blurred background", "office in the background"]."""
    known = vocabulary()
    looks = known.modifiers["colour"] | {"blurred", "blurry", "plain", "simple", "solid", "neutral", "focus", "soft"}
    phrases = []
    for part in re.split(r",| with | and (?=(?:it |an? |the |appears|seems|there))", text):
        bare = part.strip()
        while (shorter := _FILLER.sub("", bare)) != bare:
            bare = shorter
        words = bare.split()
        if not words or any(word in known.people or word in ("it", "blurred out") for word in words):
            continue
        if all(word in looks or word in ("and", "out", "of", "slightly") for word in words):
            phrases.append(f"{bare.replace('blurry', 'blurred').replace('out of focus', 'out-of-focus')} background")
        elif _SURFACE.search(bare):
            phrases.append(bare.replace("blurry", "blurred"))
        else:
            phrases.append(bare.replace("blurry", "blurred") + _THERE)
    return phrases


_ALIKE = ("plain", "gradient")
_HAIR = ("hair", "hair_texture", "hair_colour")


def describe(measured: Measured, sentences: list[str] | None = None, model: str = "") -> Description:
    """One description of what was measured and, if there are any, of a captioning model's `sentences`.

    A measured plain background counts more than a caption's; of a varied one the caption knows better what it is.
    """
    fields = dict(measured.words)
    sources = dict.fromkeys(fields, MEASURED)
    for name, phrase in read_caption(sentences or []).items():
        behind = measured.numbers.get(name, {}).get("uniformity")
        if name not in fields or (name == "background" and behind not in _ALIKE):
            fields[name], sources[name] = phrase, CAPTION
    ordered = {name: fields[name] for name in FIELDS if name in fields}
    return Description(
        ordered,
        _text(ordered),
        measured.numbers,
        [model] if model else [],
        {name: sources[name] for name in ordered},
        " ".join(sentences or []),
    )


def _text(fields: dict[str, str]) -> str:
    """Two plain sentences: the person, then the picture."""
    hair = [fields[name].removesuffix(" hair") for name in _HAIR if name in fields]
    looks = [fields[name] for name in ("facial_hair", "skin_details", "expression") if name in fields]
    worn = [fields[name] for name in ("glasses", "head_covering", "jewellery", "aids") if name in fields]
    rest = [fields[name] for name in ("attire", "pose") if name in fields]
    person = ", ".join([*([hair_phrase(hair)] if hair else []), *looks, *worn, *rest])
    picture = ", ".join(fields[name] for name in ("framing", "light", "background", "sharpness") if name in fields)
    sentences = [f"A person: {person}." if person else "", f"The picture: {picture}." if picture else ""]
    return " ".join(sentence for sentence in sentences if sentence)
