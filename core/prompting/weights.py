"""ComfyUI's weight syntax, read as ComfyUI reads it: ``(word)`` is 1.1, ``(word:1.3)`` is 1.3, ``\\(`` is a bracket."""

from __future__ import annotations

from collections.abc import Iterator

_STEP = 1.1
_OPEN, _CLOSE = "\0\2", "\0\1"


def segments(text: str) -> list[tuple[str, float]]:
    """The stretches of a prompt that carry one weight each, without the brackets and numbers that say so."""
    hidden = text.replace("\\(", _OPEN).replace("\\)", _CLOSE)
    return [(part.replace(_OPEN, "(").replace(_CLOSE, ")"), weight) for part, weight in _weighted(hidden, 1.0)]


def unweighted(text: str) -> str:
    """The words of a prompt as a generator without weights should read them."""
    return "".join(part for part, _ in segments(text))


def balanced(text: str) -> str:
    """`text` with a backslash before each bracket that has no partner.

    ComfyUI would count such a bracket on through the whole prompt and read no weight after it.
    """
    open_at: list[int] = []
    lonely: list[int] = []
    for at, letter in enumerate(text):
        if text[at - 1 : at] == "\\":
            continue
        if letter == "(":
            open_at.append(at)
        elif letter == ")":
            if open_at:
                open_at.pop()
            else:
                lonely.append(at)
    alone = {*open_at, *lonely}
    return "".join(f"\\{letter}" if at in alone else letter for at, letter in enumerate(text))


def _weighted(text: str, weight: float) -> Iterator[tuple[str, float]]:
    for part in _outermost(text):
        if not (len(part) > 1 and part[0] == "(" and part[-1] == ")"):
            yield part, weight
            continue
        inner, own = part[1:-1], weight * _STEP
        head, _, number = inner.rpartition(":")
        if head and (said := _number(number)) is not None:
            inner, own = head, said
        yield from _weighted(inner, own)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _outermost(text: str) -> Iterator[str]:
    """The text cut before each bracket that opens at the outermost level and after the one that closes it."""
    start, depth = 0, 0
    for at, letter in enumerate(text):
        if letter == "(":
            if depth == 0 and at > start:
                yield text[start:at]
                start = at
            depth += 1
        elif letter == ")":
            depth -= 1
            if depth == 0:
                yield text[start : at + 1]
                start = at + 1
    if start < len(text):
        yield text[start:]
