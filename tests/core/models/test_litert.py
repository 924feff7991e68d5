"""LiteRT networks: shared, safe under threads, and clear when the file or the runtime is not what it should be."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from likeness_studio.core.errors import DependencyMissing, ModelCorrupt, UnsafeWeights
from likeness_studio.core.models import runtimes as litert
from likeness_studio.core.models import store


@pytest.mark.models
def test_a_network_is_opened_once() -> None:
    path = store.path("face_mesh")
    assert litert.network(path) is litert.network(path)
    assert litert.network(path).side == 192


@pytest.mark.models
def test_the_runtime_keeps_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    file = store.path("face_mesh")
    capfd.readouterr()
    net = litert.Network(file)
    net(np.zeros((1, 192, 192, 3), np.float32))
    assert capfd.readouterr() == ("", "")


@pytest.mark.models
def test_threads_that_share_a_network_get_their_own_results() -> None:
    net = litert.network(store.path("face_mesh"))
    inputs = [np.random.default_rng(seed).random((1, 192, 192, 3), np.float32) for seed in range(8)]
    alone = [net(pixels) for pixels in inputs]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(net, inputs * 4))
    for index, found in enumerate(together):
        for name, value in found.items():
            np.testing.assert_array_equal(value, alone[index % 8][name])


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x1c\x00\x00\x00TFL3" + bytes(200)])
def test_a_file_that_is_no_network_is_named(tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"broken\.tflite"):
        litert.network(broken)


def test_a_pickle_is_refused_by_its_name(tmp_path: Path) -> None:
    pickle = tmp_path / "network.pkl"
    pickle.write_bytes(b"\x80\x04")
    with pytest.raises(UnsafeWeights):
        litert.network(pickle)


def test_a_missing_runtime_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    file = tmp_path / "any.tflite"
    file.write_bytes(b"anything")
    with pytest.raises(DependencyMissing, match="-m pip install ai-edge-litert"):
        litert.network(file)
