"""Rank a batch by likeness, then by sharpness and exposure, and keep the best that pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch

from ..errors import NoneLikeEnough
from ..quality.quality import face_quality
from .verdict import Judgement

TIE = 0.02
"""Cosines closer than this count as equally like; the difference is below what two photos of one moment show."""


class OnNone(StrEnum):
    """What to do when no picture passes."""

    BEST_ANYWAY = "best anyway, marked as failed"
    STOP = "stop with an error"


@dataclass(frozen=True)
class Ranked:
    """A picture's place: index in the batch, cosine (None without a usable face), sharpness, exposure."""

    index: int
    passed: bool
    cosine: float | None
    sharpness: float
    exposure: float

    def as_dict(self) -> dict[str, object]:
        """For reports."""
        return {
            "index": self.index,
            "passed": self.passed,
            "cosine": None if self.cosine is None else round(self.cosine, 4),
            "sharpness": round(self.sharpness, 6),
            "exposure": round(self.exposure, 4),
        }


def rank(judgement: Judgement, images: Sequence[torch.Tensor]) -> list[Ranked]:
    """All pictures, the best first: passing before failing, then likeness in steps of TIE, then quality."""
    ranked = []
    for verdict in judgement.verdicts:
        face = verdict.subject.face
        sharpness, exposure = face_quality(images[verdict.index], face) if face is not None else (0.0, 0.0)
        ranked.append(Ranked(verdict.index, verdict.passed, verdict.cosine, sharpness, exposure))
    sharpest = max((each.sharpness for each in ranked), default=0.0) or 1.0

    def merit(each: Ranked) -> tuple[bool, int, float]:
        likeness = -(10**6) if each.cosine is None else round(each.cosine / TIE)
        return each.passed, likeness, each.sharpness / sharpest + each.exposure

    return sorted(ranked, key=merit, reverse=True)


def keep_best(ranked: Sequence[Ranked], keep: int, on_none: OnNone, threshold: float) -> list[Ranked]:
    """At most `keep` pictures that pass; when none does, the best one or NoneLikeEnough, as chosen."""
    passing = [each for each in ranked if each.passed]
    if passing:
        return passing[:keep]
    if on_none is OnNone.STOP:
        cosines = [each.cosine for each in ranked if each.cosine is not None]
        best = f"the best reached {max(cosines):.2f} of {threshold:.2f}" if cosines else "none has a usable face"
        raise NoneLikeEnough(
            f"None of {len(ranked)} pictures passed the likeness check ({best}); generate more, lower the denoise "
            "or choose to keep the best anyway."
        )
    return list(ranked[:1])
