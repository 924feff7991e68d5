"""CLIP's byte-pair vocabulary without CLIP: which pieces a text becomes, and how common each piece is."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .. import host
from ..errors import DependencyMissing, ModelError, UnsafePath
from ..models import store

SIZE = 49408
"""Entries of CLIP's vocabulary: 256 bytes, 256 bytes that end a word, 48,894 merges, start and end."""
FIRST_MERGE = 512
_MERGES = SIZE - FIRST_MERGE - 2
_START, _END = "<|startoftext|>", "<|endoftext|>"
_WORD_END = "</w>"
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""How CLIP cuts a text into words before byte pairs are merged (openai/CLIP, simple_tokenizer.py)."""


@dataclass(frozen=True)
class Piece:
    """One token: its text, its entry in the vocabulary, where it lies in the text, whether it ends a word.

    Byte pairs were merged in the order of how often they occurred in CLIP's training text, so `entry` is a rank: 512 is
    the commonest pair of letters, 49,405 the rarest piece that got an entry of its own. Entries below 512 are single
    bytes.
    """

    text: str
    entry: int
    start: int
    end: int
    ends_word: bool


class Vocabulary:
    """CLIP's tokenizer."""

    def __init__(self, entries: dict[str, int], merges: list[tuple[str, str]], source: str) -> None:
        self.source = source
        self._entries = entries
        self._tokenizer = _tokenizer(entries, merges)

    def pieces(self, text: str) -> list[Piece]:
        """The tokens of `text`, without start and end."""
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        return [
            Piece(text[start:end], entry, start, end, token.endswith(_WORD_END))
            for token, entry, (start, end) in zip(encoded.tokens, encoded.ids, encoded.offsets, strict=True)
        ]

    def entry_of(self, word: str) -> int | None:
        """The entry of a whole word, or None when the word is no single piece."""
        return self._entries.get(word.lower() + _WORD_END)

    def words(self) -> dict[str, int]:
        """Every whole word of the vocabulary and its entry."""
        ends = len(_WORD_END)
        return {word[:-ends]: entry for word, entry in self._entries.items() if word.endswith(_WORD_END)}


def vocabulary(*, download: bool = True) -> Vocabulary:
    """ComfyUI's copy of the vocabulary inside ComfyUI, elsewhere the model store's (1.4 MB, fetched once).

    Raises the errors of `models.store.path` when it cannot be had (UnsafePath where its folder is a link that leads
    elsewhere), and DependencyMissing without `tokenizers`.
    """
    files = host.clip_vocabulary_files()
    if files is not None and all(file.is_file() for file in files):
        return _from_comfyui(*files)
    return _from_openai(store.path("clip_bpe", download=download))


def vocabulary_or_reason() -> tuple[Vocabulary | None, str]:
    """The vocabulary and "", or None and the reason why nothing can be counted."""
    try:
        return vocabulary(), ""
    except (ModelError, DependencyMissing, UnsafePath) as error:
        return None, str(error)


@cache
def _from_comfyui(entries: Path, merges: Path) -> Vocabulary:
    table = json.loads(entries.read_text(encoding="utf-8"))
    return Vocabulary(table, _pairs(merges.read_text(encoding="utf-8")), "ComfyUI's CLIP vocabulary")


@cache
def _from_openai(file: Path) -> Vocabulary:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        merges = _pairs(lines.read())
    letters = list(_byte_letters().values())
    words = [*letters, *(letter + _WORD_END for letter in letters), *(a + b for a, b in merges), _START, _END]
    return Vocabulary({word: entry for entry, word in enumerate(words)}, merges, "OpenAI's CLIP vocabulary")


def _pairs(text: str) -> list[tuple[str, str]]:
    """The merges of a file: a line with the version, then two pieces a line, the commonest first."""
    pairs = (line.split() for line in text.split("\n")[1 : _MERGES + 1])
    return [(first, second) for first, second in pairs]


def _byte_letters() -> dict[int, str]:
    """Each byte as a printable letter, in the order of CLIP's vocabulary (GPT-2's bytes_to_unicode)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + index) for index, byte in enumerate(others)}


def readable(tokens: list[str]) -> str:
    """The text of tokens as the vocabulary spells them: a letter for each byte, ``</w>`` for the end of a word."""
    letters = {letter: byte for byte, letter in _byte_letters().items()}
    spelt = "".join(tokens).replace(_WORD_END, " ")
    return bytes(letters.get(letter, ord(" ")) for letter in spelt).decode("utf-8", "replace").strip()


def _tokenizer(entries: dict[str, int], merges: list[tuple[str, str]]) -> Any:
    try:
        from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
    except ImportError as error:
        raise DependencyMissing("Counting tokens needs the package tokenizers; pip install tokenizers.") from error
    tokenizer = Tokenizer(
        models.BPE(
            vocab=entries, merges=merges, end_of_word_suffix=_WORD_END, continuing_subword_prefix="", unk_token=_END
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True),
        ]
    )
    return tokenizer
