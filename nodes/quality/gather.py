"""All measures of one portrait, light and face, in one list."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .measure import Measure
    from .portrait import Portrait


def measure_portrait(portrait: Portrait, *, parsing: bool = False) -> list[Measure]:
    """What light.py and face_state.py measure. `parsing`: with the optional face parser.

    Raises ModelMissing where a network cannot be had.
    """
    from importlib import import_module

    found: list[Measure] = []
    for module, function in (("light", "measure_light"), ("face_state", "measure_face")):
        try:
            found += getattr(import_module(f".{module}", __package__), function)(portrait)
        except ModuleNotFoundError:
            continue
    return found
