"""Heads that are turned less than level, where levelling would cut them off and no rule asks for it."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from .framing import HEAD_ADVICE
from .make_report import FREE_KINDS

if TYPE_CHECKING:
    from .document import Document
    from .framing import Framing
    from .head import Head

SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
"""How much of a head's tilt is taken away, the most level first."""

COARSE = 0.1
"""A head must come nearer to the advised height by so much of the picture's to be worth a tilt that is left."""


def may_tilt(document: Document) -> bool:
    """Whether the head may stay tilted: no rule says where the head is, and no identity is checked by the photo."""
    return document.kind in FREE_KINDS and document.head is None and document.eyes is None


def turned(head: Head, share: float) -> Head:
    """`head` in a frame that is turned by `share` (0..1) of its tilt; the rest of the tilt stays in the picture.

    Heights are those of the points on the head's own middle line, which leans.
    """
    if share == 1.0:
        return head
    rest = math.radians(head.roll * (1 - share))
    x, y = head.pivot

    def down(height: float) -> float:
        return y + (height - y) * math.cos(rest)

    middle = (head.chin + head.crown) / 2 - y
    return dataclasses.replace(
        head,
        roll=head.roll * share,
        centre=x + (head.centre - x) * math.cos(rest) - middle * math.sin(rest),
        eyes=down(head.eyes),
        chin=down(head.chin),
        crown=down(head.crown),
        hair=None if head.hair is None else down(head.hair),
    )


def cost(framing: Framing) -> tuple[int, int, int]:
    """How bad a frame is: rules that are broken, hair that is cut off, and how far the head is from what is advised."""
    values = {fit.name: fit.value for fit in framing.fits}
    height = values.get("head height", HEAD_ADVICE.middle)
    off = max(height - HEAD_ADVICE.high, HEAD_ADVICE.low - height, 0.0)
    return len(framing.broken), int(values.get("room above the hair", 0.0) < 0), int(off / COARSE)
