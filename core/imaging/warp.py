"""Moves points and pictures: similarity transforms, turned frames, block means; without aliasing when it shrinks.

`warp` and `sample` are for pictures that people see (bicubic, the edge repeated). `faces.face.align` cuts what
recognisers were trained on (bilinear, black outside), and `quality.aligned_face.cut` what measures are defined on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F

from .tensors import resize

Similarity = tuple[complex, complex]
"""(a, b) of w = a z + b, which takes pixel z = x + iy of one picture to pixel w of another."""


def similarity(source: np.ndarray, target: np.ndarray) -> Similarity:
    """The least-squares turn, scale and shift that takes points `source` [N,2] to `target` [N,2].

    Returns (a, b) of w = a z + b with points as complex numbers x + iy: |a| is the scale and arg a the turn. The
    closed form a = <z, w> / <z, z> about the means equals Umeyama's (1991) solution without reflection.
    """
    z, w = (np.ascontiguousarray(points, np.float64).view(np.complex128)[:, 0] for points in (source, target))
    z_mean, w_mean = z.mean(), w.mean()
    centred = z - z_mean
    a = complex(np.vdot(centred, w) / np.vdot(centred, centred))
    return a, complex(w_mean - a * z_mean)


def inverse(transform: Similarity) -> Similarity:
    """The transform back."""
    a, b = transform
    return 1 / a, -b / a


def move_points(points: np.ndarray, transform: Similarity) -> np.ndarray:
    """Points [N,2] under a transform."""
    a, b = transform
    moved = a * (points[:, 0] + 1j * points[:, 1]) + b
    return np.stack([moved.real, moved.imag], -1)


def source_places(transform: Similarity, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """For each pixel [height,width] of the target, the x and the y in the source that the transform takes to it."""
    a, b = inverse(transform)
    x = torch.arange(width, dtype=torch.float64)[None]
    y = torch.arange(height, dtype=torch.float64)[:, None]
    return a.real * x - a.imag * y + b.real, a.imag * x + a.real * y + b.imag


def warp(tensor: torch.Tensor, transform: Similarity, height: int, width: int) -> torch.Tensor:
    """[1,C,H,W] moved by `transform` onto [1,C,height,width]; beyond the border its edge is repeated.

    The identity returns the same values, exactly. What shrinks is first averaged down with antialiasing.
    """
    scale = abs(transform[0])
    if transform == (1, 0) and tensor.shape[-2:] == (height, width):
        return tensor
    source_height, source_width = tensor.shape[-2:]
    if scale < 1:
        tensor = resize(tensor, max(1, round(source_height * scale)), max(1, round(source_width * scale)))
    across, down = source_places(transform, height, width)
    grid = torch.stack([(2 * across + 1) / source_width - 1, (2 * down + 1) / source_height - 1], -1)
    grid = grid.to(tensor.device, tensor.dtype)[None]
    return F.grid_sample(tensor, grid, mode="bicubic", padding_mode="border", align_corners=False).clamp_(0, 1)


def sample(tensor: torch.Tensor, cut: Cut, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The frame `cut` of [1,C,H,W] as [1,C,height,width], by bicubic interpolation, and where it lies in the photo.

    The second result is [1,1,height,width], 1 inside the photo and 0 outside, where the photo's edge is repeated.
    A frame with more pixels than are asked for is first shrunk with antialiasing.
    """
    tensor, cut = _crop(tensor, cut)
    source_height, source_width = tensor.shape[-2:]
    ratio = max(cut.height / height, 1.0)
    if ratio > 1:
        tensor = resize(tensor, max(2, round(source_height / ratio)), max(2, round(source_width / ratio)))
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]) * [cut.width / 2, cut.height / 2] + [cut.x, cut.y]
    spots = cut.to_photo(corners) / [source_width, source_height] * 2 - 1
    across, down = (spots[1] - spots[0]) / width, (spots[2] - spots[0]) / height
    start = spots[0] + (across + down) / 2
    columns, rows = (torch.arange(count, device=tensor.device, dtype=torch.float32) for count in (width, height))
    grid = torch.empty(1, height, width, 2, device=tensor.device)
    for axis in (0, 1):
        torch.add(start[axis] + across[axis] * columns, (down[axis] * rows)[:, None], out=grid[0, ..., axis])
    result = _on_all_cores(tensor, grid)
    return result.clamp_(0, 1), _inside(grid).to(tensor.dtype)[:, None]


def _inside(grid: torch.Tensor) -> torch.Tensor:
    """Which places of an even grid [1,H,W,2] lie within -1..1: all, when its four corners do."""
    if bool((grid[:, :: max(1, grid.shape[1] - 1), :: max(1, grid.shape[2] - 1)].abs() <= 1).all()):
        return torch.ones(grid.shape[:3], dtype=torch.bool, device=grid.device)
    return (grid.abs() <= 1).all(-1)


