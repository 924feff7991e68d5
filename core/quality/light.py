"""The light on a face: even, neither too little nor too much, with room between black and white.

Luminance is linear light (ISO/IEC 29794-5, 7.3: Rec. 709 weights of linearised sRGB), here 0..1 where the standard has
0..255. Nothing here compares a face with a mean skin: what is looked for is what light does to every face, clipped
whites, highlights that are missing, two sides that differ, pupils that are not black. So the tone of the skin has no
say; benchmarks/id_photo/photometric_limits.toml gives the figures by group.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .background import measure_background
from .colour import natural_colour, red_eye
from .compression import compression, noise
from .measure import Measure
from .sharpness import inter_eye_distance, resolution, sharpness

if TYPE_CHECKING:
    from .portrait import Portrait

CLIPPED = 247 / 255
"""Luminance from which a pixel is over-exposed: ISO/IEC 29794-5, 247 of 255."""

HIGHLIGHT = 0.99
"""The share of the face that is darker than its highlights: shine on the skin, eye whites, teeth."""

SHADOW = 0.01
"""The share that is darker than its shadows: pupils, lashes, nostrils."""

FLARE = 0.002
"""Luminance added to both ends of the dynamic range: half a step of eight-bit sRGB in the dark, so that noise in the
black does not count as range."""


def measure_light(portrait: Portrait, allowed: Sequence[str] = ()) -> list[Measure]:
    """Every photometric measure of `portrait`, in the order of a report.

    `allowed` are the background colours that the document allows, ``#rrggbb`` or names; without any,
    `background_colour` has no value.
    """
    return [
        illumination_uniformity(portrait),
        luminance_mean(portrait),
        luminance_variance(portrait),
        under_exposure(portrait),
        over_exposure(portrait),
        dynamic_range(portrait),
        natural_colour(portrait),
        red_eye(portrait),
        inter_eye_distance(portrait),
        sharpness(portrait),
        resolution(portrait),
        compression(portrait),
        noise(portrait),
        *measure_background(portrait, allowed),
    ]


def illumination_uniformity(portrait: Portrait) -> Measure:
    """The darker cheek's mean luminance divided by the lighter one's, 0..1; 1 is even light.

    The zones are those of ISO/IEC 29794-5. The standard intersects the histograms of both; that depends on how many
    of 256 steps a skin's luminance fills, and falls with grain and shine. A ratio is the same for every skin, and half
    means one stop.
    """
    face = portrait.aligned
    left, right = (float(face.luminance[zone].mean()) for zone in face.cheeks)
    value = (min(left, right) + FLARE) / (max(left, right) + FLARE)
    side = "right" if left > right else "left"
    detail = f"The {side} cheek, as seen in the photo, gets {100 * value:.0f} % of the other one's light."
    return Measure("illumination_uniformity", value, detail=detail, source="ISO/IEC 29794-5 zones; ratio of means")


def luminance_mean(portrait: Portrait) -> Measure:
    """The face's mean luminance, 0..1 (ISO/IEC 29794-5). It depends on the skin's tone: information only."""
    value = float(portrait.aligned.tones.mean())
    return Measure("luminance_mean", value, detail="Depends on the skin's tone.", source="ISO/IEC 29794-5, OFIQ")


def luminance_variance(portrait: Portrait) -> Measure:
    """The variance of the face's luminance in 0..1 (ISO/IEC 29794-5). It grows with the skin's lightness."""
    value = float(portrait.aligned.tones.var())
    return Measure("luminance_variance", value, detail="Depends on the skin's tone.", source="ISO/IEC 29794-5, OFIQ")


def under_exposure(portrait: Portrait) -> Measure:
    """How far the face's highlights lie below white, in stops of light (>= 0).

    Shine, eye whites and teeth are bright in every face that gets enough light; the highlights are the 99th percentile
    of its luminance. The standard counts pixels of 25 of 255 or darker instead: well exposed dark skin has many.
    """
    highlights = _percentile(portrait, HIGHLIGHT)
    value = -math.log2(min(1.0, highlights + FLARE))
    detail = f"The brightest spots of the face have {100 * highlights:.0f} % of white's light."
    return Measure("under_exposure", value, "stops", detail=detail, source="own; ISO/IEC 29794-5 counts dark pixels")


def over_exposure(portrait: Portrait) -> Measure:
    """The share of the face, 0..1, whose luminance is 247 of 255 or more: burnt out (ISO/IEC 29794-5).

    The standard leaves out what covers the face, by a segmentation network; here glasses and hair in the face count.
    """
    value = float((portrait.aligned.tones >= CLIPPED).mean())
    return Measure("over_exposure", value, detail=f"{100 * value:.1f} % of the face is white.", source="OFIQ")


def dynamic_range(portrait: Portrait) -> Measure:
    """From the face's shadows to its highlights, in stops: between the 1st and the 99th percentile of its luminance.

    Pupils and lashes are black and eye whites bright in every face; through haze or a flat filter they are not. The
    standard takes the entropy of the luminance histogram, which is lower for dark skin in the same light.
    """
    low, high = (_percentile(portrait, share) + FLARE for share in (SHADOW, HIGHLIGHT))
    value = math.log2(high / low)
    return Measure("dynamic_range", value, "stops", source="own; ISO/IEC 29794-5 takes the histogram's entropy")


def _percentile(portrait: Portrait, share: float) -> float:
    """The luminance that this share of the face is darker than."""
    tones = portrait.aligned.tones
    return float(tones[int(share * (len(tones) - 1))])
