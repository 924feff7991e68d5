"""The light on a face and how sharp it is: what the pixels can show, and nothing that needs a known white."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from ..faces.face import CROP, Face, align
from ..imaging.colour import to_linear
from ..quality.quality import LUMA, face_quality

CHEEKS = ((30, 46), (66, 82))
CHEEK_ROWS = (62, 82)
"""Columns and rows of the cheeks in the 112 x 112 aligned crop: below the eyes, beside the nose, above a beard."""

EVEN, SIDED = 0.4, 1.0
"""Difference of the cheeks in stops: up to the first the light is even, from the second it is strong side light (a
lighting ratio of 2:1, the usual beginning of modelling light in portraits)."""

LARGEST_YAW = 15.0
"""A head turned by more degrees shows its cheeks at different angles, and their difference says little of the light."""

CLIPPED = 0.05
"""A face of which this share is white without detail is overexposed."""

DIM = 0.22
"""A face whose brightest tenth lies below this luma (display values) is underexposed. Skin reflects differently, so
nothing else is concluded from how bright a face is."""

SMALLEST = 70.0
"""Eyes closer than this many pixels are enlarged before sharpness is measured, and then it says nothing."""

SOFT, SHARP = 0.0004, 0.0015
"""Variance of the Laplacian of the aligned face (see `face_quality`) below which it is soft and from which it is
sharp. All of 100 official portraits lie above 0.0024; blurred by a Gaussian of 1/140 of the eye distance their median
is 0.0018, and by 1/70, which is seen as soft, 0.0004."""


@dataclass(frozen=True)
class FaceLight:
    """`stops`: left cheek less right cheek of the picture, in stops; None when the head is turned too far. `luma`:
    mean luma of the cheeks. `bright`: luma that a tenth of the face exceeds. `clipped`: share without detail."""

    stops: float | None
    luma: float
    bright: float
    clipped: float

    def words(self) -> str:
        """A phrase such as "light from the left", or "" when nothing can be said."""
        parts = []
        if self.stops is not None and abs(self.stops) <= EVEN:
            parts.append("even light on the face")
        elif self.stops is not None:
            side = "left" if self.stops > 0 else "right"
            parts.append(f"strong side light from the {side}" if abs(self.stops) >= SIDED else f"light from the {side}")
        if self.clipped >= CLIPPED:
            parts.append("overexposed face")
        elif self.bright < DIM:
            parts.append("underexposed face")
        return ", ".join(parts)

    def numbers(self) -> dict[str, Any]:
        """The measures for a report."""
        return {
            "left_minus_right_stops": None if self.stops is None else round(self.stops, 2),
            "cheek_luma": round(self.luma, 3),
            "brightest_tenth_luma": round(self.bright, 3),
            "clipped_share": round(self.clipped, 4),
        }


def face_light(image: torch.Tensor, face: Face, yaw: float) -> FaceLight:
    """The light on a face of image [H,W,3] in 0..1 whose head is turned by `yaw` degrees."""
    crop = align(image, face.landmarks, CROP)
    luma = (crop * torch.tensor(LUMA)[:, None, None]).sum(0)
    linear = (to_linear(crop) * torch.tensor(LUMA)[:, None, None]).sum(0)
    rows = slice(*CHEEK_ROWS)
    left, right = (float(linear[rows, first:last].median()) for first, last in CHEEKS)
    stops = math.log2((left + 1e-4) / (right + 1e-4)) if abs(yaw) <= LARGEST_YAW else None
    inner = luma[35:95, 25:87]
    both = torch.cat([luma[rows, first:last] for first, last in CHEEKS])
    return FaceLight(
        stops, float(both.mean()), float(inner.flatten().quantile(0.9)), float((inner > 0.985).float().mean())
    )


def face_sharpness(image: torch.Tensor, face: Face) -> tuple[str, dict[str, Any]]:
    """A word for the sharpness of a face of image [H,W,3], "" for a face too small to judge, and the number."""
    sharpness, _ = face_quality(image, face)
    numbers = {"laplacian_variance": round(sharpness, 5), "eye_distance_pixels": round(face.eye_distance, 1)}
    if face.eye_distance < SMALLEST:
        return "", numbers
    if sharpness < SOFT:
        return "soft focus", numbers
    return ("sharp focus" if sharpness >= SHARP else ""), numbers
