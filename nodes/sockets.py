"""Socket types and the inputs that several identity nodes share."""

from __future__ import annotations

from typing import Any

from ..core.faces.choose import MIN_FACE, SeveralFaces
from ..core.identity.verdict import DEFAULT_STRICTNESS, EVEN_STRICTNESS, STRICTNESS
from .schema import io

CATEGORY = "Likeness Studio/identity"
CUSTOM = "custom threshold"

FaceEngineType = io.Custom("LIKENESS_FACE_ENGINE")
IdentityType = io.Custom("LIKENESS_IDENTITY")


def engine_input() -> Any:
    """The optional engine socket."""
    return FaceEngineType.Input(
        "engine",
        optional=True,
        tooltip="The face engine to use. Without one: the engine of the identity, or else the commercial-safe default.",
    )


def several_input() -> Any:
    """What to do with a picture of several people."""
    return io.Combo.Input(
        "several_faces",
        options=[choice.value for choice in SeveralFaces],
        default=SeveralFaces.REFUSE.value,
        tooltip="What to do with a picture of several people. Small background faces are not counted.",
    )


def min_face_input() -> Any:
    """The smallest usable face."""
    return io.Int.Input(
        "min_face",
        default=MIN_FACE,
        min=16,
        max=2048,
        tooltip="Smallest usable face, as the shorter side of its box in pixels.",
    )


def strictness_inputs() -> list[Any]:
    """The likeness threshold: measured, or typed."""
    return [
        io.Combo.Input(
            "strictness",
            options=[*STRICTNESS, *EVEN_STRICTNESS, CUSTOM],
            default=DEFAULT_STRICTNESS,
            tooltip="How many strangers may pass. The threshold comes from false match rates measured for the engine; "
            "'even across groups' is stricter: the rate then holds for each group of people that was measured.",
        ),
        io.Float.Input(
            "custom_threshold",
            default=0.4,
            min=-1.0,
            max=1.0,
            step=0.01,
            tooltip="Lowest cosine that passes. Used only when strictness is 'custom threshold'.",
        ),
    ]
