"""A face in a picture, and its alignment to the 112 x 112 crop that recognisers are trained on."""

from __future__ import annotations

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
"""From this many photo pixels for each crop pixel on, every second one is enough to average."""


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


def similarity_transform(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The least-squares rotation, scale and shift that takes `source` [N,2] to `target` [N,2], as a [2,3] matrix.

    The closed form for two dimensions, with points as complex numbers: a = <z, w> / <z, z> about the means. It
    equals Umeyama's (1991) solution without reflection.
    """
    z = source[:, 0] + 1j * source[:, 1]
    w = target[:, 0] + 1j * target[:, 1]
    zc, wc = z - z.mean(), w - w.mean()
    a = np.vdot(zc, wc) / np.vdot(zc, zc)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def block_mean(pixels: np.ndarray, block: int) -> np.ndarray:
    """Average [H,W,3] over whole blocks of `block` x `block` pixels into planes [3,H / block,W / block].

    A rest at the right and bottom is dropped. Single-threaded on purpose: torch's threads and onnxruntime's take the
    cores from each other, and on a busy machine that costs more than the work itself.
    """
    block = min(block, *pixels.shape[:2])
    if block == 1:
        return pixels.transpose(2, 0, 1)
    rows, columns = pixels.shape[0] // block, pixels.shape[1] // block
    whole = pixels[: rows * block, : columns * block]
    summed = whole[::block] + whole[1::block]
    for step in range(2, block):
        summed += whole[step::block]
    lanes = summed.reshape(rows, columns, block * 3)
    planes = np.empty((3, rows, columns), pixels.dtype)
    for channel, plane in enumerate(planes):
        np.add(lanes[..., channel], lanes[..., channel + 3], out=plane)
        for step in range(2, block):
            plane += lanes[..., channel + 3 * step]
    planes /= block * block
    return planes


def double(planes: np.ndarray) -> np.ndarray:
    """Enlarge [3,H,W] to [3,2H,2W] by bilinear interpolation; single-threaded for the same reason."""
    for axis in (1, 2):
        size = planes.shape[axis]
        before = np.take(planes, np.maximum(np.arange(size) - 1, 0), axis)
        after = np.take(planes, np.minimum(np.arange(size) + 1, size - 1), axis)
        near = planes * np.float32(0.75)
        pairs = np.stack([near + before * np.float32(0.25), near + after * np.float32(0.25)], axis + 1)
        planes = pairs.reshape(*planes.shape[:axis], 2 * size, *planes.shape[axis + 1 :])
    return planes


def align(image: torch.Tensor, landmarks: np.ndarray, size: int = CROP) -> torch.Tensor:
    """Cut a face out, upright, eyes and mouth where the recogniser expects them.

    image: [H,W,3] in 0..1. landmarks: [5,2] pixels. Returns [3,size,size] in 0..1; what lies outside the picture is
    black. A face much larger than the crop is averaged down first, so that fine texture does not alias.
    """
    to_crop = similarity_transform(landmarks.astype(np.float64), ARCFACE_TEMPLATE * (size / CROP))
    back = np.linalg.inv(np.vstack([to_crop, [0, 0, 1]]))[:2]
    shrink = max(1, int(np.hypot(back[0, 0], back[1, 0])))
    reach = np.array([[0, 0], [size, 0], [0, size], [size, size]]) @ back[:, :2].T + back[:, 2]
    height, width = image.shape[:2]
    x0, y0 = np.clip(np.floor(reach.min(0)).astype(int) - 2, 0, [width - 1, height - 1])
    x1, y1 = np.clip(np.ceil(reach.max(0)).astype(int) + 2 + shrink, [x0 + 1, y0 + 1], [width, height])
    part = image[y0:y1, x0:x1].detach().cpu().numpy()
    if shrink >= DENSE:
        shrink = shrink // 2 * 2
        patch = torch.from_numpy(block_mean(part[::2, ::2], shrink // 2))[None]
    else:
        patch = torch.from_numpy(block_mean(part, shrink))[None]

    steps = np.arange(size, dtype=np.float32)
    extent = np.array([patch.shape[3], patch.shape[2]])
    across, down = (back[:, axis] / shrink / extent * 2 for axis in (0, 1))
    origin = (back[:, 2] - [x0, y0] + 0.5) / shrink / extent * 2 - 1
    grid = (
        across.astype(np.float32) * steps[None, :, None]
        + down.astype(np.float32) * steps[:, None, None]
        + origin.astype(np.float32)
    )
    return F.grid_sample(
        patch, torch.from_numpy(grid)[None], mode="bilinear", padding_mode="zeros", align_corners=False
    )[0]
