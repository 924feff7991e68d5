"""Where a head stands in its ID photo: head height, eye line, room above, chin, middle, as shares and as measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..quality.measure import Measure
from .document import HeadTop

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .document import Document
    from .head import Head

EYE_SIGMA = 0.02
"""How far the eye centres are off, in eye distances: lids found on one photo at several sizes differ by so much."""

SOURCE = "ISO/IEC 39794-5"

THROUGH_HAIR = "; the crown is estimated through the hair, and the error of that is judged with it"

ESTIMATED = ("head_height", "room_above")
"""Measures that need the top of the head."""


@dataclass(frozen=True)
class Spot:
    """A length or place as a share of the picture's side, and its standard error."""

    value: float
    sigma: float = 0.0


@dataclass(frozen=True)
class Placement:
    """A head in its picture.

    `head` is chin to top along the head, `eyes` and `chin` are above the bottom edge, `room` is from the top of the
    head to the top edge (negative: cut off), all as shares of the height. `middle` is the face's middle line at eye
    level, from the left edge, as a share of the width. `top_is_hair`: the top is that of the hair, not of the skull.
    """

    head: Spot
    eyes: Spot
    room: Spot
    chin: Spot
    middle: Spot
    top_is_hair: bool


def place(head: Head, width: int, height: int, head_top: HeadTop = HeadTop.CROWN) -> Placement:
    """Where `head`, in coordinates of a picture of that size in pixels, stands in it."""
    top, top_sigma = head.top(head_top)
    spots = head.to_photo(np.array([[head.centre, y] for y in (top, head.eyes, head.chin)], dtype=np.float64))
    top_y, eyes_y, chin_y = (float(y) for y in spots[:, 1])
    eye_sigma = EYE_SIGMA * head.unit
    return Placement(
        head=Spot((head.chin - top) / height, float(np.hypot(top_sigma, head.chin_sigma)) / height),
        eyes=Spot((height - eyes_y) / height, eye_sigma / height),
        room=Spot(top_y / height, top_sigma / height),
        chin=Spot((height - chin_y) / height, head.chin_sigma / height),
        middle=Spot(float(spots[1, 0]) / width, eye_sigma / width),
        top_is_hair=head_top is HeadTop.HAIR and head.hair is not None,
    )


def measure_geometry(head: Head, width: int, height: int, document: Document | None) -> list[Measure]:
    """head_height, eye_line, room_above and chin_height in mm of a print, else % of the height; centring in % of width.

    `head` is in coordinates of the picture, which is `width` x `height` pixels; sizes in mm are those of `document`.
    """
    placed = place(head, width, height, document.head_top if document else HeadTop.CROWN)
    top = "top of the hair" if placed.top_is_hair else "crown"
    off = placed.middle.value - 0.5
    side = "right" if off > 0 else "left"
    lengths: Iterable[tuple[str, Spot, str]] = (
        ("head_height", placed.head, f"Chin to {top}."),
        ("eye_line", placed.eyes, "Eye line above the bottom edge."),
        ("room_above", placed.room, f"From the {top} to the top edge."),
        ("chin_height", placed.chin, "Chin above the bottom edge."),
    )
    factor, unit = scale_of(document)
    measures = [
        Measure(
            name,
            spot.value * factor,
            unit,
            spot.sigma * factor,
            detail,
            SOURCE + (THROUGH_HAIR if name in ESTIMATED else ""),
        )
        for name, spot, detail in lengths
    ]
    where = f"The face's middle is {100 * abs(off):.1f} % of the width {side} of the picture's."
    measures.append(Measure("centring", 100 * abs(off), "%", 100 * placed.middle.sigma, where, SOURCE))
    return measures


def scale_of(document: Document | None) -> tuple[float, str]:
    """What turns a share of the height into a length for people, and its unit: mm of a print, else percent."""
    if document is not None and document.height_mm is not None:
        return document.height_mm, "mm"
    return 100.0, "% of the height"
