"""The guided filter where single precision is not enough: flat areas, whose covariance is all rounding."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from likeness_studio.core.imaging import guided_filter

DEMO = Path(__file__).parents[3] / "runner" / "demo.jpg"


def photo(side: int) -> torch.Tensor:
    """The demo photo at another size, [1,3,H,W]."""
    buffer = io.BytesIO()
    with Image.open(DEMO) as picture:
        picture.resize((side, side)).save(buffer, "JPEG", quality=92)
    with Image.open(buffer) as again:
        return torch.from_numpy(np.array(again).astype(np.float32) / 255.0).permute(2, 0, 1)[None]


def disc(side: int) -> torch.Tensor:
    """A mask with a sharp edge, [1,1,H,W]."""
    row = torch.linspace(-1, 1, side)
    return ((row[:, None] ** 2 + row**2) < 0.5).float()[None, None]


@pytest.mark.parametrize("side", [436, 494, 512])
@pytest.mark.parametrize("epsilon", [1e-6, 1e-5])
def test_a_photo_with_flat_areas_gives_finite_numbers(side, epsilon):
    result = guided_filter(photo(side), disc(side), 8, epsilon)
    assert result.isfinite().all()
    assert -0.5 < float(result.min()) <= float(result.max()) < 1.5


@pytest.mark.parametrize("colour", [0.0, 0.1, 0.83, 1.0])
def test_in_a_flat_picture_the_mask_is_only_averaged(colour):
    mask = disc(64)
    result = guided_filter(torch.full((1, 3, 64, 64), colour), mask, 4, 1e-6)
    assert result.isfinite().all()
    assert float(result.mean()) == pytest.approx(float(mask.mean()), abs=0.01)
