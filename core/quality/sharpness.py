"""How much detail a face has, and what saving and sensors did to it: focus, shake, enlargement, JPEG blocks, grain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from ..faces.face import Face, align
from ..faces.mesh import EYE_CORNERS
from ..imaging.colour import luminance, plane_luminance, to_lab
from .aligned_face import EYE_DISTANCE
from .checks import Measure

if TYPE_CHECKING:
    from PIL import Image

    from .aligned_face import Portrait

FINE, BROAD = 1.0, 2.0
"""Standard deviations of the two blurs, in pixels: edges are found after the first, and blurred again by the second."""

STRONGEST = 0.05
"""The share of strongest edges that is looked at, of each direction."""

SHARPEST = 0.25
"""Of these, the blur of this percentile counts: a face has soft edges as well."""

DIRECTIONS = 4
"""Edges are sorted by direction, 45 degrees each: a shaken photo keeps the edges along its motion."""

FEWEST = 200
"""A direction with fewer pixels than this is left out."""

FLOOR = 0.5
"""Blur of a pixel itself, as a standard deviation in pixels: sharper than this no picture is."""

FWHM = 2.355
"""Full width at half maximum of a Gaussian, in standard deviations."""

CLOSE_UP, LARGEST = 0.9, 240
"""Side of the square round each eye in which resolution is measured: in eye distances, and at most in pixels."""

SMALLEST = 8
"""A square with fewer pixels along a side shows nothing."""

ONE_PIXEL = 0.6
"""Blur, as a standard deviation in pixels, up to which a photo fills its pixels: lens and sensor of a good one."""

EVEN = 0.8
"""How evenly the steps between neighbouring pixels are spread over a photo's columns and rows, at least."""


def inter_eye_distance(portrait: Portrait) -> Measure:
    """Between the eye centres in the photo's pixels, as if seen from the front.

    ISO/IEC 29794-5 divides by the cosine of the yaw; here the mesh's depth makes up for it.
    """
    left, right = (portrait.mesh.points[list(pair)].astype(np.float64).mean(0) for pair in EYE_CORNERS)
    value = max(portrait.mesh.eye_distance, float(np.linalg.norm(right - left)))
    detail = f"There are {value:.0f} pixels between the eyes; ICAO asks for 90."
    return Measure("inter_eye_distance", value, "px", detail=detail, source="ISO/IEC 29794-5, OFIQ (its middle is 70)")


def sharpness(portrait: Portrait) -> Measure:
    """How many points fit between the eyes before they run into each other (higher is sharper; a good photo has 45).

    Measured on the aligned face, so that photos of every size compare: the blur of the sharpest edges between brows and
    chin, from how much a second blur changes them (Zhuo and Sim, Defocus map estimation from a single image, 2011),
    root mean square over directions. The ratio does not depend on contrast, so neither on the skin. OFIQ puts means and
    deviations of Laplacians, Sobel and mean differences through a random forest trained on labelled blur.
    """
    face = portrait.aligned
    luma = luminance(face.image[face.box])
    blurs = edge_blur(luma, (face.region | face.eye_opening)[face.box])
    if not blurs:
        return Measure("sharpness", None, detail="The face shows no edges.", source="own")
    blur = math.sqrt(float(np.mean(np.square(blurs))) + FLOOR**2)
    detail = f"Edges are {100 * FWHM * blur / EYE_DISTANCE:.1f} % of the eye distance wide."
    source = "own, after Zhuo and Sim 2011; OFIQ uses a random forest"
    return Measure("sharpness", EYE_DISTANCE / (FWHM * blur), "points", detail=detail, source=source)


def resolution(portrait: Portrait) -> Measure:
    """Pixels between the eyes that the photo's detail really fills (> 0, at most `inter_eye_distance`).

    An enlarged photo has more pixels than detail: its edges spread over several of them, or its pixels come in equal
    blocks. Measured on the photo's own pixels. No standard defines it.
    """
    distance = portrait.mesh.eye_distance
    eyes = [luma for eye in portrait.mesh.eyes if min((luma := _close_up(portrait, eye.centre)).shape) >= SMALLEST]
    if not eyes:
        return Measure("resolution", None, detail="The eyes are too small or not in the picture.", source="own")
    blurs = [blur for luma in eyes for blur in edge_blur(luma, torch.ones_like(luma, dtype=torch.bool))]
    blur = float(np.median(blurs)) if blurs else 0.0
    spread = ONE_PIXEL / max(blur, ONE_PIXEL)
    evenness = [_evenness(side) for luma in eyes for side in (luma, luma.T)]
    blocks = min(1.0, float(np.median(evenness)) / EVEN)
    value = distance * min(spread, blocks)
    detail = f"Of the {distance:.0f} pixels between the eyes, {value:.0f} show detail of their own."
    return Measure("resolution", value, "px", detail=detail, source="own")


