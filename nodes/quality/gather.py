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
    from importlib import import_module

    from .light import measure_light

    try:
        face = import_module(".face_state", __package__).measure_face(portrait)
    except ModuleNotFoundError:
        face = []
    return [*measure_light(portrait, allowed), *face]
