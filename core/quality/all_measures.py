"""How many faces there are and which way the one looks: yaw, pitch and roll as measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..faces.pose import pose_of
from .measure import Measure

if TYPE_CHECKING:
    from .portrait import Portrait

SOURCE = "ISO/IEC 29794-5 head pose, by the dense mesh (OFIQ: 3DDFA V2)"

YAW_ERROR, PITCH_ERROR, ROLL_ERROR = 3.0, 5.0, 1.0
"""Degrees, one standard deviation. Pitch is the hardest: people's profiles differ, and a low camera looks like a raised
chin."""


def pose(portrait: Portrait) -> list[Measure]:
    """The number of faces, and yaw, pitch and roll of the one that is looked at, in degrees.

    ISO/IEC 39794-5 signs: yaw is positive towards the person's own left, pitch positive downwards, roll positive
    towards their own right shoulder.
    """
    turned = pose_of(portrait.mesh)
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
