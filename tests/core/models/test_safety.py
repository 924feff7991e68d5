"""Weights in formats that run code are refused by name and by content."""

import gzip
import io
import pickle
import re
import zipfile

import pytest

from likeness_studio.core import host
from likeness_studio.core.errors import ModelCorrupt, UnsafePath, UnsafeWeights
from likeness_studio.core.models import refuse_pickle
from likeness_studio.core.models.manifest import UrlSource, models
from likeness_studio.core.models.runtimes import network, session

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5\n"


def torch_zip():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
    return packed.getvalue()


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".bin", ".pkl", ".PTH", ".joblib", ".exe", ""])
def test_refused_by_name(tmp_path, suffix):
    file = tmp_path / f"net{suffix}"
    file.write_bytes(b"\x08\x07harmless")
    with pytest.raises(UnsafeWeights, match="by its name"):
        refuse_pickle(file)


@pytest.mark.parametrize(
    "data",
    [
        *(pickle.dumps({"a": 1}, protocol) for protocol in (2, 3, 4, 5)),
        torch_zip(),
        gzip.compress(pickle.dumps(1), mtime=0),
    ],
    ids=["protocol 2", "protocol 3", "protocol 4", "protocol 5", "torch zip", "gzip"],
)
@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_refused_by_content(tmp_path, data, suffix):
    file = tmp_path / f"net{suffix}"
    file.write_bytes(data)
    with pytest.raises(UnsafeWeights):
        refuse_pickle(file)


def test_real_safetensors_pass(tmp_path):
    import numpy as np
    from safetensors.numpy import save_file

    file = tmp_path / "net.safetensors"
    for width in (1, 40, 128 * 5):
        save_file({"x" * width: np.zeros(3, np.float32)}, file)
        refuse_pickle(file)


@pytest.mark.parametrize(("text", "words"), [(LFS, "Git LFS pointer"), ("<!doctype html>", "web page")])
def test_a_text_in_the_place_of_a_model_is_called_what_it_is(text, words, tmp_path):
    for name, error, read in (
        ("net.safetensors", UnsafeWeights, refuse_pickle),
        ("net.onnx", ModelCorrupt, session),
        ("net.tflite", ModelCorrupt, network),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(error, match=rf"{name} is a.*{words}"):
            read(tmp_path / name)


def test_onnx_passes(tmp_path):
    file = tmp_path / "net.onnx"
    file.write_bytes(b"\x08\x07\x12\x07pytorch")
    refuse_pickle(file)


def test_dlibs_form_is_read_only_where_the_manifest_pins_it(tmp_path):
    file = tmp_path / "net.dat"
    file.write_bytes(b"\x01\x02numbers")
    refuse_pickle(file, pinned=True)
    with pytest.raises(UnsafeWeights, match="by its name"):
        refuse_pickle(file)
    with pytest.raises(UnsafeWeights):
        refuse_pickle(file.with_suffix(".pkl"), pinned=True)


NO_REVISION_KNOWN = {"yunet", "sface", "w600k_mbf", "dlib_resnet", "face_parsing"}
"""Networks with an address that may lead to another file tomorrow: their sha256 alone says so."""


def test_addresses_name_a_revision():
    moving = re.compile(r"/(?:main|master|HEAD|latest)/")
    found = {
        name
        for name, model in models().items()
        for source in model.sources
        if isinstance(source, UrlSource) and moving.search(source.url)
    }
    assert found <= NO_REVISION_KNOWN
    assert all(len(models()[name].sha256) == 64 for name in found)


def test_a_model_may_be_a_link_and_its_name_may_not_leave_the_folder(tmp_path, monkeypatch):
    """Large models lie on another disk: the link is the folder's owner's, the name may be anybody's."""
    monkeypatch.setenv("LIKENESS_MODELS", str(tmp_path / "models"))
    (tmp_path / "models" / "loras").mkdir(parents=True)
    (tmp_path / "big.safetensors").touch()
    (tmp_path / "models" / "loras" / "big.safetensors").symlink_to(tmp_path / "big.safetensors")
    assert host.model_file("loras", "big.safetensors").is_file()
    for name in ("../../big.safetensors", str(tmp_path / "big.safetensors"), "a/../../../big.safetensors", "x\0"):
        with pytest.raises(UnsafePath):
            host.model_file("loras", name)
