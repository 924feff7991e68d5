"""A MODEL or CLIP with patches on a copy of it, added at once, and a note of which stacks are on it."""

from __future__ import annotations

from typing import Any

from ..core import host

APPLIED = "likeness_loras"
"""Attachment of a model that holds the tokens of the stacks on it, so that none is put on twice."""


class Patched:
    """Collects patches for a MODEL or CLIP (or for none) and puts them on a copy, in order."""

    def __init__(self, given: Any | None) -> None:
        self.given = given
        self._groups: list[tuple[dict[Any, Any], float]] = []
        self._tokens: frozenset[str] = frozenset()
        self._had: frozenset[str] = frozenset()
        if given is not None:
            self._had = _patcher(given).get_attachment(APPLIED) or frozenset()

    def has(self, token: str) -> bool:
        """Whether the stack of that token is on the given model already."""
        return token in self._had

    def add(self, patches: dict[Any, Any], strength: float) -> None:
        """Put patches behind those before; strength 0 and no patches add nothing."""
        if patches and strength != 0:
            self._groups.append((patches, strength))

    def mark(self, token: str) -> None:
        """Note that the stack of that token is on it."""
        self._tokens |= {token}

    def result(self) -> Any | None:
        """A copy with all patches, or what was given when there is nothing to add."""
        if self.given is None or not self._groups:
            return self.given
        copy = self.given.clone()
        host.add_lora_patches(copy, self._groups)
        _patcher(copy).set_attachments(APPLIED, self._had | self._tokens)
        return copy


def _patcher(value: Any) -> Any:
    """A CLIP keeps its patches in a patcher of its own; a MODEL is one."""
    return getattr(value, "patcher", value)
