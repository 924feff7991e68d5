"""Weights in formats that run code are refused by name and by content."""

import gzip
import io
import pickle
import zipfile

import pytest

from likeness_studio.core.errors import UnsafeWeights
from likeness_studio.core.models import refuse_pickle


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


def test_onnx_passes(tmp_path):
    file = tmp_path / "net.onnx"
    file.write_bytes(b"\x08\x07\x12\x07pytorch")
    refuse_pickle(file)
