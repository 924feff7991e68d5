"""Prompt texts with comments and choices, as the canvas reads them; here the text and its place decide, not chance.

The canvas chooses by chance each time. Here the same file always gives the same graph, so that a batch can be resumed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n\r]*", re.DOTALL)
_PART = re.compile(r"\\.|[^\\{}|]+|.", re.DOTALL)
_ESCAPED = re.compile(r"\\([{}|])")


def resolve(text: str, place: str) -> str:
    """`text` without comments and with one of each set of choices. `place` is whatever tells this input from others."""
    return _resolve(text, random.Random(f"{place}\n{text}"))  # noqa: S311


def _resolve(text: str, chance: random.Random) -> str:
    parts = iter(_PART.findall(_COMMENT.sub("", text)))
    resolved = [_resolve(chance.choice(_choices(parts)), chance) if part == "{" else part for part in parts]
    return _ESCAPED.sub(r"\1", "".join(resolved))


def _choices(parts: Iterator[str]) -> list[str]:
    """The choices up to the closing brace, or to the end where there is none; those within them are left for later."""
    choices, depth = [""], 0
    for part in parts:
        if part == "}" and not depth:
            break
        if part == "|" and not depth:
            choices.append("")
            continue
        depth += (part == "{") - (part == "}")
        choices[-1] += part
    return choices
