"""A face in a picture, and its alignment to the 112 x 112 crop that recognisers are trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from ..imaging.warp import block_mean, similarity
from .anthropometry import frontal_eye_distance

ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float64,
)
"""Where the five landmarks lie in a 112 x 112 crop, in pixels (x, y). Source: ArcFace (Deng et al. 2019), used by
SFace and insightface alike."""

CROP = 112
"""Side of an aligned crop, in pixels."""


def lean_of(landmarks: np.ndarray) -> float:
    """How far the line through the eyes of landmarks [5,2] is from level, in degrees; positive is clockwise."""
    dx, dy = landmarks[1] - landmarks[0]
    return float(np.degrees(np.arctan2(dy, dx)))


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

    def moved(self, left: float, top: float, block: float = 1.0) -> Face:
        """The face in a picture that begins at `left`, `top` and has `block` times fewer pixels on each side."""
        x0, y0, x1, y1 = self.box
        box = ((x0 - left) / block, (y0 - top) / block, (x1 - left) / block, (y1 - top) / block)
        return replace(self, box=box, landmarks=(self.landmarks - [left, top]) / block)

    @property
    def frontal_eye_distance(self) -> float:
        """The eye distance as if the face were seen from the front, in pixels; see `anthropometry`."""
        down = self.landmarks[3:5].mean(0) - self.landmarks[:2].mean(0)
        return frontal_eye_distance(self.eye_distance, float(np.hypot(*down)))

    @property
    def roll(self) -> float:
        """How far the line through the eyes is from level, in degrees; positive is clockwise."""
        return lean_of(self.landmarks)


def align(
    image: torch.Tensor, landmarks: np.ndarray, size: int = CROP, template: np.ndarray = ARCFACE_TEMPLATE
) -> torch.Tensor:
    """Cut a face out, upright, eyes and mouth where the recogniser expects them.

    image: [H,W,3] in 0..1. landmarks: [5,2] pixels. template: where they lie in a crop of `CROP` pixels. Returns
    [3,size,size] in 0..1; what lies outside the picture is black. A face much larger than the crop is averaged down
    first, so that fine texture does not alias.
    """
    a, b = similarity(landmarks, template * (size / CROP))
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
