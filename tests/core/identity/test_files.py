"""Saved identities: what is written is what is read, and nothing else is."""

import pickle
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from likeness_studio.core import host
from likeness_studio.core.errors import EngineMismatch, IdentityAmbiguous, IdentityFileInvalid, UnsafePath
from likeness_studio.core.identity import Identity, enrollment, load_identity, save_identity
from likeness_studio.nodes.identity import LoadIdentity, SaveIdentity


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


def written(path: Path, embedding: torch.Tensor | None = None, **changed: str | None) -> Path:
    """An identity file with some values changed, or left out where they are None."""
    values = {"format": enrollment.FORMAT, "engine": "yunet-sface/1", "photos": "2", "name": "a", "agreement": "[1,1]"}
    metadata = {key: value for key, value in (values | changed).items() if value is not None}
    vector = torch.nn.functional.normalize(torch.ones(128), dim=0) if embedding is None else embedding
    save_file({"embedding": vector}, path, metadata)
    return path


NESTED = "[" * 100_000
HOSTILE = [
    *({key: None} for key in ("engine", "photos", "name", "agreement")),
    *({"agreement": value} for value in (NESTED, "{}", "7", '["x"]', "[[1]]", "[NaN]", "[5]", "[1e999]", "null")),
    *({"agreement": value} for value in ("[1,1,1]", "[" + "1," * 4_000_000 + "1]")),
    *({"photos": value} for value in ("-5", "0", "x", "1e9", "9" * 5000, "10000000", "")),
    *({"engine": value} for value in ("", "x" * 5000)),
    {"name": "x" * 100_000},
]


@pytest.mark.parametrize("changed", HOSTILE, ids=lambda changed: str(changed)[:40])
def test_values_that_no_identity_has_are_refused_in_words(tmp_path, changed):
    with pytest.raises(IdentityFileInvalid, match=r"^me\.safetensors "):
        load_identity(written(tmp_path / "me.safetensors", **changed))


@pytest.mark.parametrize("shape", [(0,), (1, 128), (128, 1), (20_000,), ()])
def test_an_embedding_of_another_shape_is_refused(tmp_path, shape):
    with pytest.raises(IdentityFileInvalid):
        load_identity(written(tmp_path / "me.safetensors", torch.ones(shape)))


@pytest.mark.parametrize("name", ["", ".", "./", "a/..", "a/b/../..", "a/../.", "..", "/", "x" * 300])
def test_a_name_that_is_no_file_in_the_folder_is_refused(identity, tmp_path, name):
    home = tmp_path / "output"
    home.mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UnsafePath), host.use(host.LocalHost(tmp_path, home, tmp_path)):
        SaveIdentity.execute(identity, name)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["x" * 241, "x" * 100_000, "a/" * 5000 + "b", "/".join("ä" * 300), "ä" * 130])
def test_names_of_thousands_of_letters_are_one_sentence(tmp_path, name):
    for inside in (host.inside, host.file_inside):
        with pytest.raises(UnsafePath, match="is too long") as told:
            inside(tmp_path, name)
        assert len(str(told.value)) < 300


def test_an_embedding_that_the_engine_cannot_have_made_is_named(tmp_path):
    short = load_identity(written(tmp_path / "me.safetensors", torch.nn.functional.normalize(torch.ones(7), dim=0)))
    with pytest.raises(EngineMismatch, match="7 numbers"):
        short.cosine(np.ones(128) / np.sqrt(128))


def other_than(identity):
    return Identity(-identity.embedding, (0.7, 0.65), 2, "yunet-sface", "Eve")


def test_an_upload_does_not_take_the_place_of_a_saved_identity(identity, local):
    SaveIdentity.execute(identity, "identities/person")
    name = "identities/person.safetensors"
    assert LoadIdentity.execute(name).args[0].name == "Ada"
    save_identity(other_than(identity), local.input_dir / "identities" / "person")
    with pytest.raises(IdentityAmbiguous, match=r"in the input and in the output folder.*\[output\]"):
        LoadIdentity.execute(name)
    assert LoadIdentity.execute(f"{name} [output]").args[0].name == "Ada"
    assert LoadIdentity.execute(f"{name} [input]").args[0].name == "Eve"


def test_an_upload_of_the_saved_identity_itself_is_no_question(identity, local):
    (saved,) = SaveIdentity.execute(identity, "person").args
    (local.input_dir / "person.safetensors").write_bytes(Path(saved).read_bytes())
    assert LoadIdentity.execute("person.safetensors").args[0].name == "Ada"


def test_an_identity_that_was_only_uploaded_is_read(identity, local):
    save_identity(other_than(identity), local.input_dir / "person")
    assert LoadIdentity.execute("person.safetensors").args[0].name == "Eve"
    with pytest.raises(IdentityFileInvalid):
        LoadIdentity.execute("person.safetensors [output]")


def test_a_second_identity_of_the_name_makes_the_node_run_again(identity, local):
    SaveIdentity.execute(identity, "person")
    before = LoadIdentity.fingerprint_inputs("person.safetensors")
    save_identity(other_than(identity), local.input_dir / "person")
    assert LoadIdentity.fingerprint_inputs("person.safetensors") != before


@pytest.mark.parametrize("name", ["../person.safetensors [output]", "../person.safetensors [input]"])
def test_the_folder_behind_a_name_does_not_lead_outside(name, local):
    with pytest.raises(UnsafePath):
        LoadIdentity.execute(name)


def test_a_saved_identity_has_the_hash_of_the_one_that_was_enrolled(identity, tmp_path):
    assert load_identity(save_identity(identity, tmp_path / "p")).sha256 == identity.sha256
    assert other_than(identity).sha256 != identity.sha256
