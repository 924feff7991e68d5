"""The socket types of the prompting nodes, and the inputs that several of them share."""

from __future__ import annotations

from typing import Any

from .schema import io

CATEGORY = "Likeness Studio/prompting"

DescriptionType = io.Custom("LIKENESS_DESCRIPTION")


def clip_input() -> Any:
    """The optional text encoder that counts tokens."""
    return io.Clip.Input(
        "clip",
        optional=True,
        tooltip="The text encoder that will read the words: its tokenizer counts. Without one, CLIP's vocabulary does.",
    )
