"""Out of memory: freed and tried once more; a broken CUDA context is told apart, for no retry can help there."""

from __future__ import annotations

import uuid

import pytest

from likeness_studio.runner import errors
from likeness_studio.runner.backends import Folders
from likeness_studio.tests.faults.graphs import Graph, colour, colour_of, picture, run_on, through
from likeness_studio.tests.faults.proxy import Proxy

pytestmark = pytest.mark.comfyui


def hungry(rgb: int, times: int) -> Graph:
    """A job that runs out of memory the first `times` times."""
    return through(picture(rgb), "FaultOutOfMemory", key=str(uuid.uuid4()), times=times)


def test_fault_10_out_of_memory_once(proxy: Proxy, folders: Folders):
    rgb = colour()
    result = run_on(proxy.url, hungry(rgb, 1), folders)
    assert [colour_of(file.path) for file in result.outputs] == [rgb]
    assert any("memory" in note for note in result.notes), result.notes
    (freed,) = proxy.seen("POST", "/free")
    first, again = proxy.seen("POST", "/prompt")
    assert freed.json() == {"unload_models": True, "free_memory": True}
    assert first.at < freed.at < again.at
    assert first.json()["prompt_id"] != again.json()["prompt_id"], "the failed job's id is in the history"


def test_fault_10_out_of_memory_every_time(proxy: Proxy, folders: Folders):
    with pytest.raises(errors.ServerOutOfMemory, match="Between") as caught:
        run_on(proxy.url, hungry(colour(), 99), folders)
    assert caught.value.code == "server_out_of_memory"
    assert len(proxy.seen("POST", "/prompt")) == 2, "one retry, not more"
    assert len(proxy.seen("POST", "/free")) == 1


@pytest.mark.parametrize("error", ["illegal memory access", "device-side assert", "unspecified launch failure"])
def test_fault_10_poisoned_cuda_context(proxy: Proxy, folders: Folders, error: str):
    with pytest.raises(errors.ServerBroken, match="restart") as caught:
        run_on(proxy.url, through(picture(colour()), "FaultPoisoned", error=error), folders)
    assert caught.value.code == "server_broken"
    assert len(proxy.seen("POST", "/prompt")) == 1, "every job would fail until the server is restarted"
