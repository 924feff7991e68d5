"""The presets, CLIP's vocabulary, which `make test` fetches, and captioning models that the tests make."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from likeness_studio.core.errors import ModelError
from likeness_studio.core.faces import FaceEngine, load_engine
from likeness_studio.core.prompting import preset_files
from likeness_studio.core.prompting.token_count import vocabulary


@pytest.fixture(scope="session")
def presets():
    return preset_files.built_in()


@pytest.fixture(scope="session")
def clip_words():
    """CLIP's vocabulary from the model store; skips when it was not fetched."""
    try:
        return vocabulary(download=False)
    except ModelError as error:
        pytest.skip(str(error))


def _module(path: Path) -> ModuleType:
    """A file beside the tests as a module."""
    spec = importlib.util.spec_from_file_location(f"likeness_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def learnt() -> ModuleType:
    """What makes the tiny captioners, and the sentences that they learn; skips without transformers."""
    pytest.importorskip("transformers")
    return _module(Path(__file__).with_name("tiny_captioners.py"))


@pytest.fixture(scope="session")
def tiny(learnt, tmp_path_factory) -> Path:
    """A folder of tiny captioning models."""
    root = tmp_path_factory.mktemp("captioners")
    learnt.build(root)
    return root


@pytest.fixture(scope="session")
def start():
    """Starts a ComfyUI of a test's own: `start_comfyui` of the tests' conftest."""
    return _module(Path(__file__).parents[2] / "conftest.py").start_comfyui


@pytest.fixture(scope="session")
def engine() -> FaceEngine:
    return load_engine(device="cpu")
