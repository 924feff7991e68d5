"""The same parts in four dialects, written as a prompt, with a count of what the text encoder reads of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from .brief import PERSON, Brief, Dialect
from .parts import Parts, resolve
from .preset_files import Presets
from .token_count import Length, by_encoder, by_vocabulary
from .wording import indefinite, listed, plain, says, sentence, with_article, without_article

_TRAIT_WEIGHT = 1.2


def positive(parts: Parts, dialect: Dialect) -> str:
    """The prompt."""
    writers = {Dialect.TAGS: _tags, Dialect.SENTENCES: _sentences, Dialect.PROSE: _prose, Dialect.EDIT: _edit}
    return writers[dialect](parts)


def negative(parts: Parts, dialect: Dialect, usual: tuple[str, ...]) -> tuple[str, list[str]]:
    """The negative prompt and what was left out of it because the prompt asks for it.

    "" for a dialect whose generators read none. usual: what is avoided whatever is chosen.
    """
    kept, notes = avoided(parts, positive(replace(parts, wanted_away=()), dialect))
    if not dialect.has_negative:
        return "", notes
    said = positive(parts, dialect)
    quiet = [word for word in (*parts.avoid, *usual) if plain(word) not in map(plain, parts.allows)]
    words = {plain(word): word for word in (*kept, *quiet) if not says(said, word)}
    return ", ".join(words.values()), notes


def avoided(parts: Parts, said: str) -> tuple[list[str], list[str]]:
    """What the user does not want, without what the prompt `said` asks for, and a note for each of those."""
    kept = [word for word in parts.wanted_away if not says(said, word)]
    notes = [f"{word!r} is not avoided: the prompt asks for it." for word in parts.wanted_away if word not in kept]
    return kept, notes


def _who(parts: Parts) -> str:
    """ "a lawyer"; "a sks woman, a lawyer" when the subject has words of its own."""
    subject = indefinite(parts.subject)
    if parts.role in ("", PERSON):
        return subject
    if parts.subject == PERSON:
        return with_article(parts.role)
    return f"{subject}, {with_article(parts.role)}"


def _tags(parts: Parts) -> str:
    kind = "photo" if "portrait" in parts.shot or "headshot" in parts.shot else "portrait photo"
    rows = [
        f"professional {kind} of {_who(parts)}",
        *(f"({trait}:{_TRAIT_WEIGHT})" if "(" not in trait else trait for trait in parts.traits),
        parts.attire,
        parts.expression,
        parts.pose,
        parts.shot,
        parts.light,
        parts.scene,
        {"shallow": "blurred background", "deep": "recognisable surroundings"}.get(parts.focus, ""),
        *parts.additions,
        *parts.closing,
    ]
    return ", ".join(dict.fromkeys(row for row in rows if row))


def _sentences(parts: Parts) -> str:
    who = _who(parts)
    worn = f" wearing {parts.attire}" if parts.attire else ""
    opening = f"Professional {parts.shot or 'portrait'} photograph of {who}{',' if worn and ', ' in who else ''}{worn}"
    looks = f"with {parts.expression}" if parts.expression else ""
    if looks and not worn and ", " not in who:
        opening, looks = f"{opening} {looks}", ""
    focus = {"shallow": ", softly blurred", "deep": ", clearly recognisable"}.get(parts.focus, "")
    technique = [parts.light, without_article(parts.lens).partition(" at f/")[0]]
    return _joined(
        _comma(opening, looks, parts.pose),
        _comma(*parts.traits),
        parts.setting and parts.setting + focus,
        _comma(*technique),
        *parts.additions,
        _comma(*parts.closing),
    )


def _prose(parts: Parts) -> str:
    taken = f", taken {parts.setting}" if parts.setting else ""
    worn = f"wears {parts.attire}" if parts.attire else ""
    looks = f"has {parts.expression}" if parts.expression else ""
    manner = listed([part for part in (worn, looks) if part])
    light = f"lit with {parts.light}" if parts.light else ""
    lens = f"shot on {parts.lens}" if parts.lens else ""
    focus = {
        "shallow": "The background is softly out of focus",
        "deep": "The surroundings are clearly recognisable",
    }.get(parts.focus, "")
    body = [
        f"A professional {parts.shot or 'portrait'} photograph of {_who(parts)}{taken}",
        f"The person {_comma(manner, parts.pose)}" if manner else parts.pose and f"The person is shown {parts.pose}",
        f"Recognisable features: {_features(parts)}" if parts.traits else "",
        f"The portrait is {listed([part for part in (light, lens) if part])}" if light or lens else "",
        focus,
        *parts.additions,
        *parts.closing,
    ]
    away, _ = avoided(parts, _joined(*body))
    return _joined(*body, f"The picture shows {listed(f'no {word}' for word in away)}" if away else "")


def _edit(parts: Parts) -> str:
    body = [
        f"Turn this photo into a professional {parts.shot or 'portrait'} of {_same(parts)}",
        f"Change the background to {parts.scene}{', softly out of focus' if parts.focus == 'shallow' else ''}"
        if parts.scene
        else "",
        f"Change the clothing to {parts.attire}" if parts.attire else "",
        _relight(parts),
        f"Give the person {parts.expression}" if parts.expression else "",
        *parts.additions,
        f"Keep {listed(_unchanged(parts))} exactly as in the photo",
        f"Keep these features of the person: {_features(parts)}" if parts.traits else "",
        *parts.closing,
    ]
    away, _ = avoided(parts, _joined(*body))
    return _joined(*body, f"Do not add any of these: {', '.join(away)}" if away else "")


def _same(parts: Parts) -> str:
    subject = without_article(parts.subject)
    same = subject if subject[0].isupper() else f"the same {subject}"
    return same if parts.role in ("", PERSON) else f"{same}, {with_article(parts.role)}"


def _relight(parts: Parts) -> str:
    if parts.light:
        return f"Relight the portrait with {parts.light}"
    return "Match the light on the person to the new background" if parts.scene else ""


def _unchanged(parts: Parts) -> list[str]:
    """What an edit leaves alone: the person, and whatever the instruction does not change."""
    others = {
        "expression": parts.expression,
        "clothing": parts.attire,
        "pose": parts.shot,
        "framing": parts.shot,
        "background": parts.scene,
    }
    rest = [f"the {name}" for name, changed in others.items() if not changed]
    return ["the facial features", "the hair", "the skin tone", *rest]


def _features(parts: Parts) -> str:
    return ", ".join(trait.removeprefix("wearing ").removeprefix("with ") for trait in parts.traits)


def _comma(*rows: str) -> str:
    return ", ".join(row for row in rows if row)


def _joined(*rows: str) -> str:
    return " ".join(sentence(row) for row in rows if row)


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
    from .token_count import vocabulary_or_reason

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
