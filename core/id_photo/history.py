"""What a photo's own file says of its making, as the check of an ID photo needs it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class History:
    """What the file says. `edits`: what was done beyond cutting, None where nothing is said of it.

    `changed`: statements that it was generated or edited; `composed`: that it was put together from several pictures,
    as a photo with another background is. Both in words that go on from "The file says: ".
    """

    edits: tuple[str, ...] | None = None
    changed: tuple[str, ...] = ()
    composed: tuple[str, ...] = ()
