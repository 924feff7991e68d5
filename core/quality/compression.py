"""What saving and sensors do to pixels: JPEG's blocks, its quantisation tables, grain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ..imaging.colour import to_lab
from .measure import Measure

if TYPE_CHECKING:
    from PIL import Image

    from .portrait import Portrait

BLOCK = 8
"""Side of JPEG's blocks, in pixels."""

AROUND, LARGEST = 1.4, 1024
"""The crop in which blocks are looked for: in sizes of the mesh, and at most in pixels. Faces have about the same
texture in every photo; before a blurred background even faint blocks would stand out."""

SMALLEST = 64
"""A crop smaller than this has too few blocks to tell."""

EDGE = 8 / 255
"""Steps above this are edges of the picture, not of blocks, and count as much as this."""

TILE = 7
"""Side of the tiles in which grain is measured, in aligned pixels; the quietest fifth of them counts."""

LUMA = (0.299, 0.587, 0.114)
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
    if min(luma.shape) < SMALLEST:
        return Measure("compression", None, detail="The photo is too small to tell.", source=source)
    value = (_blockiness(luma) + _blockiness(luma.T)) / 2
    value = max(0.0, value)
    detail = f"Steps between JPEG's blocks are {100 * value:.0f} % higher than steps inside them."
    return Measure("compression", value, detail=detail, source=source)


def _crop(portrait: Portrait) -> torch.Tensor:
    points = portrait.mesh.points[:, :2].astype(np.float64)
    low, high = points.min(0), points.max(0)
    half = np.minimum((high - low) * AROUND, LARGEST) / 2
    (x0, y0), (x1, y1) = (np.maximum(np.round((low + high) / 2 + side * half), 0).astype(int) for side in (-1, 1))
    return portrait.photo[y0:y1, x0:x1].detach().cpu().float() @ torch.tensor(LUMA)


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