def _crop(tensor: torch.Tensor, cut: Cut) -> tuple[torch.Tensor, Cut]:
    """Leave away what lies far from a frame well inside the photo: shrinking it as well would take time."""
    height, width = tensor.shape[-2:]
    middle = cut.to_photo(np.array([[cut.x, cut.y]]))[0]
    reach = 0.75 * np.hypot(cut.width, cut.height)
    left, top = (max(0, int(low)) for low in middle - reach)
    right, bottom = (min(size, int(high)) for size, high in zip((width, height), middle + reach, strict=True))
    inside = (
        middle[0] - reach > 0 and middle[1] - reach > 0 and middle[0] + reach < width and middle[1] + reach < height
    )
    if not inside:
        return tensor, cut
    pivot = np.array(cut.pivot)
    x, y = [cut.x, cut.y] - pivot + rotate((pivot - [left, top])[None], (0.0, 0.0), -cut.angle)[0]
    return tensor[..., top:bottom, left:right], replace(cut, x=float(x), y=float(y), pivot=(0.0, 0.0))


def _on_all_cores(tensor: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Bicubic grid_sample of one picture. torch shares out pictures, not rows: so strips of rows go as a batch."""
    height, width = grid.shape[1:3]
    strips = next(count for count in range(torch.get_num_threads(), 0, -1) if height % count == 0)
    strip_grid = grid.reshape(strips, height // strips, width, 2)
    strip_input = tensor.expand(strips, -1, -1, -1)
    result = F.grid_sample(strip_input, strip_grid, mode="bicubic", padding_mode="border", align_corners=False)
    return result.transpose(0, 1).reshape(1, tensor.shape[1], height, width)


@dataclass
class Cut:
    """A frame in level coordinates: centre, size, and what had to be done to find it."""

    x: float
    y: float
    width: float
    height: float
    pivot: tuple[float, float]
    angle: float
    notes: list[str] = field(default_factory=list)

    def to_photo(self, points: np.ndarray) -> np.ndarray:
        """Level coordinates [N,2] as pixels of the photo."""
        return rotate(points, self.pivot, self.angle)


def rotate(points: np.ndarray, pivot: tuple[float, float], degrees: float) -> np.ndarray:
    """Points [N,2] (x right, y down) turned clockwise by `degrees` about `pivot`."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return (points - np.array(pivot)) @ turn.T + np.array(pivot)


DENSE = 4
"""From blocks of this side on, every second row and column is enough to average."""


def block_mean(pixels: np.ndarray, block: int, scale: float = 1.0, out: np.ndarray | None = None) -> np.ndarray:
    """Average [H,W,3] over whole blocks of `block` x `block` pixels, times `scale`: planes [3,H / block,W / block].

    The planes are written to `out` where it is given. A rest at the right and bottom is dropped; of blocks of DENSE
    and more, every second row and column is read. Single-threaded on purpose: torch's threads and onnxruntime's take
    the cores from each other, and on a busy machine that costs more than the work itself.
    """
    block = min(block, *pixels.shape[:2])
    if block == 1:
        return np.multiply(pixels.transpose(2, 0, 1), scale, out=out)
    rows, columns = pixels.shape[0] // block, pixels.shape[1] // block
    whole = pixels[: rows * block, : columns * block]
    first, second, *rest = range(0, block, 2 if block >= DENSE else 1)
    summed = whole[first::block] + whole[second::block]
    for step in rest:
        summed += whole[step::block]
    lanes = summed.reshape(rows, columns, block * 3)
    planes = np.empty((3, rows, columns), pixels.dtype) if out is None else out
    for channel, plane in enumerate(planes):
        np.add(lanes[..., channel + 3 * first], lanes[..., channel + 3 * second], out=plane)
        for step in rest:
            plane += lanes[..., channel + 3 * step]
    planes *= scale / (2 + len(rest)) ** 2
    return planes


def double(planes: np.ndarray, out: np.ndarray) -> None:
    """Enlarge [3,H,W] into `out` [3,2H,2W] by bilinear interpolation; single-threaded for the same reason."""
    tall = np.empty((out.shape[1], planes.shape[2]), planes.dtype)
    for plane, target in zip(planes, out, strict=True):
        _stretch(plane, tall)
        _stretch(tall.T, target.T)


def _stretch(source: np.ndarray, target: np.ndarray) -> None:
    """Twice as many rows: each lies a quarter of the way to the neighbour that is nearer to it."""
    quarter = source * source.dtype.type(0.25)
    rest = source - quarter
    target[0], target[-1] = source[0], source[-1]
    np.add(rest[1:], quarter[:-1], out=target[2::2])
    np.add(rest[:-1], quarter[1:], out=target[1:-1:2])
