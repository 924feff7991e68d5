"""The light on a face and the colours of life: even light, exposure, dynamic range, white balance, red-eye.

Luminance is linear light (ISO/IEC 29794-5, 7.3: Rec. 709 weights of linearised sRGB), here 0..1 where the standard has
0..255. Nothing here compares a face with a mean skin: what is looked for is what light does to every face, clipped
whites, highlights that are missing, two sides that differ, pupils that are not black. So the tone of the skin has no
say; benchmarks/id_photo/photometric_limits.toml gives the figures by group.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..imaging.colour import to_display, to_lab, to_linear
from ..imaging.filters import shrink
from .aligned_face import SIDE
from .background import measure_background
from .checks import Measure
from .sharpness import compression, inter_eye_distance, noise, resolution, sharpness

if TYPE_CHECKING:
    from .aligned_face import AlignedFace, Portrait

SKIN_A, SKIN_B = (3.0, 34.0), (4.0, 42.0)
"""CIELAB a* and b* of natural skin. ISO/IEC 29794-5, as OFIQ has it, takes 5 to 25 and 5 to 35 (for D50); of official
portraits a quarter have more a*, and in press photos twice as many people of African descent as others more b*."""

SKIN_HUE = (24.0, 74.0)
"""CIELAB hue angles of natural skin, in degrees, from rosy to yellow. Hue hardly depends on how dark a skin is."""

WHITE_A, WHITE_B = (0.0, 20.0), (-4.0, 20.0)
"""CIELAB a* and b* of the whites of eyes between lids, as portraits show them. Veins make them red, age and melanin
yellow: with 14 instead of 20, portraits of African Americans failed more often than others."""

WHITE_PIXELS = 80
"""Fewer aligned pixels than this between iris and lids are not asked: narrow eyes are no colour cast."""

WHITE_SCALE = 2.0
"""Nor are the eyes of a face that had to be enlarged more than this: the lids' colour has run into their white."""

GREY = 3.0
"""CIELAB chroma of the cheeks below which the photo is black and white: skin has 10 to 35."""

NO_COLOUR = "The photo is black and white."

ONE_TONE = 3.6
"""Spread of a* and b* among pixels of one lightness, round the face, below which all colours are one tone, as in sepia.
Of 260 colour photos the least has 4.4; of 80 made sepia by the usual matrix and saved again 95 % stay below 3.3, tinted
greys below 2.2."""

ENOUGH = 0.5
"""Light of the highlights of a face that is not too dark."""

TONED = "The photo has one tone only, such as sepia."

PUPIL = 0.45
"""The pupil's largest radius in radii of the iris: flash is fired in dim light."""

RED = 30.0
"""CIELAB a* from which a pupil's pixel shines red. Brown eyes stay below 20, a flash's reflection has 40 and more."""


def natural_colour(portrait: Portrait) -> Measure:
    """How far the colours of cheeks and eye whites lie outside natural ones, in CIELAB units (>= 0; 0 is natural).

    ISO/IEC 29794-5 and OFIQ ask whether the cheeks' mean lies within a box of a* and b*. Here the box is wider, so that
    it holds skins of every tone, and warm skin in blue or green light stays in it; so the hue of the cheeks counts too,
    and the whites of the eyes, which tell the light's colour whatever the skin. OFIQ takes CIELAB for D50, calls every
    negative a* or b* 100, and lets a grey photo pass; here it is D65, the white of sRGB, and plain distance. The colour
    of a toned photo is none of the skin's, so that its cheeks' chroma is the distance.
    """
    face = portrait.aligned
    cheeks = torch.cat([face.image[zone].reshape(-1, 3) for zone in face.cheeks])
    _, a, b = (float(value) for value in to_lab(cheeks.mean(0)))
    value = max(_outside(a, b, SKIN_A, SKIN_B), _beside(a, b))
    detail = f"The cheeks have a* {a:.0f} and b* {b:.0f}"
    eyes = eye_white(face)
    if eyes is not None:
        _, white_a, white_b = to_lab(eyes).tolist()
        value += _outside(white_a, white_b, WHITE_A, WHITE_B)
        detail += f", the whites of the eyes {white_a:.0f} and {white_b:.0f}"
    if math.hypot(a, b) < GREY:
        detail = f"{NO_COLOUR} {detail}"
    elif _spread_of_colour(face) < ONE_TONE:
        value = max(value, math.hypot(a, b))
        detail = f"{TONED} {detail}"
    source = "ISO/IEC 29794-5, OFIQ; hue and eye whites added"
    return Measure("natural_colour", value, "CIELAB", detail=f"{detail}.", source=source)


