"""How sharp and how well exposed a face is: what ranks pictures that are equally like the person."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..faces.face import Face, align

LUMA = (0.2126, 0.7152, 0.0722)
"""Rec. 709 luma weights."""

GOOD_LUMA = 0.5
"""Mean luma of a well exposed face crop in display values; the score falls to 0 at black and at white."""


def face_quality(image: torch.Tensor, face: Face) -> tuple[float, float]:
    """Sharpness (>= 0, higher is sharper) and exposure (0..1, 1 is best) of a face in [H,W,3].

    Sharpness is the variance of the Laplacian of the aligned face at 224 pixels, so that faces of different sizes
    compare (Pech-Pacheco et al. 2000). Exposure is 1 - |mean luma - 0.5| / 0.5, less the clipped fraction.
    """
    crop = align(image, face.landmarks, size=224)
    luma = (crop * torch.tensor(LUMA, device=crop.device)[:, None, None]).sum(0)
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], device=luma.device)[None, None]
    sharpness = float(F.conv2d(luma[None, None], kernel).var())
    clipped = float(((luma < 0.01) | (luma > 0.99)).float().mean())
    exposure = 1 - abs(float(luma.mean()) - GOOD_LUMA) / GOOD_LUMA - clipped
    return sharpness, max(0.0, exposure)
