"""Names for the mesh's points: which of the 468 lie at the eyes, on the lips, the brows, the nose, the face's outline.

The numbering is MediaPipe Face Mesh's. Left and right are the viewer's, as in the photo. Contours run from the
viewer's left to the viewer's right, those of eyes and brows from the outer to the inner end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

FOREHEAD_TOP = 10
"""The highest point of the middle line: about the hairline."""

GLABELLA = 9
"""Between the brows."""

SUBNASALE = 2
"""Where the nose meets the upper lip."""

UPPER_LIP, LOWER_LIP = 13, 14
"""Middle of the lips' inner edges: they touch when the mouth is closed."""

CHIN = 152
"""The lowest place of the chin (menton)."""

MIDDLE = (
    *(10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164),
    *(0, 11, 12, 13, 14, 15, 16, 17, 18, 200, 199, 175, 152),
)
"""The middle line from the hairline to the chin."""

NOSTRILS = (129, 98, 97, 2, 326, 327, 358)
"""Under the nose, from wing to wing."""

MOUTH_CORNERS = (61, 291)
UPPER_LIP_OUTSIDE = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_LIP_OUTSIDE = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
UPPER_LIP_INSIDE = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP_INSIDE = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)

LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS = (33, 133), (263, 362)
"""Outer and inner corner."""

LEFT_BROW_TOP, LEFT_BROW_BOTTOM = (70, 63, 105, 66, 107), (46, 53, 52, 65, 55)
RIGHT_BROW_TOP, RIGHT_BROW_BOTTOM = (300, 293, 334, 296, 336), (276, 283, 282, 295, 285)

LEFT_CHEEK, RIGHT_CHEEK = (50, 205, 187, 123, 117, 118, 101, 36), (280, 425, 411, 352, 346, 347, 330, 266)
"""A ring on each cheek, between the eye's hollow, the nose and the mouth's corner."""

LEFT_SIDE, RIGHT_SIDE = 234, 454
"""The outline at the height of the cheekbones: in front of the ears."""

OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The face's outline, clockwise from the hairline: closed, from the last point back to the first."""

PAIRS = (
    *((33, 263), (133, 362), (127, 356), (162, 389), (234, 454), (54, 284), (103, 332), (21, 251)),
    *((129, 358), (98, 327), (116, 345), (123, 352), (143, 372), (35, 265), (122, 351), (193, 417)),
)
"""Points that lie opposite each other on both halves of the face, and that neither the jaw nor the lips move."""


def spots(points: np.ndarray, which: Sequence[int]) -> np.ndarray:
    """The points of one group, [N,3] or [N,2], out of all `points` [468,3] or [468,2]."""
    return points[list(which)]


def area(contour: np.ndarray) -> float:
    """The area inside a closed contour [N,2] (more columns are ignored), in square pixels: the shoelace formula."""
    x, y = contour[:, 0].astype(np.float64), contour[:, 1].astype(np.float64)
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
