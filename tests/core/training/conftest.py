"""Photos of things and of one astronaut to train on: public domain or CC0, they come with scikit-image."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import skimage.data
    from PIL import Image

    folder = tmp_path_factory.mktemp("training-photos")
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        picture = Image.fromarray(getattr(skimage.data, name)())
        picture.thumbnail((256, 256))
        picture.save(folder / f"{name}.png")
    return folder
