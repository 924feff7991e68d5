"""Where the top of the skull is, under hair that hides it: from the face's proportions and from the top of the hair.

Lengths are in eye distances of the face seen from the front (63 mm in adults, Dodgson 2004), heights are above the
eye line. Both ways err, differently, and are weighed by their errors; the answer comes with its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SKULL, PER_DEGREE, SKULL_SIGMA = 1.74, 0.018, 0.12
"""The crown's height in a face that looks at the camera, what each degree of pitch adds (looking down brings the top
of the head, which lies behind the eyes, into view), and the standard deviation of what remains. Least squares on 44
bald or close-cropped heads of official portraits (26 and 18), none of them in the reference that the engine is
measured with: the tops were read by hand. `python benchmarks/id_photo/geometry.py` prints how they do on nine bald
heads there. They are men; women's heads are taken to have the same proportions."""

HAIR, HAIR_SIGMA = 0.235, 0.10
"""How thick hair lies on top, 15 mm, and how that differs between people: the mean and, after SKULL_SIGMA is taken
out, the standard deviation on 84 portraits of people with hair."""

BARE, BARE_SIGMA, BARE_SHARE = 0.01, 0.02, 0.12
"""The same for bald heads, and how many heads are bald: 12 of 100 portraits, with the nearly bald."""

TOP_SIGMA = 0.04
"""Standard error of the hair's top as a matte shows it."""


@dataclass(frozen=True)
class Crown:
    """Height above the eye line and its standard error, in eye distances of the face seen from the front."""

    height: float
    sigma: float


def crown_from_face(pitch: float) -> Crown:
    """By proportions alone; `pitch` in degrees, positive looking down."""
    return Crown(SKULL + PER_DEGREE * float(np.clip(pitch, -25, 25)), SKULL_SIGMA)


def crown_under_hair(face: Crown, top: float) -> Crown:
    """What the top of the hair at height `top` adds to what the `face` says.

    A mixture of two cases, hair and none. In each of them both estimates are weighed by their errors; the cases are
    weighed by how well the two estimates agree. The crown is never above the hair.
    """
    cases = []
    for share, thickness, sigma in ((1 - BARE_SHARE, HAIR, HAIR_SIGMA), (BARE_SHARE, BARE, BARE_SIGMA)):
        below = float(np.hypot(sigma, TOP_SIGMA))
        apart, spread = top - thickness - face.height, float(np.hypot(below, face.sigma))
        weight = share * np.exp(-0.5 * (apart / spread) ** 2) / spread
        height = face.height + apart * (face.sigma / spread) ** 2
        cases.append((weight, min(height, top), below * face.sigma / spread))
    weights, heights, sigmas = np.array(cases).T
    if weights.sum() <= 0:
        return Crown(min(face.height, top), face.sigma)
    weights = weights / weights.sum()
    height = float(weights @ heights)
    return Crown(height, float(np.sqrt(weights @ (sigmas**2 + (heights - height) ** 2))))
