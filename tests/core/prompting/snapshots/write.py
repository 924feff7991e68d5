"""Write every preset in every dialect, and whole prompts, as text files that a person can read."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from likeness_studio.core.prompting import (
    SUITS_THE_ROLE,
    Brief,
    Dialect,
    Kind,
    negative,
    positive,
    preset_files,
    resolve,
)

HERE = Path(__file__).parent
DEFAULTS = {
    Kind.ROLE: "professional (any field)",
    Kind.SETTING: "seamless light grey",
    Kind.ATTIRE: SUITS_THE_ROLE,
    Kind.LIGHT: "soft loop",
    Kind.FRAMING: "head and shoulders, 85 mm",
    Kind.EXPRESSION: "slight smile",
}
WHOLE = 24


def briefs(presets: preset_files.Presets, count: int, seed: int = 4) -> list[Brief]:
    """Whole combinations, drawn at random, the same for the same seed."""
    draw = random.Random(seed)
    return [
        Brief({kind: draw.choice(list(presets.by_kind[kind])) for kind in Kind}, variation=draw.randrange(1000))
        for _ in range(count)
    ]


def preset_page(kind: Kind, presets: preset_files.Presets) -> str:
    """Every preset of a kind, every wording, in every dialect, in an otherwise empty brief."""
    rows = []
    for preset in presets.by_kind[kind].values():
        rows.append(f"## {preset.name}")
        for dialect in Dialect:
            for number, words in enumerate(preset.wordings[dialect]):
                only = replace(preset, wordings=dict.fromkeys(Dialect, (words,)))
                alone = presets.merged(preset_files.Presets({kind: {preset.name: only}}, preset_files.Style()))
                text = positive(resolve(Brief({kind: preset.name}), dialect, alone), dialect)
                rows.append(f"{dialect.key} {number}: {text}")
        rows.append("")
    return "\n".join(rows)


def whole_page(dialect: Dialect, presets: preset_files.Presets) -> str:
    """The default prompt, then whole combinations."""
    rows = []
    for brief in [Brief(DEFAULTS), *briefs(presets, WHOLE)]:
        parts = resolve(brief, dialect, presets)
        without, _ = negative(parts, dialect, presets.style.negative.get(dialect, ()))
        rows += [" | ".join(brief.choices.values()), positive(parts, dialect)]
        rows += [f"Negative: {without}"] if without else []
        rows += [f"Note: {note}" for note in parts.notes]
        rows.append("")
    return "\n".join(rows)


def pages() -> dict[str, str]:
    """Every snapshot by file name."""
    presets = preset_files.built_in()
    found = {f"preset_{kind}.txt": preset_page(kind, presets) for kind in Kind}
    return found | {f"whole_{dialect.key}.txt": whole_page(dialect, presets) for dialect in Dialect}


if __name__ == "__main__":
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8")
