"""Graphs that programs leave in the texts of a picture, found wherever they stand; what cannot be read is a doubt."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

MAX_JSON = 4_000_000
"""Characters of a text that is read as JSON; a large workflow with its canvas has a tenth of that."""

MAX_VALUES = 200_000
"""Values of all texts of a picture together that are looked through for graphs."""

MAX_LAYERS = 4
"""Texts in texts: some programs write JSON as a string in JSON."""

SIGN = "class_type"
"""What every node of a graph in API format has; text that has it and gives no graph is a graph that was hidden."""


_ESCAPED = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
"""How JSON writes a letter of ASCII as a number."""


def without_escapes(text: bytes) -> bytes:
    """A text of JSON, with the letters of ASCII that are written as numbers, and no two backslashes in a row."""
    for _ in range(MAX_LAYERS):
        text = text.replace(b"\\\\", b"\\")
    return _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), text)


@dataclass
class Found:
    """The graphs in API format and the canvases in some texts, and why others could not be read."""

    graphs: list[dict[str, Any]] = field(default_factory=list)
    canvases: list[dict[str, Any]] = field(default_factory=list)
    doubt: str = ""


def find_graphs(texts: Iterable[str]) -> Found:
    """Every graph and canvas in `texts`: bare, in lists, in strings, behind a byte order mark, inside other objects."""
    found, left = Found(), MAX_VALUES
    for text in texts:
        before = len(found.graphs)
        left = _look_through(text, found, left)
        if len(found.graphs) == before and SIGN.encode() in without_escapes(text.encode("utf-8", "replace")):
            found.doubt = found.doubt or "a workflow in it cannot be read"
        if left <= 0:
            found.doubt = found.doubt or "what it carries is too much to be looked through"
            break
    return found


def _look_through(text: str, found: Found, left: int) -> int:
    """Add what is in one text; returns how many values may still be looked at."""
    waiting: list[tuple[Any, int]] = [(text, 0)]
    while waiting and left > 0:
        value, layer = waiting.pop()
        left -= 1
        if isinstance(value, str):
            inner = _parsed(value, found) if layer < MAX_LAYERS else None
            if inner is not None:
                waiting.append((inner, layer + 1))
            elif layer >= MAX_LAYERS and SIGN in value:
                found.doubt = "a workflow in it cannot be read"
        elif isinstance(value, dict):
            if _is_graph(value):
                found.graphs.append(value)
            elif isinstance(value.get("nodes"), list):
                found.canvases.append(value)
            else:
                waiting += [(each, layer) for each in value.values() if isinstance(each, dict | list | str)]
        elif isinstance(value, list):
            waiting += [(each, layer) for each in value if isinstance(each, dict | list | str)]
    return left


def _is_graph(value: dict[str, Any]) -> bool:
    return any(isinstance(node, dict) and SIGN in node for node in value.values())


def _parsed(text: str, found: Found) -> Any:
    """The text as JSON, if it is any; a doubt where it is too long or too deep to be read."""
    plain = text.strip("\ufeff\0 \t\r\n")
    if plain[:1] not in ("{", "[", '"'):
        return None
    if len(plain) > MAX_JSON:
        found.doubt = f"it carries {len(plain):,} characters that were not looked through"
        return None
    try:
        return json.loads(plain)
    except RecursionError:
        found.doubt = "what it carries is nested too deeply to be looked through"
    except ValueError:
        pass
    return None
