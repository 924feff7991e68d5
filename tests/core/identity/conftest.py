"""Photos for the identity tests."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from likeness_studio.core.faces import FaceEngine, load_engine
from likeness_studio.core.imaging import load_photo

ROOT = Path(__file__).parents[3]
LoadPortrait = Callable[[str], torch.Tensor]


@pytest.fixture(scope="session")
def portrait(portraits: Path) -> LoadPortrait:
    """A portrait by name as [H,W,3]: obama, obama2, obama3 (one person), biden, demo (others)."""

    def load(name: str) -> torch.Tensor:
        file = ROOT / "runner" / "demo.jpg" if name == "demo" else portraits / f"{name}.jpg"
        return load_photo(file)[0][0]

    return load


@pytest.fixture(scope="session")
def engine() -> FaceEngine:
    return load_engine(device="cpu")
