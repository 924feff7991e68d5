"""All measures of one portrait, light and face, in one list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .measure import Measure
    from .portrait import Portrait


def measure_portrait(portrait: Portrait, *, allowed: Sequence[str] = (), parsing: bool = False) -> list[Measure]:
    """What light.py and face_state.py measure. `allowed`: background colours, ``#rrggbb``; `parsing`: with the parser.

    Raises ModelMissing where a network cannot be had.
    """
    from .face_state import measure_face
    from .light import measure_light

    return [*measure_light(portrait, allowed), *measure_face(portrait, parsing=parsing)]
