"""All measures of one portrait: how many faces, pose, state of the face, light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..faces.pose import pose_from_mesh
from .checks import Measure
from .close_up import close_up, skin_of
from .eyes import eyes, glasses
from .headwear import head_covering
from .mouth import covering, mouth

if TYPE_CHECKING:
    from .aligned_face import Portrait

SOURCE = "ISO/IEC 29794-5 head pose, by the dense mesh (OFIQ: 3DDFA V2)"

YAW_ERROR, PITCH_ERROR, ROLL_ERROR = 3.0, 5.0, 1.0
"""Degrees, one standard deviation. Pitch is the hardest: people's profiles differ, and a low camera looks like a raised
chin."""


def pose(portrait: Portrait) -> list[Measure]:
    """The number of faces, and yaw, pitch and roll of the one that is looked at, in degrees.

    ISO/IEC 39794-5 signs: yaw is positive towards the person's own left, pitch positive downwards, roll positive
    towards their own right shoulder.
    """
    turned = pose_from_mesh(portrait.mesh)
    return [
        _faces(max(1, len(portrait.faces))),
        Measure("yaw", turned.yaw, "°", YAW_ERROR, _yaw_words(turned.yaw), SOURCE),
        Measure("pitch", turned.pitch, "°", PITCH_ERROR, _pitch_words(turned.pitch), SOURCE),
        Measure("roll", turned.roll, "°", ROLL_ERROR, _roll_words(turned.roll), SOURCE),
    ]


def _faces(count: int) -> Measure:
    words = "One face was found." if count == 1 else f"{count} faces were found."
    return Measure("faces", float(count), "", None, words, "ISO/IEC 29794-5 single face present (ours counts them)")


def _yaw_words(degrees: float) -> str:
    side = "left" if degrees > 0 else "right"
    return f"The face is turned {abs(degrees):.0f}° to the person's {side}."


def _pitch_words(degrees: float) -> str:
    return f"The face looks {abs(degrees):.0f}° {'down' if degrees > 0 else 'up'}."


def _roll_words(degrees: float) -> str:
    shoulder = "right" if degrees > 0 else "left"
    return f"The head leans {abs(degrees):.1f}° to the person's {shoulder} shoulder."


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
    from .face_parsing import parse
    from .headwear import by_classes

    return by_classes(found, view, parse(portrait.photo, portrait.mesh))


def measure_portrait(portrait: Portrait, *, allowed: Sequence[str] = (), parsing: bool = False) -> list[Measure]:
    """What light.py and face_state.py measure. `allowed`: background colours, ``#rrggbb``; `parsing`: with the parser.

    Raises ModelMissing where a network cannot be had.
    """
    from .light import measure_light

    return [*measure_light(portrait, allowed), *measure_face(portrait, parsing=parsing)]
