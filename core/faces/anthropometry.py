"""Proportions of adults' faces, in eye distances: between the pupils of the face seen from the front, 63 mm.

63 mm is the mean of Dodgson 2004; other lengths are from Gordon et al., ANSUR 1988, unless something else is said.
"""

from __future__ import annotations

EYE_TO_MOUTH = 1.155
"""Eye line to mouth corners: from the ArcFace five-point template (Deng et al. 2019)."""

EYE_TO_CHIN = 1.8
EYE_TO_CROWN = 1.85
"""Eye line to chin and to the top of the skull. Chin to crown is about 230 mm (menton to vertex), and the eye line lies
in the middle."""


def frontal_eye_distance(across: float, down: float) -> float:
    """The eye distance as if seen from the front, for eyes `across` apart and a mouth `down` below them.

    A head that turns brings its eyes together in the picture, but not its mouth nearer to them.
    """
    return max(across, down / EYE_TO_MOUTH)
