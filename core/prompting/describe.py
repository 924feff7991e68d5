"""Puts what was measured and what a caption says together into one description, in plain sentences."""

from __future__ import annotations

from .description import CAPTION, FIELDS, MEASURED, Description
from .measured import Measured
from .read_caption import read_caption
from .traits import hair_phrase

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
