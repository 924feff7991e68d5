"""The insightface packs (buffalo_l, antelopev2, …) as a face engine: weights for non-commercial research only."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import host
from ..errors import DependencyMissing, ModelMissing
from ..models.manifest import NON_COMMERCIAL
from ..models.runtimes import silence_telemetry
from .face import Face, align

DETECTION_SIZES = (640, 320, 160)
"""Input sides, in pixels, tried until a face is found: SCRFD overlooks faces that fill its whole input."""


def pack_root(pack: str) -> Path:
    """The folder whose ``models/<pack>`` holds the pack's ONNX files.

    Looked for in this pack's model folders, in ComfyUI's ``models/insightface``, and in ``~/.insightface``. Nothing
    is downloaded: ModelMissing says where to put the files.
    """
    own = [folder / "insightface" for folder in host.model_dirs()]
    beside = [folder.parent / "insightface" for folder in host.model_dirs()]
    roots = [*own, *beside, Path.home() / ".insightface"]
    for root in roots:
        if any(host.inside(root / "models", pack).glob("*.onnx")):
            return root
    raise ModelMissing(
        f"The insightface pack {pack!r} is not on this machine; unpack it into {roots[0] / 'models' / pack}, "
        "or run `likeness models list` to see which packs can be fetched. Its weights are for research only."
    )


class InsightFaceEngine:
    """Detection and recognition of one insightface pack."""

    def __init__(self, pack: str = "buffalo_l", device: str = "auto") -> None:
        root = pack_root(pack)
        silence_telemetry()
        try:
            from insightface.app import FaceAnalysis
        except ImportError as error:
            raise DependencyMissing(
                "The insightface engine needs the insightface package; run `pip install insightface`."
            ) from error
        self.key = f"insightface/{pack}"
        self._pack = pack
        app: Any = FaceAnalysis(
            name=pack,
            root=str(root),
            allowed_modules=["detection", "recognition"],
            providers=_providers(device),
        )
        app.prepare(ctx_id=-1, det_size=(DETECTION_SIZES[0], DETECTION_SIZES[0]))
        self._detector = app.det_model
        self._recogniser = app.models["recognition"]

    @property
    def models(self) -> list[dict[str, str]]:
        """The pack with its licence."""
        return [
            {"name": self.key, "licence": NON_COMMERCIAL, "commercial": "no", "use": "face detection and embedding"}
        ]

    def detect(self, image: torch.Tensor) -> list[Face]:
        """Faces of image [H,W,3] in 0..1, the most certain first."""
        pixels = _bgr(image)
        for side in DETECTION_SIZES:
            boxes, points = self._detector.detect(pixels, input_size=(side, side), max_num=0, metric="default")
            if len(boxes):
                return sorted(map(_face, boxes, points), key=lambda face: -face.score)
        return []

    def embed(self, image: torch.Tensor, face: Face) -> Face:
        """The same face with its unit embedding [512]."""
        crop = align(image, face.landmarks).permute(1, 2, 0)
        vector = self._recogniser.get_feat(_bgr(crop))[0].astype(np.float64)
        return dataclasses.replace(face, embedding=vector / np.linalg.norm(vector))


def _face(box: np.ndarray, landmarks: np.ndarray) -> Face:
    x0, y0, x1, y1, score = (float(value) for value in box)
    return Face((x0, y0, x1, y1), np.asarray(landmarks, np.float64), score)


def _bgr(image: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray((image.detach().cpu().clamp(0, 1) * 255).round().byte().numpy()[..., ::-1])


def _providers(device: str) -> list[str]:
    import onnxruntime

    cpu = ["CPUExecutionProvider"]
    if device == "cpu" or "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return cpu
    return ["CUDAExecutionProvider", *cpu]
