"""The default engine's networks: YuNet finds faces (MIT weights), SFace embeds them (Apache-2.0), by onnxruntime."""

from __future__ import annotations

import threading

import numpy as np
import torch

from ..imaging.warp import block_mean, double
from ..models import store
from ..models.runtimes import session
from .face import Face

INPUT = 640
"""The network's fixed input side, in pixels."""

ENLARGE = 2
"""Photos of up to half the input's side are enlarged by this: the input is paid for anyway, and landmarks come out
finer (on LFW at 250 pixels: accuracy 99.37 % without, 99.43 % with)."""

STRIDES = (8, 16, 32)
MIN_SCORE = 0.6
"""Detections below this confidence are dropped."""

MAX_OVERLAP = 0.3
"""Of two boxes with a larger intersection over union, the weaker one is dropped."""


class YuNet:
    """Finds faces and their five landmarks."""

    def __init__(self, device: str = "auto") -> None:
        self._session = session(store.path("yunet"), device)
        self._letterboxes = threading.local()

    def detect(self, image: torch.Tensor, least: float = MIN_SCORE) -> list[Face]:
        """Faces of image [H,W,3] in 0..1 of at least this score, the most certain first; none in a picture as thin as
        a line."""
        if min(image.shape[:2]) * INPUT < max(image.shape[:2]):
            return []
        if not hasattr(self._letterboxes, "own"):
            self._letterboxes.own = Letterbox()
        blob, scale = self._letterboxes.own.fit(image)
        outputs = self._session.run(None, {"input": blob})
        return decode([np.asarray(output) for output in outputs], scale, image.shape[1], image.shape[0], least)


class Letterbox:
    """Fits pictures into the network's input, in memory that is used again for the next picture."""

    def __init__(self) -> None:
        self._blob = np.zeros((1, 3, INPUT, INPUT), np.float32)
        self._filled = (0, 0)

    def fit(self, image: torch.Tensor) -> tuple[np.ndarray, float]:
        """Put [H,W,3] in 0..1 into the top left of a black [1,3,640,640] BGR blob in 0..255; also the scale used.

        Large pictures are averaged over whole blocks of pixels, which is quick and does not alias; those of at most
        half the input's side are enlarged by ENLARGE. The blob is valid until the next call.
        """
        longest = max(image.shape[:2])
        block = -(-longest // INPUT)
        enlarge = ENLARGE if longest * ENLARGE <= INPUT else 1
        pixels = image.detach().cpu().numpy()
        height, width = (side // block * enlarge for side in pixels.shape[:2])
        if self._filled != (height, width):
            self._blob.fill(0)
            self._filled = (height, width)
        target = self._blob[0, ::-1, :height, :width]
        if enlarge > 1:
            double(block_mean(pixels, block, 255.0), target)
        else:
            block_mean(pixels, block, 255.0, target)
        scale = enlarge / block
        return self._blob, scale


def decode(outputs: list[np.ndarray], scale: float, width: int, height: int, least: float = MIN_SCORE) -> list[Face]:
    """The network's twelve outputs (cls, obj, bbox, kps at strides 8, 16, 32) as faces in picture pixels."""
    boxes, landmarks, scores = [], [], []
    for level, stride in enumerate(STRIDES):
        cls, obj, bbox, kps = (outputs[level + 3 * kind][0] for kind in range(4))
        joint = cls[:, 0] * obj[:, 0]
        keep = np.flatnonzero(joint >= least**2)
        if not keep.size:
            continue
        cell = np.stack([keep % (INPUT // stride), keep // (INPUT // stride)], 1)
        centre = (cell + bbox[keep, :2]) * stride
        extent = np.exp(bbox[keep, 2:]) * stride
        boxes.append(np.concatenate([centre - extent / 2, centre + extent / 2], 1))
        landmarks.append((kps[keep].reshape(-1, 5, 2) + cell[:, None]) * stride)
        scores.append(np.sqrt(np.minimum(joint[keep], 1.0)))
    if not boxes:
        return []
    box, points, score = np.concatenate(boxes), np.concatenate(landmarks), np.concatenate(scores)
    box = np.clip(box / scale, 0, [width, height, width, height])
    points = (points + 0.5) / scale - 0.5
    return [
        Face(
            (float(box[i, 0]), float(box[i, 1]), float(box[i, 2]), float(box[i, 3])),
            points[i],
            float(score[i]),
        )
        for i in suppress(box, score)
    ]


def suppress(box: np.ndarray, score: np.ndarray) -> list[int]:
    """Greedy non-maximum suppression: indices of the boxes [N,4] to keep, the most certain first."""
    area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    order = np.argsort(-score, kind="stable")
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        top_left = np.maximum(box[best, :2], box[rest, :2])
        bottom_right = np.minimum(box[best, 2:], box[rest, 2:])
        overlap = np.prod(np.clip(bottom_right - top_left, 0, None), axis=1)
        union = np.maximum(area[best] + area[rest] - overlap, 1e-9)
        order = rest[overlap / union <= MAX_OVERLAP]
    return kept


class SFace:
    """Turns an aligned crop into a 128-number description of whose face it is."""

    def __init__(self, device: str = "auto") -> None:
        self._session = session(store.path("sface"), device)

    def embed(self, crop: torch.Tensor) -> np.ndarray:
        """The unit embedding [128] of an aligned RGB crop [3,112,112] in 0..1. The network takes 0..255."""
        blob = crop.detach().cpu().numpy()[None] * np.float32(255)
        vector = np.asarray(self._session.run(None, {"data": blob})[0])[0].astype(np.float64)
        return vector / np.linalg.norm(vector)
