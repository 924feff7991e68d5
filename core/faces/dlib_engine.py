"""Two engines by choice with dlib's recogniser: alone, as a second judge that shares nothing, and joined with SFace.

dlib's ResNet (Davis King, public domain weights) was trained apart from SFace, by another loss, on photos cut out in
another way. So it is wrong about other pairs, and both together are wrong less often than either. The package dlib-bin
is an extra and is imported when one of these engines is asked for.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import numpy as np
import torch

from ..choices import DLIB_ENGINE, FUSED_ENGINE
from ..errors import DependencyMissing
from ..models import store
from .face import CROP, Face, align
from .yunet_sface import SFace, YuNet

CHIP = 150
"""Side in pixels of the crop that the network takes."""

TEMPLATE = np.array([[47.6, 45.0], [102.4, 45.0], [75.0, 78.4], [51.3, 104.0], [98.7, 104.0]]) * (CROP / CHIP)
"""Where YuNet's five landmarks lie in dlib's own crop (its 5-point predictor, padding 0.25), made symmetric, in `CROP`
pixels: medians of 231 photos of LFW. So the predictor and its weights are not needed."""

SFACE_SHARE = 0.4
"""How much of the joined score is SFace's cosine; the rest is dlib's, whose cosines differ by a third as much. The best
for 440 photos of LFW that none of the protocol's pairs has: flat from 0.35 to 0.45."""


class DlibResNet:
    """Turns a face into dlib's 128 numbers; one face at a time, for the network keeps its state."""

    def __init__(self) -> None:
        file = store.path("dlib_resnet")
        self._network = _dlib().face_recognition_model_v1(str(file))
        self._lock = threading.Lock()

    def embed(self, image: torch.Tensor, face: Face) -> np.ndarray:
        """The unit embedding [128] of `face` in image [H,W,3] in 0..1."""
        chip = align(image, face.landmarks, CHIP, TEMPLATE).permute(1, 2, 0)
        pixels = np.ascontiguousarray((chip.clamp(0, 1) * 255).round().byte().numpy())
        with self._lock:
            vector = np.array(self._network.compute_face_descriptor(pixels), np.float64)
        return vector / np.linalg.norm(vector)


def _dlib() -> Any:
    try:
        import dlib  # type: ignore[import-not-found]
    except ImportError as error:
        raise DependencyMissing(
            "This face engine needs the dlib package; run `pip install dlib-bin` (or install likeness-studio[dlib])."
        ) from error
    return dlib


class YuNetDlib:
    """YuNet detection and dlib's embedding: MIT and public domain weights, 60 ms a face on a CPU."""

    key = DLIB_ENGINE

    def __init__(self, device: str = "auto") -> None:
        self._recogniser = DlibResNet()
        self._detector = YuNet(device)

    @property
    def models(self) -> list[dict[str, str]]:
        """YuNet and dlib's ResNet with their licences."""
        return store.used("yunet", "dlib_resnet")

    def detect(self, image: torch.Tensor) -> list[Face]:
        """Faces of image [H,W,3] in 0..1, the most certain first."""
        return self._detector.detect(image)

    def embed(self, image: torch.Tensor, face: Face) -> Face:
        """The same face with its unit embedding [128]."""
        return dataclasses.replace(face, embedding=self._recogniser.embed(image, face))


class Fusion(YuNetDlib):
    """Both recognisers at once, 100 ms a face: the cosine of two embeddings is the weighted mean of both cosines.

    SFace sees the face and its mirror image, which costs 20 ms and helps a little (on LFW alone 99.55 for 99.43 %).
    """

    key = FUSED_ENGINE

    def __init__(self, device: str = "auto") -> None:
        super().__init__(device)
        self._sface = SFace(device)

    @property
    def models(self) -> list[dict[str, str]]:
        """The three networks with their licences."""
        return store.used("yunet", "sface", "dlib_resnet")

    def embed(self, image: torch.Tensor, face: Face) -> Face:
        """The same face with its unit embedding [256]."""
        crop = align(image, face.landmarks)
        both = self._sface.embed(crop) + self._sface.embed(torch.flip(crop, [2]))
        by_sface = both / np.linalg.norm(both)
        return dataclasses.replace(face, embedding=join(by_sface, self._recogniser.embed(image, face)))


def join(by_sface: np.ndarray, by_dlib: np.ndarray) -> np.ndarray:
    """One unit embedding [256] of two [128], so that cosines add up by `SFACE_SHARE`."""
    return np.concatenate([SFACE_SHARE**0.5 * by_sface, (1 - SFACE_SHARE) ** 0.5 * by_dlib])
