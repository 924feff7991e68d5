"""Words: small grammar, ComfyUI's weight syntax, and colours by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ..errors import BadColour

_DETERMINERS = (
    "a", "an", "the", "one", "some", "his", "her", "their", "my", "our", "your", "this", "that", "no", "two",
)  # fmt: skip
_UNCOUNTED = (
    "attire", "clothing", "wear", "workwear", "knitwear", "clothes", "light", "lighting", "daylight", "sunlight",
    "greenery", "foliage", "grass", "snow", "water", "furniture", "jewellery",
)  # fmt: skip
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


_STEP = 1.1
_DEEPEST = 64
"""So many brackets in one another are weights, 445 times as much; more are letters."""
_OPEN, _CLOSE = "\0\2", "\0\1"


def segments(text: str) -> list[tuple[str, float]]:
    """The stretches of a prompt that carry one weight each, without the brackets and numbers that say so."""
    hidden = text.replace("\\(", _OPEN).replace("\\)", _CLOSE)
    return [(part.replace(_OPEN, "(").replace(_CLOSE, ")"), weight) for part, weight in _weighted(hidden, 1.0, 0)]


def unweighted(text: str) -> str:
    """The words of a prompt as a generator without weights should read them."""
    return "".join(part for part, _ in segments(text))


def balanced(text: str) -> str:
    """`text` with a backslash before each bracket that has no partner.

    ComfyUI would count such a bracket on through the whole prompt and read no weight after it.
    """
    open_at: list[int] = []
    lonely: list[int] = []
    for at, letter in enumerate(text):
        if text[at - 1 : at] == "\\":
            continue
        if letter == "(":
            open_at.append(at)
        elif letter == ")":
            if open_at:
                open_at.pop()
            else:
                lonely.append(at)
    alone = {*open_at, *lonely}
    return "".join(f"\\{letter}" if at in alone else letter for at, letter in enumerate(text))


def _weighted(text: str, weight: float, depth: int) -> Iterator[tuple[str, float]]:
    for part in _outermost(text):
        if depth == _DEEPEST or not (len(part) > 1 and part[0] == "(" and part[-1] == ")"):
            yield part, weight
            continue
        inner, own = part[1:-1], weight * _STEP
        head, _, number = inner.rpartition(":")
        if head and (said := _number(number)) is not None:
            inner, own = head, said
        yield from _weighted(inner, own, depth + 1)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _outermost(text: str) -> Iterator[str]:
    """The text cut before each bracket that opens at the outermost level and after the one that closes it."""
    start, depth = 0, 0
    for at, letter in enumerate(text):
        if letter == "(":
            if depth == 0 and at > start:
                yield text[start:at]
                start = at
            depth += 1
        elif letter == ")":
            depth -= 1
            if depth == 0:
                yield text[start : at + 1]
                start = at + 1
    if start < len(text):
        yield text[start:]


NAMES = {
    "white": "#ffffff", "ivory": "#f6f1e1", "light grey": "#c9cdd1", "mid-grey": "#8d9399", "charcoal grey": "#3d4146",
    "black": "#101010", "beige": "#d8c8ac", "sand": "#c6b48e", "tan": "#b08d60", "brown": "#6b4a30",
    "dark brown": "#40291a", "cream yellow": "#f3e6a6", "yellow": "#f5d327", "golden yellow": "#e0a526",
    "orange": "#ef7d22", "burnt orange": "#bf5520", "coral": "#f27c68", "red": "#d4252f", "dark red": "#8e1b22",
    "burgundy": "#5a1e2d", "pale pink": "#f2cdd3", "pink": "#e77fa3", "magenta": "#c2257f", "plum": "#66305f",
    "lavender": "#b9aede", "purple": "#6f3fa0", "indigo": "#3a2f83", "pale blue": "#bcd6ea", "sky blue": "#6db4e3",
    "blue": "#2563c9", "cobalt blue": "#1746a2", "navy blue": "#182a4e", "slate blue": "#5b6b85",
    "turquoise": "#38b6b3", "teal": "#1f7a80", "deep teal": "#12494f", "mint green": "#a9dcc0",
    "sage green": "#9bab8b", "olive green": "#6d7038", "green": "#2f9a45", "dark green": "#1d4a31",
    "lime green": "#a4cf37",
}  # fmt: skip
"""Colour words that photographers and captions use, and a typical value of each."""

_HEX = re.compile(r"#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})")
_BARE_HEX = re.compile(r"(?=.*\d)[0-9a-fA-F]{6}")
_NUMBERS = re.compile(r"#|(rgb|hs[lvb]|cmyk|lab|lch)a?\b.*\d", re.IGNORECASE)


def in_words(colour: str) -> str:
    """`colour` in words: words without their article, ``#rrggbb``, ``#rgb`` or ``rrggbb`` as the nearest of `NAMES`.

    The nearest is that of the least CIELAB difference. Raises BadColour for numbers in any other form.
    """
    colour = without_article(" ".join(colour.split()).strip(" ,."))
    if _BARE_HEX.fullmatch(colour):
        colour = f"#{colour}"
    if not _NUMBERS.match(colour):
        return colour
    if _HEX.fullmatch(colour) is None:
        raise BadColour(f"{colour!r} is not a colour; write #rrggbb, or the colour in words such as 'dark green'.")
    import torch

    from ..imaging.colour import parse_colour, to_lab

    known = to_lab(torch.tensor([parse_colour(value) for value in NAMES.values()]))
    distance = (known - to_lab(torch.tensor(parse_colour(colour)))).norm(dim=-1)
    return list(NAMES)[int(distance.argmin())]
