"""Write a brief as a prompt, count what the text encoder reads of it, and say both."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from .brief import Brief, Dialect
from .dialects import negative, positive
from .length import Length, by_encoder, by_vocabulary
from .parts import Parts, resolve
from .preset_files import Presets

Counter = Callable[[str], Length]


@dataclass(frozen=True)
class Prompt:
    """positive and negative as text; lengths of both where they could be counted; notes on what was decided."""

    dialect: Dialect
    positive: str
    negative: str
    parts: Parts
    notes: tuple[str, ...]
    length: Length | None
    negative_length: Length | None

    def report(self, variation: int) -> str:
        """JSON: dialect, what was chosen, lengths, notes."""
        body: dict[str, Any] = {
            "dialect": self.dialect.value,
            "variation": variation,
            "used": self.parts.used,
            "length": self.length.as_dict() if self.length else None,
            "negative_length": self.negative_length.as_dict() if self.negative_length else None,
            "notes": list(self.notes),
        }
        return json.dumps(body, indent=2, ensure_ascii=False)

    def summary(self) -> str:
        """What the node shows: both prompts, their lengths, and the notes."""
        rows = [self.positive, *_measure("Prompt", self.length)]
        if self.negative:
            rows += ["", f"Negative: {self.negative}", *_measure("Negative", self.negative_length)]
        return "\n".join([*rows, *(["", *self.notes] if self.notes else [])])


def write(brief: Brief, dialect: Dialect, presets: Presets, count: Counter | None, uncounted: str = "") -> Prompt:
    """`brief` in the words of `dialect`.

    Closing words are left out, the last first, while the prompt is longer than one chunk. count: None when nothing can
    count, and `uncounted` says why. Raises PresetUnknown and BadColour.
    """
    parts = resolve(brief, dialect, presets)
    notes = list(parts.notes)
    text = positive(parts, dialect)
    length = count(text) if count else None
    while length is not None and not length.fits and parts.closing:
        notes.append(f"{parts.closing[-1]!r} was left out: the prompt is longer than {length.limit} tokens.")
        parts = replace(parts, closing=parts.closing[:-1])
        text = positive(parts, dialect)
        length = count(text) if count else None
    unwanted, left_out = negative(parts, dialect, presets.style.negative.get(dialect, ()))
    notes += left_out
    if not dialect.has_negative and parts.wanted_away:
        notes.append("This dialect has no negative prompt: what is to be avoided is said in the prompt.")
    if length is not None and length.limit != dialect.limit:
        notes.append(
            f"{dialect.value} is written for encoders that read {dialect.limit} tokens at once and "
            f"{length.counted_by} reads {length.limit}: see whether another dialect suits the model."
        )
    if uncounted:
        notes.append(f"The length could not be counted: {uncounted}")
    return Prompt(dialect, text, unwanted, parts, tuple(notes), length, count(unwanted) if count and unwanted else None)


def counter(dialect: Dialect, clip: Any | None) -> tuple[Counter | None, str]:
    """What counts tokens: a connected CLIP, else CLIP's vocabulary. None and the reason when that cannot be had."""
    if clip is not None:
        return lambda text: by_encoder(text, clip), ""
    from .clip_vocabulary import vocabulary_or_reason

    vocabulary, reason = vocabulary_or_reason()
    if vocabulary is None:
        return None, reason
    return lambda text: by_vocabulary(text, dialect, vocabulary), ""


def _measure(what: str, length: Length | None) -> list[str]:
    if length is None:
        return []
    about = "" if length.exact else "about "
    rows = [f"{what}: {about}{length.tokens} of {length.limit} tokens, by {length.counted_by}."]
    if length.chunks > 1:
        rows.append(f"{what}: {length.chunks} chunks. Beyond the first: {length.beyond or 'the end of the text'}")
    return rows
