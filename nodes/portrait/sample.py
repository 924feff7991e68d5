"""Cuts a turned frame out of a photo in one resampling, without aliasing when it shrinks."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from .frame import Cut
from .tensors import resize


def sample(tensor: torch.Tensor, cut: Cut, height: int, width: int, outside: str = "border") -> torch.Tensor:
    """The frame `cut` of [1,C,H,W] as [1,C,height,width], by bicubic interpolation.

    `outside`: ``border`` repeats the photo's edge, ``zeros`` gives 0. A frame with more pixels than are asked for is
    first shrunk with antialiasing.
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
    return F.grid_sample(tensor, grid, mode="bicubic", padding_mode=outside, align_corners=False).clamp_(0, 1)


def made_up(cut: Cut, height: int, width: int, photo_height: int, photo_width: int) -> int:
    """How many of the frame's height x width pixels lie outside the photo."""
    xs = cut.x + ((np.arange(width) + 0.5) / width - 0.5) * cut.width
    ys = cut.y + ((np.arange(height) + 0.5) / height - 0.5) * cut.height
    turn = cut.to_photo(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    step_x, step_y = turn[1] - turn[0], turn[2] - turn[0]
    x = turn[0][0] + xs[None, :] * step_x[0] + ys[:, None] * step_y[0]
    y = turn[0][1] + xs[None, :] * step_x[1] + ys[:, None] * step_y[1]
    return int(((x < 0) | (y < 0) | (x > photo_width) | (y > photo_height)).sum())
