"""The presets, and CLIP's vocabulary, which `make test` fetches."""

import pytest

from likeness_studio.nodes.errors import ModelError
from likeness_studio.nodes.prompting import preset_files
from likeness_studio.nodes.prompting.clip_vocabulary import vocabulary


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
