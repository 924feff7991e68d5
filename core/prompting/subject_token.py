"""A rare token for a person: schemes that make one from a name, and a judgement by CLIP's vocabulary.

DreamBooth (Ruiz et al. 2023, section 3.1) binds a person to an identifier that the text encoder knows and the
generator has hardly seen: one piece from the rare end of the vocabulary. A made-up word falls into several pieces; if
those are common, the generator already has an idea of each.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import NameUnusable
from ..toml_tables import TomlFile
from .token_count import FIRST_MERGE, SIZE, Piece, Vocabulary
from .wording import indefinite

RARE = 36_000
"""From this entry on a piece counts as rare: the last quarter of CLIP's 49,408."""
COMMON = 20_000
"""Below this entry a piece counts as common: everyday words and syllables of them."""
_VOWELS = "aeiou"


class Scheme(StrEnum):
    """How a token is made from a name."""

    RARE_ENTRY = "rare vocabulary entry"
    CAESAR = "Caesar cipher"
    CONSONANTS = "consonants only"
    REVERSED = "reversed"
    AS_GIVEN = "as given"


def make_token(name: str, scheme: Scheme, shift: int = 3) -> str:
    """The token of `name`. shift: letters by which the Caesar cipher moves each letter, also negative.

    Raises NameUnusable when nothing is left to make a token of.
    """
    if not name.strip():
        raise NameUnusable("The name is empty; give a name or any other text that stands for the person.")
    if scheme is Scheme.AS_GIVEN:
        return " ".join(name.split())
    if scheme is Scheme.RARE_ENTRY:
        return _rare_entry(name)
    letters = _latin(name)
    made = {
        Scheme.CAESAR: _caesar(letters, shift),
        Scheme.CONSONANTS: "".join(letter for letter in letters if letter not in _VOWELS),
        Scheme.REVERSED: letters[::-1],
    }[scheme]
    if not made:
        raise NameUnusable(
            f"The name {name.strip()[:40]!r} has no letters for the scheme {scheme.value!r}; "
            f"choose {Scheme.RARE_ENTRY.value!r}, which takes any name."
        )
    return made


def phrase(token: str, class_noun: str, context: str) -> str:
    """ "a [V] [class noun] [context]"; parts that are empty are left out."""
    words = " ".join(part for part in (token, *class_noun.split()) if part)
    return " ".join(part for part in (indefinite(words), *context.split()) if part)


@cache
def rare_entries() -> tuple[str, ...]:
    """Entries of the rare end of CLIP's vocabulary that are no words, read through by hand."""
    return tuple(TomlFile(Path(__file__).with_name("rare_tokens.toml")).tables["entries"].split())


def _rare_entry(name: str) -> str:
    """One of `rare_entries`, the same for the same name whatever its case and spaces."""
    key = unicodedata.normalize("NFKC", " ".join(name.casefold().split()))
    number = int.from_bytes(hashlib.sha256(key.encode(errors="replace")).digest()[:8], "big")
    return rare_entries()[number % len(rare_entries())]


def _latin(name: str) -> str:
    """The letters a to z of a name in lower case, accents removed."""
    plain = unicodedata.normalize(
        "NFKD",
        name.casefold().replace("ø", "o").replace("\N{LATIN SMALL LETTER L WITH STROKE}", "l").replace("æ", "ae"),
    )
    return "".join(letter for letter in plain if "a" <= letter <= "z")


def _caesar(letters: str, shift: int) -> str:
    return "".join(chr((ord(letter) - ord("a") + shift) % 26 + ord("a")) for letter in letters)


@dataclass(frozen=True)
class Judgement:
    """What a text encoder makes of a token. good: whether it serves as an identifier; words: why, in a sentence."""

    token: str
    pieces: tuple[Piece, ...]
    good: bool
    words: str

    def as_dict(self) -> dict[str, Any]:
        """For the report. rank: place by frequency among CLIP's pieces, 1 the commonest."""
        return {
            "token": self.token,
            "pieces": [
                {"text": piece.text, "entry": piece.entry, "rank": rank(piece), "of": SIZE - FIRST_MERGE - 2}
                for piece in self.pieces
            ],
            "good": self.good,
            "judgement": self.words,
        }


def rank(piece: Piece) -> int:
    """A piece's place by frequency: merges are numbered as they were found, the commonest first; 0 for a byte."""
    return max(0, piece.entry - FIRST_MERGE + 1)


def judge(token: str, name: str, vocabulary: Vocabulary) -> Judgement:
    """How well `token` serves as an identifier, by CLIP's vocabulary; with a suggestion when it does not."""
    pieces = tuple(vocabulary.pieces(token))
    if not pieces:
        return Judgement(token, pieces, False, f"Bad: CLIP reads nothing of {token!r}.")
    rarest, commonest = max(piece.entry for piece in pieces), min(piece.entry for piece in pieces)
    better = f"Better: {_rare_entry(name)!r}, one rare piece (scheme {Scheme.RARE_ENTRY.value!r})."
    listed = " + ".join(f"{piece.text} (rank {rank(piece):,})" for piece in pieces)
    if len(pieces) == 1:
        place = f"one piece, rank {rank(pieces[0]):,} of {SIZE - FIRST_MERGE - 2:,}"
        if rarest >= RARE:
            return Judgement(token, pieces, True, f"Good: {token!r} is {place}, which is rare.")
        if rarest >= COMMON:
            return Judgement(token, pieces, True, f"Usable: {token!r} is {place}, which is not quite rare.")
        words = f"Bad: {token!r} is {place}; the generator knows it as a word already. {better}"
        return Judgement(token, pieces, False, words)
    if commonest >= COMMON:
        return Judgement(token, pieces, True, f"Usable: {token!r} becomes {len(pieces)} uncommon pieces: {listed}.")
    words = f"Bad: {token!r} becomes {len(pieces)} pieces, some of them common: {listed}. {better}"
    return Judgement(token, pieces, False, words)
