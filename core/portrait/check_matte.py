"""A cut-out that was made elsewhere, beside what two networks and the face say: what it keeps and what it lost.

It is for a user's own model, core's background removal and masks drawn by hand, which come first and say no doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .fuse_mattes import ASIDE, LOOK_AT, SLACK, SLACK_WITHOUT_FACE, SOLID, gross, most_of, zones_of

if TYPE_CHECKING:
    from ..faces.face import Face
    from .fuse_mattes import Fused

KEPT = "{share:.0%} of the cut-out is no part of the person to the networks that looked, {where}."
LOST = "The cut-out lacks {share:.0%} of what the networks that looked see as the person, {where}."


@dataclass(frozen=True)
class Difference:
    """What a cut-out keeps and lacks beside another one, in shares of both, 0..1, and where most of it lies."""

    kept: float
    lost: float
    where_kept: str
    where_lost: str

    @property
    def doubt(self) -> float:
        """The share that is in question, 0..1."""
        return min(1.0, self.kept + self.lost)

    @property
    def reasons(self) -> list[str]:
        """Why it is in question, in sentences."""
        said = {
            KEPT.format(share=self.kept, where=self.where_kept): self.kept,
            LOST.format(share=self.lost, where=self.where_lost): self.lost,
        }
        return [sentence for sentence, share in said.items() if share >= LOOK_AT / 2 and self.doubt >= LOOK_AT]


def compare_mattes(given: np.ndarray, own: Fused, both: np.ndarray, face: Face | None) -> Difference:
    """What `given` [h,w] in 0..1 has and lacks beside the networks' `own` on the same grid.

    What `both` networks see [h,w] is not held against it where their rules left it out, such as the brim of a hat.

    Only what is wider than an edge counts. Round the head, where a lost ear or a kept flag is a small share of a
    person, a pixel counts `ASIDE` times.
    """
    zones = None if face is None else zones_of(face, *given.shape)
    radius = max(1, round(SLACK_WITHOUT_FACE * max(given.shape) if zones is None else SLACK * zones.unit))
    theirs, ours = given > SOLID, own.alpha > SOLID
    together = max(1.0, float((theirs | ours).sum()))
    weight = np.ones(given.shape) if zones is None else np.where(zones.body, 1.0, ASIDE)
    kept, lost = gross(theirs & ~ours & ~both, radius), gross(ours & ~theirs, radius)

    def share(piece: np.ndarray) -> float:
        return min(1.0, float(weight[piece].sum()) / together)

    return Difference(share(kept), share(lost), most_of(kept, zones), most_of(lost, zones))
