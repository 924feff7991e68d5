"""Small grammar: articles, lists, sentences, and whether one phrase occurs in another."""

from __future__ import annotations

import re
from collections.abc import Iterable

_DETERMINERS = (
    "a",
    "an",
    "the",
    "one",
    "some",
    "his",
    "her",
    "their",
    "my",
    "our",
    "your",
    "this",
    "that",
    "no",
    "two",
)
_UNCOUNTED = (
    "attire",
    "clothing",
    "wear",
    "workwear",
    "knitwear",
    "clothes",
    "light",
    "lighting",
    "daylight",
    "sunlight",
    "greenery",
    "foliage",
    "grass",
    "snow",
    "water",
    "furniture",
)
_COUNTED = ("building", "ceiling", "painting", "railing", "string", "ring")
_SOUNDS_LIKE_YOU = re.compile(r"(uni(?![dmn])|use|usu|eu|one\b|uk[ru]|ur[aeio])", re.IGNORECASE)
_SILENT_H = re.compile(r"(hour|honest|honou?r|heir)", re.IGNORECASE)
_SPELT_OUT = re.compile(r"(?:[A-Z]{1,3}|[B-DF-HJ-NP-TV-Z]{2,})(?![A-Za-z])")
"""Initials that are said letter by letter: HR, SEO, HGV; longer ones with vowels, such as NASA, are said as words."""
_LETTERS_WITH_AN = "AEFHILMNORSX"
_EMBEDDING = "embedding:"
_WEIGHT = re.compile(r":\s*[\d.]+\s*\)")


def article(text: str) -> str:
    """``a`` or ``an`` for the sound that `text` begins with, by its spelling."""
    if _SPELT_OUT.match(text) and text[:2] not in ("A ", "I "):
        return "an" if text[0] in _LETTERS_WITH_AN else "a"
    vowel = text[:1].lower() in tuple("aeiou") and not _SOUNDS_LIKE_YOU.match(text)
    return "an" if vowel or _SILENT_H.match(text) else "a"


def indefinite(text: str) -> str:
    """`text` with ``a`` or ``an``, unless it has a determiner or is a name, which a capital shows."""
    return text if text[:1].isupper() else with_article(text)


def with_article(text: str) -> str:
    """`text` with ``a`` or ``an``, unless it has a determiner: a name as well ("an HR manager")."""
    if not text or text.split()[0].lower() in _DETERMINERS:
        return text
    return f"{article(text)} {text}"


def noun_phrase(text: str) -> str:
    """A phrase as captions give it, with an article where it begins with a singular noun."""
    head = re.split(r",| with | and | over | of | on | in | from ", text, maxsplit=1)[0].split()
    last = head[-1].lower() if head else ""
    plural = last.endswith("s") and not last.endswith("ss")
    if plural or last in _UNCOUNTED or (last.endswith("ing") and last not in _COUNTED):
        return text
    return indefinite(text)


def without_article(text: str) -> str:
    """`text` without a leading article."""
    return re.sub(r"^(a|an|the)\s+", "", text, flags=re.IGNORECASE)


def listed(items: Iterable[str]) -> str:
    """``one, two and three``; "" for none."""
    *rest, last = list(items) or [""]
    return f"{', '.join(rest)} and {last}" if rest else last


def sentence(text: str) -> str:
    """`text` with a capital at its beginning and a full stop at its end, if it has none; "" stays empty.

    An embedding at either place stays as it is: with a capital or a full stop ComfyUI would not find its file.
    """
    text = text.strip(" ,;")
    if not text:
        return ""
    first, last = text.split()[0], text.split()[-1]
    begun = text if first.startswith(_EMBEDDING) else text[0].upper() + text[1:]
    return begun if last.startswith(_EMBEDDING) or text[-1] in ".!?" else f"{begun}."


def plain(text: str) -> str:
    """The words of a prompt: lower case, without weights, brackets and punctuation, one space apart."""
    return " ".join(re.findall(r"[\w'’-]+", _WEIGHT.sub(")", text).lower()))


def says(text: str, phrase: str) -> bool:
    """Whether the words of `phrase` occur in `text` one after the other."""
    return bool(plain(phrase)) and f" {plain(phrase)} " in f" {plain(text)} "
