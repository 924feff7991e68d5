from pathlib import Path

import pytest
import torch

from likeness_studio.core.faces import FaceMesh, YuNetSFace, find_mesh
from likeness_studio.core.imaging import load_photo


@pytest.fixture(scope="session")
def engine() -> YuNetSFace:
    return YuNetSFace("cpu")


@pytest.fixture(scope="session")
def photo(astronaut: Path) -> torch.Tensor:
    return load_photo(astronaut)[0][0]


@pytest.fixture(scope="session")
def mesh(engine: YuNetSFace, photo: torch.Tensor) -> FaceMesh:
    return find_mesh(photo, engine.detect(photo)[0])
