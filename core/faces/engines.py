"""Face engines: a detector and a recogniser that belong together, and how to get one by name."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Protocol

import torch

from ..choices import DEFAULT_ENGINE, DLIB_ENGINE, ENGINES, FUSED_ENGINE
from ..errors import ModelUnknown
from .face import Face, align


class FaceEngine(Protocol):
    """A detector with its recogniser. Embeddings of different `key`s must never be compared."""

    @property
    def key(self) -> str:
        """Names the recogniser, e.g. ``yunet-sface`` or ``insightface/buffalo_l``."""
        ...

    @property
    def models(self) -> list[dict[str, str]]:
        """The model files with name, licence, commercial use and purpose, for reports."""
        ...

    def detect(self, image: torch.Tensor) -> list[Face]:
        """Faces of image [H,W,3] in 0..1 without embeddings, the most certain first."""
        ...

    def embed(self, image: torch.Tensor, face: Face) -> Face:
        """The same face with its unit embedding."""
        ...


def detection_models(engine: FaceEngine) -> list[dict[str, str]]:
    """The models of an engine that find faces, for reports; all where none is only for that."""
    return [used for used in engine.models if "face detection" in used["use"]] or engine.models


class YuNetSFace:
    """YuNet detection, five-point alignment, SFace embedding: MIT and Apache-2.0 weights, 20 ms a face on a CPU."""

    key = DEFAULT_ENGINE

    def __init__(self, device: str = "auto") -> None:
        from ..models import store
        from .yunet_sface import SFace, YuNet

        store.paths("yunet", "sface")
        self._detector = YuNet(device)
        self._recogniser = SFace(device)

    @property
    def models(self) -> list[dict[str, str]]:
        """YuNet and SFace with their licences."""
        from ..models import store

        return store.used("yunet", "sface")

    def detect(self, image: torch.Tensor) -> list[Face]:
        """Faces of image [H,W,3] in 0..1, the most certain first."""
        return self._detector.detect(image)

    def embed(self, image: torch.Tensor, face: Face) -> Face:
        """The same face with its unit embedding [128]."""
        return dataclasses.replace(face, embedding=self._recogniser.embed(align(image, face.landmarks)))


@lru_cache(maxsize=8)
def load_engine(name: str = DEFAULT_ENGINE, pack: str = "buffalo_l", device: str = "auto") -> FaceEngine:
    """The engine of that name, loaded once per (name, pack, device).

    `pack` is used by ``insightface`` only. Raises ModelUnknown for another name, and whatever the model store or a
    missing package raises.
    """
    if name == DEFAULT_ENGINE:
        return YuNetSFace(device)
    if name == "insightface":
        from .insightface_engine import InsightFaceEngine

        return InsightFaceEngine(pack, device)
    if name in (DLIB_ENGINE, FUSED_ENGINE):
        from .dlib_engine import Fusion, YuNetDlib

        return YuNetDlib(device) if name == DLIB_ENGINE else Fusion(device)
    raise ModelUnknown(f"There is no face engine {name!r}; choose one of {', '.join(ENGINES)}.")


def engine_of(key: str, device: str = "auto") -> FaceEngine:
    """The engine with that `FaceEngine.key`."""
    name, _, pack = key.partition("/")
    return load_engine(name, pack, device) if pack else load_engine(name, device=device)
