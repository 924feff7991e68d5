"""How much of a prompt a text encoder reads at once, and which words lie beyond it.

CLIP reads 77 tokens: a start, 75 of text, an end. ComfyUI cuts longer prompts into chunks of 75, encodes each by itself
and sets the results one after the other; words of different chunks do not see each other, and generators were trained
on one chunk. A stretch of fewer than 8 tokens with a weight of its own is not cut: it moves to the next chunk whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .brief import Dialect
from .clip_vocabulary import Piece, Vocabulary, readable
from .weights import segments

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