def _spread_of_colour(face: AlignedFace) -> float:
    """The standard deviation of a* and b* among pixels of one lightness, in CIELAB units, of the face and round it.

    As if the light were enough: in the dark all colours lie near to each other.
    """
    linear = to_linear(face.image[150:510:3, 128:488:3].reshape(-1, 3))
    light = float(torch.quantile(linear.mean(1), HIGHLIGHT))
    lab = to_lab(to_display((linear * max(1.0, ENOUGH / max(light, FLARE))).clamp(0, 1))).numpy()
    lightness = np.clip(lab[:, 0] / 5, 0, 19).astype(int)
    count = np.maximum(np.bincount(lightness, minlength=20), 1)
    means = [np.bincount(lightness, lab[:, axis], 20) / count for axis in (1, 2)]
    squares = [float(((lab[:, axis] - mean[lightness]) ** 2).mean()) for axis, mean in zip((1, 2), means, strict=True)]
    return math.sqrt(sum(squares))


def _outside(a: float, b: float, wide: tuple[float, float], high: tuple[float, float]) -> float:
    """The distance of a colour from a box of a* and b*."""
    return math.hypot(max(wide[0] - a, 0.0, a - wide[1]), max(high[0] - b, 0.0, b - high[1]))


def _beside(a: float, b: float) -> float:
    """How far a colour lies beside the wedge of skin's hues."""
    rosy, yellow = (math.radians(angle) for angle in SKIN_HUE)
    return max(0.0, a * math.sin(rosy) - b * math.cos(rosy), b * math.cos(yellow) - a * math.sin(yellow))


def eye_white(face: AlignedFace) -> torch.Tensor | None:
    """The mean colour [3] of the lighter two fifths of what lies between the lids beside the irises, display values.

    None where the eyes are too small or too narrow to be asked.
    """
    if face.scale > WHITE_SCALE:
        return None
    left, top = (int(min(lids[:, axis].min() for lids in face.lids)) for axis in (0, 1))
    right, bottom = (int(max(lids[:, axis].max() for lids in face.lids)) + 2 for axis in (0, 1))
    band = slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))
    opening = shrink(face.eye_opening[band].float()[None, None], 1)[0, 0] > 0
    rows, columns = np.arange(band[0].start, SIDE)[: opening.shape[0], None], np.arange(band[1].start, SIDE)
    columns = columns[: opening.shape[1]]
    for x, y, radius in face.irises:
        opening &= torch.from_numpy(np.hypot(columns - x, rows - y) > 1.2 * radius)
    colours = face.image[band][opening]
    if len(colours) < WHITE_PIXELS:
        return None
    lightness = to_lab(colours)[:, 0]
    return colours[lightness >= torch.quantile(lightness, 0.6)].mean(0)


def red_eye(portrait: Portrait) -> Measure:
    """The share of the redder pupil, 0..1, that shines red from a flash. No standard defines it."""
    face = portrait.aligned
    shares = [_red_share(face, circle) for circle in face.irises]
    known = [share for share in shares if share is not None]
    if not known:
        return Measure("red_eye", None, detail="The pupils are not seen: the eyes are shut.", source="own")
    return Measure("red_eye", max(known), source="own")


def _red_share(face: AlignedFace, circle: tuple[float, float, float]) -> float | None:
    x, y, radius = circle
    reach = PUPIL * radius
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    size = 2 * int(reach) + 3
    columns, rows = np.arange(left, left + size), np.arange(top, top + size)[:, None]
    square = slice(top, top + size), slice(left, left + size)
    opening = face.eye_opening[square]
    disc = torch.from_numpy(np.hypot(columns - x, rows - y) <= reach)[: opening.shape[0], : opening.shape[1]] & opening
    if int(disc.sum()) < 8:
        return None
    return float((to_lab(face.image[square][disc])[:, 1] > RED).float().mean())


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
