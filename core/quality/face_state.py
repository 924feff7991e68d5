"""All measures of the state of one face: pose, eyes, mouth, glasses, covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .all_measures import pose
from .close_up import close_up
from .covering import covering
from .eyes import eyes
from .glasses import glasses
from .headwear import head_covering
from .mouth import mouth
from .skin import skin_of

if TYPE_CHECKING:
    from .measure import Measure
    from .portrait import Portrait


def measure_face(portrait: Portrait, *, parsing: bool = False) -> list[Measure]:
    """faces, yaw, pitch, roll, left_eye_open, right_eye_open, gaze, mouth_closed, smile, glasses, dark_glasses, ...

    Each measure's definition and source are with it; nothing is judged here. `parsing`: glasses, covers and hats by the
    optional face parser (parsing.py), on the same scales; ModelMissing where its weights are not on this machine.
    """
    view = close_up(portrait)
    skin = skin_of(view)
    found = [
        *pose(portrait),
        *eyes(portrait, view),
        *mouth(portrait, view, skin),
        *glasses(view, skin),
        *covering(view, skin),
        head_covering(view, skin),
    ]
    if not parsing:
        return found
    from .parsed import by_classes
    from .parsing import parse

    return by_classes(found, view, parse(portrait.photo, portrait.mesh))