def edge_blur(luma: torch.Tensor, mask: torch.Tensor) -> list[float]:
    """The blur of the sharpest strong edges of [H,W] within `mask`, a standard deviation in pixels for each direction.

    An edge of blur s that is blurred again by t falls to s / sqrt(s² + t²) of its steepness.
    """
    fine = _blurred(luma, FINE)
    broad = _blurred(fine, BROAD)
    across, down = _slopes(fine)
    steep = torch.hypot(across, down)
    again, again_down = _slopes(broad)
    left = (again * across + again_down * down) / steep.clamp_min(1e-6)
    angle = torch.atan2(down, across) % math.pi
    sector = (angle / math.pi * DIRECTIONS).round().long() % DIRECTIONS
    found = []
    for direction in range(DIRECTIONS):
        chosen = mask & (sector == direction)
        if int(chosen.sum()) < FEWEST:
            continue
        edges = steep[chosen]
        strong = edges >= torch.quantile(edges[:: max(1, len(edges) // 100_000)], 1 - STRONGEST)
        ratio = edges[strong] / left[chosen][strong].clamp_min(1e-6)
        variance = BROAD**2 / (ratio.square() - 1).clamp_min(1e-3) - FINE**2
        found.append(math.sqrt(max(0.0, float(torch.quantile(variance[:100_000], SHARPEST)))))
    return found


def _close_up(portrait: Portrait, centre: np.ndarray) -> torch.Tensor:
    """An eye and its brow in the photo's own pixels, [H,W]; only their middle where they are very large."""
    half = min(CLOSE_UP * portrait.mesh.eye_distance, LARGEST) / 2
    (x0, y0), (x1, y1) = (np.maximum(np.round(place), 0).astype(int) for place in (centre - half, centre + half))
    return luminance(portrait.photo[y0:y1, x0:x1].detach().cpu().float())


def _evenness(luma: torch.Tensor) -> float:
    """How evenly the steps between columns are spread, 0..1: 1 / n when only every n-th column differs."""
    steps = (luma[:, 1:] - luma[:, :-1]).abs().mean(0)
    return float(steps.sum() ** 2 / (steps.square().sum() * len(steps)).clamp_min(1e-12))


def _slopes(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    across, down = torch.zeros_like(picture), torch.zeros_like(picture)
    across[:, 1:-1] = (picture[:, 2:] - picture[:, :-2]) / 2
    down[1:-1] = (picture[2:] - picture[:-2]) / 2
    return across, down


def _blurred(picture: torch.Tensor, sigma: float) -> torch.Tensor:
    reach = math.ceil(3 * sigma)
    kernel = torch.exp(-torch.arange(-reach, reach + 1).float().square() / (2 * sigma**2))
    kernel /= kernel.sum()
    padded = F.pad(picture[None, None], (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel[None, None, None]), kernel[None, None, :, None])[0, 0]


BLOCK = 8
"""Side of JPEG's blocks, in pixels."""

AROUND, LARGEST_CROP = 1.4, 1024
"""The crop in which blocks are looked for: in sizes of the mesh, and at most in pixels. Faces have about the same
texture in every photo; before a blurred background even faint blocks would stand out."""

SMALLEST_CROP = 64
"""A crop smaller than this has too few blocks to tell."""

EDGE = 8 / 255
"""Steps above this are edges of the picture, not of blocks, and count as much as this."""

TILE = 7
"""Side of the tiles in which grain is measured, in aligned pixels; the quietest fifth of them counts."""

JPEG_LUMA = (0.299, 0.587, 0.114)
"""JPEG's own weights (Rec. 601, ITU-T T.871)."""

_LUMINANCE_SUM = 3688
"""Sum of the luminance table of ITU-T T.81, annex K, which libjpeg scales by its quality."""


def compression(portrait: Portrait) -> Measure:
    """How much steps between JPEG's blocks stand out from the steps inside them (0: not at all; 1: twice as high).

    Looked for in the face, in the photo's own pixels, whatever corner the blocks start at. A picture that was
    resized after it was compressed no longer has blocks of eight pixels, and is not found out. OFIQ asks a network
    trained on the structural similarity with the uncompressed picture.
    """
    luma = _crop(portrait)
    source = "own, blockiness; OFIQ uses a network"
    if min(luma.shape) < SMALLEST_CROP:
        return Measure("compression", None, detail="The photo is too small to tell.", source=source)
    value = (_blockiness(luma) + _blockiness(luma.T)) / 2
    value = max(0.0, value)
    detail = f"Steps between JPEG's blocks are {100 * value:.0f} % higher than steps inside them."
    return Measure("compression", value, detail=detail, source=source)


def _crop(portrait: Portrait) -> torch.Tensor:
    points = portrait.mesh.points[:, :2].astype(np.float64)
    low, high = points.min(0), points.max(0)
    half = np.minimum((high - low) * AROUND, LARGEST_CROP) / 2
    (x0, y0), (x1, y1) = (np.maximum(np.round((low + high) / 2 + side * half), 0).astype(int) for side in (-1, 1))
    return portrait.photo[y0:y1, x0:x1].detach().cpu().float() @ torch.tensor(JPEG_LUMA)


def _blockiness(luma: torch.Tensor) -> float:
    """For columns: the excess of the strongest of eight phases over the others, in mean steps."""
    steps = (luma[:, 1:] - luma[:, :-1]).abs()
    excess = (steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2).clamp(-EDGE, EDGE).mean(0)
    usual = float(steps.clamp(max=2.5 * EDGE).mean())
    whole = len(excess) // BLOCK * BLOCK
    phases = excess[:whole].reshape(-1, BLOCK).mean(0)
    others = phases.sort().values[:-1].median()
    return float(phases.max() - others) / max(usual, 1 / 2550)


def saved_quality(picture: Image.Image) -> float | None:
    """The quality that a JPEG file's quantisation table stands for, 1..100 on libjpeg's scale; None for other files.

    Only what the last saving did: the pixels may have seen worse before.
    """
    tables = getattr(picture, "quantization", None)
    if not tables:
        return None
    scale = 100 * sum(tables[0]) / _LUMINANCE_SUM
    return float(np.clip((200 - scale) / 2 if scale <= 100 else 5000 / scale, 1, 100))


def noise(portrait: Portrait) -> Measure:
    """Grain on the smoothest parts of the face, as a standard deviation of L* (0..100) in the aligned picture.

    From the quietest fifth of small tiles, after a plane is taken out of each. Skin texture is part of it.
    """
    face = portrait.aligned
    lightness = to_lab(face.image[face.box])[..., 0]
    tiles, inside = (
        plane.unfold(0, TILE, TILE).unfold(1, TILE, TILE).reshape(-1, TILE * TILE)
        for plane in (lightness, face.region[face.box])
    )
    tiles = tiles[inside.all(-1)]
    if len(tiles) < 20:
        return Measure("noise", None, detail="The face is not in the picture.", source="own")
    place = torch.arange(TILE, dtype=torch.float32) - TILE // 2
    basis = torch.stack([torch.ones(TILE * TILE), place.repeat(TILE), place.repeat_interleave(TILE)])
    basis = basis / basis.norm(dim=1, keepdim=True)
    rest = tiles - (tiles @ basis.T) @ basis
    deviation = (rest.square().sum(-1) / (TILE * TILE - 3)).sqrt()
    return Measure("noise", float(torch.quantile(deviation, 0.2)), "L*", source="own")


GOOD_LUMA = 0.5
"""Mean luma of a well exposed face crop in display values; the score falls to 0 at black and at white."""


def face_quality(image: torch.Tensor, face: Face) -> tuple[float, float]:
    """Sharpness (>= 0, higher is sharper) and exposure (0..1, 1 is best) of a face in [H,W,3].

    Sharpness is the variance of the Laplacian of the aligned face at 224 pixels, so that faces of different sizes
    compare (Pech-Pacheco et al. 2000). Exposure is 1 - |mean luma - 0.5| / 0.5, less the clipped fraction.
    """
    crop = align(image, face.landmarks, size=224)
    luma = plane_luminance(crop)
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], device=luma.device)[None, None]
    sharpness = float(F.conv2d(luma[None, None], kernel).var())
    clipped = float(((luma < 0.01) | (luma > 0.99)).float().mean())
    exposure = 1 - abs(float(luma.mean()) - GOOD_LUMA) / GOOD_LUMA - clipped
    return sharpness, max(0.0, exposure)
