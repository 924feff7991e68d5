"""Sessions are shared, made once, and say clearly what is missing."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import onnx as protos
import pytest
import torch

from likeness_studio.core.errors import DependencyMissing, ModelCorrupt, ModelTooSlow, UnsafeWeights
from likeness_studio.core.models import runtimes as onnx
from likeness_studio.core.portrait.matte import matte

# An ONNX model y = x, written out byte by byte: ir_version 8, one Identity node, opset 13.
VALUE = b"\x0a\x01%s\x12\x0a\x0a\x08\x08\x01\x12\x04\x0a\x02\x08\x02"
GRAPH = (
    b"\x0a\x10\x0a\x01x\x12\x01y\x22\x08Identity"
    + b"\x12\x01g"
    + b"\x5a\x0f"
    + VALUE % b"x"
    + b"\x62\x0f"
    + VALUE % b"y"
)
IDENTITY = b"\x08\x08" + b"\x3a" + bytes((len(GRAPH),)) + GRAPH + b"\x42\x04\x0a\x00\x10\x0d"


@pytest.fixture
def model(tmp_path):
    onnx.release()
    file = tmp_path / "identity.onnx"
    file.write_bytes(IDENTITY)
    yield file
    onnx.release()


def test_a_session_computes_on_all_cores(model):
    session = onnx.session(model)
    assert session.get_session_options().intra_op_num_threads == onnx.threads() >= 1
    given = np.array([1, 2], np.float32)
    assert np.array_equal(np.asarray(session.run(None, {"x": given})[0]), given)


def test_a_session_is_made_once_for_all_threads(model):
    made = []
    threads = [threading.Thread(target=lambda: made.append(onnx.session(model, "cpu"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert all(session is made[0] for session in made)


def test_a_replaced_file_gets_a_new_session(model):
    import os

    first = onnx.session(model)
    os.utime(model, ns=(1, 1))
    assert onnx.session(model) is not first


def test_gpu_without_a_gpu_build_says_what_to_install(model, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DependencyMissing, match="onnxruntime-gpu"):
        onnx.session(model, "gpu")
    assert onnx.session(model, "auto").get_providers() == ["CPUExecutionProvider"]


def test_gpu_that_does_not_start_is_an_error_only_when_insisted_on(model, monkeypatch):
    import onnxruntime

    class Fallen(onnxruntime.InferenceSession):
        def __init__(self, path, options, providers):
            super().__init__(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", Fallen)
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.delattr(onnxruntime, "preload_dlls", raising=False)
    with pytest.raises(DependencyMissing, match="CUDAExecutionProvider"):
        onnx.session(model, "gpu")
    assert onnx.session(model, "auto").get_providers() == ["CPUExecutionProvider"]


def test_without_onnxruntime_it_says_how_to_install_it(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DependencyMissing, match="-m pip install onnxruntime"):
        onnx.session(model)


def test_a_file_that_is_no_model_is_corrupt(tmp_path):
    file = tmp_path / "net.onnx"
    file.write_bytes(b"\x08\x07 this is no protobuf")
    with pytest.raises(ModelCorrupt, match=r"net\.onnx"):
        onnx.session(file)


def test_a_pickle_never_reaches_onnxruntime(tmp_path):
    file = tmp_path / "net.pth"
    file.write_bytes(b"\x80\x02}")
    with pytest.raises(UnsafeWeights):
        onnx.session(file)


def test_an_unknown_device_is_refused(model):
    with pytest.raises(ValueError, match="auto, cpu, gpu"):
        onnx.session(model, "tpu")


def test_onnxruntime_records_no_usage(model, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = "import sys; from pathlib import Path; from likeness_studio.core.models import runtimes; "
    code += "runtimes.session(Path(sys.argv[1]), 'cpu')"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    subprocess.run([sys.executable, "-c", code, str(model)], env=environment, check=True)
    assert [path for path in home.rglob("*") if "onnxruntime" in path.name] == []


def endless(path):
    """A network whose one node is a loop that nothing ends."""
    helper, kind = protos.helper, protos.TensorProto
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["still_on"]), helper.make_node("Add", ["x", "x"], ["more"])],
        "body",
        [
            helper.make_tensor_value_info("turn", kind.INT64, []),
            helper.make_tensor_value_info("on", kind.BOOL, []),
            helper.make_tensor_value_info("x", kind.FLOAT, [1, 3, 8, 8]),
        ],
        [
            helper.make_tensor_value_info("still_on", kind.BOOL, []),
            helper.make_tensor_value_info("more", kind.FLOAT, [1, 3, 8, 8]),
        ],
    )
    true = protos.numpy_helper.from_array(np.array(True), "true")
    graph = helper.make_graph(
        [helper.make_node("Loop", ["", "true", "picture"], ["matte"], body=body)],
        "endless",
        [helper.make_tensor_value_info("picture", kind.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("matte", kind.FLOAT, [1, 3, 8, 8])],
        [true],
    )
    protos.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def test_a_network_that_never_ends_is_broken_off(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "MOST_SECONDS", 0.5)
    session = onnx.session(endless(tmp_path / "endless.onnx"), "cpu")
    began = time.monotonic()
    with pytest.raises(ModelTooSlow, match=r"0\.5 seconds"):
        matte(torch.zeros(1, 8, 8, 3), session)
    assert time.monotonic() - began < 10
