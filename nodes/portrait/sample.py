"""Cuts a turned frame out of a photo in one resampling, without aliasing when it shrinks."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from .frame import Cut
from .tensors import resize


def sample(tensor: torch.Tensor, cut: Cut, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The frame `cut` of [1,C,H,W] as [1,C,height,width], by bicubic interpolation, and where it lies in the photo.

    The second result is [1,1,height,width], 1 inside the photo and 0 outside, where the photo's edge is repeated.
    A frame with more pixels than are asked for is first shrunk with antialiasing.
    """
    source_height, source_width = tensor.shape[-2:]
    ratio = max(cut.height / height, 1.0)
    if ratio > 1:
        tensor = resize(tensor, max(2, round(source_height / ratio)), max(2, round(source_width / ratio)))
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]) * [cut.width / 2, cut.height / 2] + [cut.x, cut.y]
    spots = cut.to_photo(corners) / [source_width, source_height] * 2 - 1
    across, down = (spots[1] - spots[0]) / 2, (spots[2] - spots[0]) / 2
    centre = spots[0] + across + down
    matrix = torch.tensor(np.stack([across, down, centre], 1), dtype=torch.float32, device=tensor.device)
    grid = F.affine_grid(matrix[None], [1, 1, height, width], align_corners=False)
    result = _on_all_cores(tensor, grid)
    known = (grid.abs().amax(-1) <= 1).to(tensor.dtype)
    return result.clamp_(0, 1), known[:, None]


def _on_all_cores(tensor: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Bicubic grid_sample of one picture. torch shares out pictures, not rows: so strips of rows go as a batch."""
    height, width = grid.shape[1:3]
    strips = next(count for count in range(torch.get_num_threads(), 0, -1) if height % count == 0)
    strip_grid = grid.reshape(strips, height // strips, width, 2)
    strip_input = tensor.expand(strips, -1, -1, -1)
    result = F.grid_sample(strip_input, strip_grid, mode="bicubic", padding_mode="border", align_corners=False)
    return result.transpose(0, 1).reshape(1, tensor.shape[1], height, width)
