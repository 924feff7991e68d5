"""A colour in words, because text encoders were trained on words and not on #rrggbb."""

from __future__ import annotations

import re

from ..errors import BadColour
from .wording import without_article

NAMES = {
    "white": "#ffffff",
    "ivory": "#f6f1e1",
    "light grey": "#c9cdd1",
    "mid-grey": "#8d9399",
    "charcoal grey": "#3d4146",
    "black": "#101010",
    "beige": "#d8c8ac",
    "sand": "#c6b48e",
    "tan": "#b08d60",
    "brown": "#6b4a30",
    "dark brown": "#40291a",
    "cream yellow": "#f3e6a6",
    "yellow": "#f5d327",
    "golden yellow": "#e0a526",
    "orange": "#ef7d22",
    "burnt orange": "#bf5520",
    "coral": "#f27c68",
    "red": "#d4252f",
    "dark red": "#8e1b22",
    "burgundy": "#5a1e2d",
    "pale pink": "#f2cdd3",
    "pink": "#e77fa3",
    "magenta": "#c2257f",
    "plum": "#66305f",
    "lavender": "#b9aede",
    "purple": "#6f3fa0",
    "indigo": "#3a2f83",
    "pale blue": "#bcd6ea",
    "sky blue": "#6db4e3",
    "blue": "#2563c9",
    "cobalt blue": "#1746a2",
    "navy blue": "#182a4e",
    "slate blue": "#5b6b85",
    "turquoise": "#38b6b3",
    "teal": "#1f7a80",
    "deep teal": "#12494f",
    "mint green": "#a9dcc0",
    "sage green": "#9bab8b",
    "olive green": "#6d7038",
    "green": "#2f9a45",
    "dark green": "#1d4a31",
    "lime green": "#a4cf37",
}
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
