"""A face in a picture, and its alignment to the 112 x 112 crop that recognisers are trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float64,
)
"""Where the five landmarks lie in a 112 x 112 crop, in pixels (x, y). Source: ArcFace (Deng et al. 2019), used by
SFace and insightface alike."""

CROP = 112
"""Side of an aligned crop, in pixels."""


DENSE = 4
"""From blocks of this side on, every second row and column is enough to average."""


@dataclass(frozen=True, eq=False)
class Face:
    """One detected face.

    box: x0, y0, x1, y1 in pixels of the picture. landmarks: [5,2] pixels (x, y): viewer-left eye, viewer-right eye,
    nose tip, viewer-left and viewer-right mouth corner. score: the detector's confidence in 0..1.
    embedding: unit vector [D], or None before `FaceEngine.embed`.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    score: float
    embedding: np.ndarray | None = None

    @property
    def size(self) -> float:
        """The shorter side of the box, in pixels."""
        x0, y0, x1, y1 = self.box
        return min(x1 - x0, y1 - y0)

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box, in pixels (x, y)."""
        x0, y0, x1, y1 = self.box
        return (x0 + x1) / 2, (y0 + y1) / 2

    @property
    def eye_distance(self) -> float:
        """Distance between the eye centres, in pixels."""
        return float(np.linalg.norm(self.landmarks[1] - self.landmarks[0]))

    @property
    def roll(self) -> float:
        """How far the line through the eyes is from level, in degrees; positive is clockwise."""
        dx, dy = self.landmarks[1] - self.landmarks[0]
        return float(np.degrees(np.arctan2(dy, dx)))


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[complex, complex]:
    """The least-squares turn, scale and shift that takes points `source` [N,2] to `target` [N,2].

    Returns (a, b) of w = a z + b with points as complex numbers x + iy: |a| is the scale and arg a the turn. The
    closed form a = <z, w> / <z, z> about the means equals Umeyama's (1991) solution without reflection.
    """
    z, w = (np.ascontiguousarray(points, np.float64).view(np.complex128)[:, 0] for points in (source, target))
    z_mean, w_mean = z.mean(), w.mean()
    centred = z - z_mean
    a = complex(np.vdot(centred, w) / np.vdot(centred, centred))
    return a, complex(w_mean - a * z_mean)


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


def align(image: torch.Tensor, landmarks: np.ndarray, size: int = CROP) -> torch.Tensor:
    """Cut a face out, upright, eyes and mouth where the recogniser expects them.

    image: [H,W,3] in 0..1. landmarks: [5,2] pixels. Returns [3,size,size] in 0..1; what lies outside the picture is
    black. A face much larger than the crop is averaged down first, so that fine texture does not alias.
    """
    a, b = similarity(landmarks, ARCFACE_TEMPLATE * (size / CROP))
    step, start = 1 / a, -b / a
    shrink = max(1, int(abs(step)))
    corners = [start + step * corner for corner in (0, size, size * 1j, size + size * 1j)]
    height, width = image.shape[:2]
    x0 = min(max(math.floor(min(corner.real for corner in corners)) - 2, 0), width - 1)
    y0 = min(max(math.floor(min(corner.imag for corner in corners)) - 2, 0), height - 1)
    x1 = min(max(math.ceil(max(corner.real for corner in corners)) + 2 + shrink, x0 + 1), width)
    y1 = min(max(math.ceil(max(corner.imag for corner in corners)) + 2 + shrink, y0 + 1), height)
    patch = block_mean(image[y0:y1, x0:x1].detach().cpu().numpy(), shrink)

    pixels = np.arange(size, dtype=np.float32)
    places = np.add.outer(pixels * np.complex64(1j * step), pixels * np.complex64(step)) + np.complex64(
        start - complex(x0, y0) + (0.5 + 0.5j)
    )
    grid = places.view(np.float32).reshape(size, size, 2)
    grid *= np.array([2 / patch.shape[2], 2 / patch.shape[1]], np.float32) / shrink
    grid -= 1
    return F.grid_sample(
        torch.from_numpy(patch)[None],
        torch.from_numpy(grid)[None],
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )[0]
