"""Saved identities: what is written is what is read, and nothing else is."""

import pickle
import stat

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from likeness_studio.core.errors import IdentityFileInvalid
from likeness_studio.core.identity import Identity, load_identity, save_identity


@pytest.fixture
def identity():
    vector = np.random.default_rng(0).normal(size=128)
    return Identity(vector / np.linalg.norm(vector), (0.7, 0.65), 2, "yunet-sface", "Ada")


def test_round_trip(identity, tmp_path):
    path = save_identity(identity, tmp_path / "people" / "ada")
    loaded = load_identity(path)
    assert path.name == "ada.safetensors"
    np.testing.assert_allclose(loaded.embedding, identity.embedding, atol=1e-6)
    assert (loaded.agreement, loaded.photos, loaded.engine, loaded.name) == ((0.7, 0.65), 2, "yunet-sface", "Ada")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["ada.safetensors"]


def write_pickle(path):
    path.write_bytes(pickle.dumps({"embedding": [1.0]}))


def write_other_safetensors(path):
    save_file({"embedding": torch.ones(4) / 2}, path)


def write_truncated(path):
    save_identity(Identity(np.ones(4) / 2, (), 1, "yunet-sface"), path)
    path.write_bytes(path.read_bytes()[:-3])


def write_not_unit(path):
    save_identity(Identity(np.ones(4), (), 1, "yunet-sface"), path)


@pytest.mark.parametrize("write", [write_pickle, write_other_safetensors, write_truncated, write_not_unit])
def test_anything_else_is_refused(write, tmp_path):
    path = tmp_path / "person.safetensors"
    write(path)
    with pytest.raises(IdentityFileInvalid, match="person"):
        load_identity(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(IdentityFileInvalid, match="nobody"):
        load_identity(tmp_path / "nobody.safetensors")
