"""YuNet face detection (Wu et al. 2023; OpenCV Zoo weights, MIT) through onnxruntime."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..models import store
from ..onnx import session
from .faces import Face, block_mean

INPUT = 640
"""The network's fixed input side, in pixels."""

ENLARGE = 2.0
"""Small photos are enlarged by at most this: the input is paid for anyway, and landmarks come out finer (on LFW at
250 pixels: accuracy 99.37 % without, 99.43 % with)."""

STRIDES = (8, 16, 32)
MIN_SCORE = 0.6
"""Detections below this confidence are dropped."""

MAX_OVERLAP = 0.3
"""Of two boxes with a larger intersection over union, the weaker one is dropped."""


class YuNet:
    """Finds faces and their five landmarks."""

    def __init__(self, device: str = "auto") -> None:
        self._session = session(store.path("yunet"), device)

    def detect(self, image: torch.Tensor) -> list[Face]:
        """Faces of image [H,W,3] in 0..1, the most certain first."""
        blob, scale = letterbox(image)
        outputs = self._session.run(None, {"input": blob})
        return decode([np.asarray(output) for output in outputs], scale, image.shape[1], image.shape[0])


def letterbox(image: torch.Tensor) -> tuple[np.ndarray, float]:
    """Fit [H,W,3] in 0..1 into the top left of a black [1,3,640,640] BGR blob in 0..255; also the scale used.

    Large pictures are averaged over whole blocks of pixels, which is quick and does not alias; small ones are
    enlarged by at most ENLARGE.
    """
    longest = max(image.shape[:2])
    block = -(-longest // INPUT)
    scale = 1 / block if block > 1 else min(ENLARGE, INPUT / longest)
    planes = block_mean(image.detach().cpu().numpy(), block)
    if scale > 1.0:
        size = [max(1, round(side * scale)) for side in image.shape[:2]]
        picture = torch.from_numpy(planes)[None]
        planes = F.interpolate(picture, size=size, mode="bilinear", align_corners=False)[0].numpy()
    blob = np.zeros((1, 3, INPUT, INPUT), np.float32)
    np.multiply(planes[::-1], 255.0, out=blob[0, :, : planes.shape[1], : planes.shape[2]])
    return blob, scale


def decode(outputs: list[np.ndarray], scale: float, width: int, height: int) -> list[Face]:
    """The network's twelve outputs (cls, obj, bbox, kps at strides 8, 16, 32) as faces in picture pixels."""
    boxes, landmarks, scores = [], [], []
    for level, stride in enumerate(STRIDES):
        cls, obj, bbox, kps = (outputs[level + 3 * kind][0] for kind in range(4))
        joint = cls[:, 0] * obj[:, 0]
        keep = np.flatnonzero(joint >= MIN_SCORE**2)
        cell = np.stack([keep % (INPUT // stride), keep // (INPUT // stride)], 1)
        centre = (cell + bbox[keep, :2]) * stride
        extent = np.exp(bbox[keep, 2:]) * stride
        boxes.append(np.concatenate([centre - extent / 2, centre + extent / 2], 1))
        landmarks.append((kps[keep].reshape(-1, 5, 2) + cell[:, None]) * stride)
        scores.append(np.sqrt(np.minimum(joint[keep], 1.0)))
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
