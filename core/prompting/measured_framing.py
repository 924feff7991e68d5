"""How much of a person a picture shows, in the terms of portrait photography."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..portrait.framing import measure_head

FRAMINGS = (
    (1.15, "close-up of the face"),
    (1.6, "tight headshot"),
    (2.3, "head and shoulders"),
    (3.2, "chest-up portrait"),
    (4.2, "half-length portrait"),
    (6.5, "three-quarter-length portrait"),
    (float("inf"), "full-length portrait"),
)
"""Framings by where the picture (or the person) ends, in head heights below the crown. An adult is 7.5 heads tall; the
chin lies at 1, the shoulder line at 1.4, the chest at 2, the navel at 3, the crotch at 4, the knees at 5.7 (Loomis,
Figure Drawing for All It's Worth, 1943)."""

ROW_COVERED = 0.02
"""A row belongs to the person when the matte covers this share of it."""

CROPPED = -0.1
"""The crown may lie this far above the picture, in head heights, before the head is called cropped: it is estimated."""


@dataclass(frozen=True)
class Framing:
    """`heads`: head heights from the crown to where the person or the picture ends. `head_share`: chin to crown as a
    share of the picture's height. `room`: free space above the crown as a share of the picture's height, negative when
    the crown is cut off. `centre`: the face's place across the picture, 0 left to 1 right."""

    heads: float
    head_share: float
    room: float
    centre: float

    def words(self) -> str:
        """A phrase such as "head and shoulders"."""
        name = next(name for most, name in FRAMINGS if self.heads < most)
        return f"{name}, top of the head cropped" if self.room < CROPPED * self.head_share else name

    def numbers(self) -> dict[str, Any]:
        """The measures for a report."""
        return {
            "head_heights_shown": round(self.heads, 2),
            "head_share_of_height": round(self.head_share, 3),
            "room_above_head": round(self.room, 3),
            "face_centre_across": round(self.centre, 3),
        }


def framing(landmarks: np.ndarray, height: int, width: int, mask: np.ndarray | None, scale: float) -> Framing:
    """The framing of a face with `landmarks` [5,2] in pixels of a picture; `mask` [h,w] is its matte shrunk by `scale`.

    Chin and crown are estimated from the eye distance (see `portrait.frame`); with a matte the crown is where the hair
    ends.
    """
    head = measure_head(landmarks, mask, scale, straighten=False)
    tall = head.chin - head.crown
    bottom = float(height)
    if mask is not None:
        rows = np.flatnonzero((mask > 0.5).mean(1) > ROW_COVERED)
        if len(rows):
            bottom = min(bottom, (rows[-1] + 1) / scale)
    return Framing((bottom - head.crown) / tall, tall / height, head.crown / height, head.centre / width)
