"""The inputs that several portrait nodes share."""

from __future__ import annotations

from .schema import io
from .sockets import FaceEngineType

CATEGORY = "Likeness Studio/portrait"
SEVERAL = ("refuse", "largest")


def several_faces() -> io.Input:
    """What to do with several people."""
    return io.Combo.Input(
        "several_faces",
        options=list(SEVERAL),
        default=SEVERAL[0],
        tooltip="What to do with a picture of several people.",
    )


def engine_input(
    tooltip: str = "The face engine that finds the face. Default: yunet-sface.", lazy: bool | None = None
) -> io.Input:
    """The optional engine socket."""
    return FaceEngineType.Input("engine", optional=True, lazy=lazy, tooltip=tooltip)
