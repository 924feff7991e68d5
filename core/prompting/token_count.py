"""CLIP's byte-pair vocabulary without CLIP: which pieces a text becomes, and how much an encoder reads at once.

CLIP reads 77 tokens: a start, 75 of text, an end. ComfyUI cuts longer prompts into chunks of 75, encodes each by itself
and sets the results one after the other; words of different chunks do not see each other, and generators were trained
on one chunk. A stretch of fewer than 8 tokens with a weight of its own is not cut: it moves to the next chunk whole.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .. import host
from ..errors import DependencyMissing, ModelError, UnsafePath
from ..models import store
from .brief import Dialect
from .wording import segments

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


CHUNK = 75
"""Tokens of text in one chunk of CLIP."""
_ROW = CHUNK + 2
_EMBEDDING = "embedding:"
_WHOLE = 8
"""Stretches of so many tokens or more are cut at a chunk's end (ComfyUI's max_word_length)."""


@dataclass(frozen=True)
class Length:
    """tokens: of the text, without start, end and padding. limit: how many are read at once. chunks: how many rows the
    encoder makes of it. beyond: the words after the first chunk. exact: whether the encoder itself was asked.
    """

    tokens: int
    limit: int
    chunks: int
    beyond: str
    counted_by: str
    exact: bool

    @property
    def fits(self) -> bool:
        """Whether nothing lies beyond the first chunk, and the limit is kept."""
        return self.chunks <= 1 and self.tokens <= self.limit

    def as_dict(self) -> dict[str, Any]:
        """For the report."""
        return {
            "tokens": self.tokens,
            "limit": self.limit,
            "chunks": self.chunks,
            "beyond_first_chunk": self.beyond,
            "counted_by": self.counted_by,
            "exact": self.exact,
        }


def by_vocabulary(text: str, dialect: Dialect, vocabulary: Vocabulary) -> Length:
    """The length of `text` by CLIP's vocabulary: exact for SD 1.5 and SDXL, an estimate for others.

    Of 542 prompts of this node T5 made 1.00 to 1.32 and Qwen 0.94 to 1.06 tokens for each of CLIP's.
    """
    if not dialect.has_negative:
        tokens = len(vocabulary.pieces(text))
        chunks = max(1, -(-tokens // dialect.limit))
        return Length(
            tokens, dialect.limit, chunks, "", f"{vocabulary.source}; T5 takes up to a third more", exact=False
        )
    chunks = clip_chunks([vocabulary.pieces(part) for part, _ in segments(text)])
    beyond = _words([piece for chunk in chunks[1:] for piece in chunk])
    tokens = sum(map(len, chunks))
    exact = _EMBEDDING not in text
    source = vocabulary.source if exact else f"{vocabulary.source}, which knows no embeddings"
    return Length(tokens, CHUNK, len(chunks), beyond, source, exact)


def clip_chunks(stretches: Sequence[Sequence[Piece]]) -> list[list[Piece]]:
    """The pieces of each chunk, as ComfyUI fills them from stretches of one weight each. At least one chunk."""
    chunks: list[list[Piece]] = [[]]
    for stretch in stretches:
        rest = list(stretch)
        while rest:
            room = CHUNK - len(chunks[-1])
            if len(rest) <= room:
                chunks[-1] += rest
                break
            if len(stretch) >= _WHOLE:
                chunks[-1] += rest[:room]
                rest = rest[room:]
            chunks.append([])
    return chunks


def by_encoder(text: str, clip: Any) -> Length:
    """The length of `text` by a connected CLIP of any kind: its own tokenizer is asked.

    Of several encoders (SDXL, Flux) the one with the most tokens counts. A template around the text, as Qwen's, is
    not counted.
    """
    found = clip.tokenize(text, return_word_ids=True)
    empty = clip.tokenize("", return_word_ids=True)
    lengths = [_of_rows(name, rows, empty.get(name, []), clip) for name, rows in found.items()]
    longest = [length for length in lengths if length.limit > CHUNK] or lengths
    return max(longest, key=lambda length: length.tokens)


def _of_rows(name: str, rows: list[list[Any]], empty: list[list[Any]], clip: Any) -> Length:
    tokens = _count(rows) - _count(empty)
    chunked = bool(rows) and all(len(row) == _ROW for row in rows)
    limit = CHUNK if chunked else Dialect.PROSE.limit
    chunks = len(rows) if chunked else max(1, -(-tokens // limit))
    beyond = _decoded(clip, [entry for row in rows[1:] for entry in row if entry[2]]) if chunked else ""
    return Length(tokens, limit, chunks, beyond, f"the connected text encoder ({name})", exact=True)


def _count(rows: list[list[Any]]) -> int:
    """Tokens that stand for text: ComfyUI gives start, end and padding the word id 0."""
    return sum(1 for row in rows for entry in row if entry[2])


def _decoded(clip: Any, entries: list[Any]) -> str:
    """The words of encoded tokens; an embedding has none."""
    known = [entry for entry in entries if isinstance(entry[0], int)]
    spelt = [text for _, text in clip.tokenizer.untokenize([(entry[0], 1.0) for entry in known])]
    return tidy(readable(spelt))


def _words(pieces: list[Piece]) -> str:
    return tidy("".join(piece.text + (" " if piece.ends_word else "") for piece in pieces))


def tidy(text: str) -> str:
    """Words and punctuation set together again, as people write them."""
    for mark in (",", ".", "'", ")"):
        text = text.replace(f" {mark}", mark)
    return text.replace(" - ", "-").strip(" ,")
