"""SFace face embeddings (Zhong et al. 2021; OpenCV Zoo weights, Apache-2.0) through onnxruntime."""

from __future__ import annotations

import numpy as np
import torch

from ..models import store
from ..models.runtimes import session


class SFace:
    """Turns an aligned crop into a 128-number description of whose face it is."""

    def __init__(self, device: str = "auto") -> None:
        self._session = session(store.path("sface"), device)

    def embed(self, crop: torch.Tensor) -> np.ndarray:
        """The unit embedding [128] of an aligned RGB crop [3,112,112] in 0..1. The network takes 0..255."""
        blob = crop.detach().cpu().numpy()[None] * np.float32(255)
        vector = np.asarray(self._session.run(None, {"data": blob})[0])[0].astype(np.float64)
        return vector / np.linalg.norm(vector)
