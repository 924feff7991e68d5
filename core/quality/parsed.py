"""Glasses, covers and hats by the optional face parser, in place of what pixels alone can tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .close_up import EYES_AT, SIDE, UNIT
from .covering import face_region
from .glasses import surroundings, visible_zone
from .measure import Measure
from .skin import lips, share

if TYPE_CHECKING:
    from .close_up import CloseUp
    from .parsing import Parsing

SOURCE = "a face parser's classes (BiSeNet on CelebAMask-HQ, optional), as OFIQ uses one"

COVERS = ("hair", "hat", "cloth")
"""Classes that belong neither to a face nor to glasses."""

NO_GLASSES = 0.05
"""The share of the eyes' surroundings below which the parser sees no glasses."""

LIP_SHARE = 0.5
"""The share of the lips' place that is lips to the parser, from which on they are surely seen."""

HAT_BELOW, HAT_ASIDE = 0.25, 1.15
"""How far below the eyes and beside their middle hats and scarves count, in eye distances: collars lie lower."""

HAT_SHARE, HAT_STEEPNESS = 0.05, 0.012
"""The share of hat from which on a covering is more likely than not, and how fast it becomes so: bald heads and bright
hair get a few per cent now and then, hats 10 to 60."""


def by_classes(found: list[Measure], view: CloseUp, parsing: Parsing) -> list[Measure]:
    """The measures `found` by pixels, those replaced that the parser knows better; scales and limits stay."""
    here = parsing.on(view.cut, SIDE)
    better = {
        measure.name: measure for measure in (_glasses(view, here), _head(view, here), *_covered(found, view, here))
    }
    return [better.get(measure.name, measure) for measure in found]


def _glasses(view: CloseUp, here: Parsing) -> Measure:
    worn = share(here.of("glasses"), surroundings(view))
    return Measure("glasses", worn, "", 0.05, f"{100 * worn:.0f} % of the eyes' surroundings are glasses.", SOURCE)


def hat_share(here: Parsing) -> float:
    """The share of hat and cloth in the middle of the close-up, from its top edge to below the eyes."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    where = (rows < EYES_AT[1] + HAT_BELOW * UNIT) & (np.abs(columns - EYES_AT[0]) < HAT_ASIDE * UNIT)
    return share(here.of("hat", "cloth"), where)


def _head(view: CloseUp, here: Parsing) -> Measure:
    covered = hat_share(here)
    value = float(1 / (1 + np.exp(-(covered - HAT_SHARE) / HAT_STEEPNESS)))
    words = f"{100 * covered:.0f} % of the picture above and beside the eyes is a hat or cloth."
    return Measure("head_covering", value, "", 0.1, words, SOURCE)


def _covered(found: list[Measure], view: CloseUp, here: Parsing) -> list[Measure]:
    """Eyes, mouth and face are bare as far as both pixels and classes say so: the parser takes masks for skin."""
    covers = here.of(*COVERS)
    lipped = share(here.of("upper_lip", "lower_lip", "mouth"), lips(view))
    seen = {
        "eyes_visible": (1 - share(covers, visible_zone(view)), "of the eyes' surroundings can be seen"),
        "mouth_visible": (float(np.clip(lipped / LIP_SHARE, 0, 1)), "of the lips can be seen"),
        "face_occlusion": (share(covers, face_region(view)), "of the face is covered"),
    }
    worn = share(here.of("glasses"), surroundings(view))
    result: list[Measure] = []
    for measure in found:
        if measure.name == "dark_glasses" and measure.value is not None and worn < NO_GLASSES:
            detail = "There are no glasses: what is dark round the eyes is shadow."
            result.append(replace(measure, value=0.0, detail=detail, source=f"{SOURCE}; and by pixels"))
        if measure.name in seen:
            value, words = seen[measure.name]
            if measure.value is not None:
                value = (max if measure.name == "face_occlusion" else min)(value, measure.value)
            result.append(
                replace(measure, value=value, detail=f"{100 * value:.0f} % {words}.", source=f"{SOURCE}; and by pixels")
            )
    return result
