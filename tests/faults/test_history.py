"""The history decides: it may be late, it is cleaned up, and it says what was interrupted."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from likeness_studio.runner import errors
from likeness_studio.runner.backends import Folders
from likeness_studio.tests.conftest import ComfyUIServer
from likeness_studio.tests.faults.graphs import (
    SecondClient,
    colour,
    colour_of,
    node,
    picture,
    run_on,
    through,
    until,
    waiting,
)
from likeness_studio.tests.faults.proxy import Fault, Proxy
from likeness_studio.tests.faults.wrongs import answer, changed, cut_before

pytestmark = pytest.mark.comfyui


def hidden_for(seconds: float) -> Fault:
    """A history that shows an entry only `seconds` after it was first there."""
    first: list[float] = []

    def hide(entries: dict[str, Any]) -> dict[str, Any]:
        if entries:
            first.append(time.monotonic())
        return entries if first and time.monotonic() - first[0] > seconds else {}

    return changed(hide)


@pytest.mark.parametrize("seconds", [0.2, 2.0])
def test_fault_03_success_before_the_history_is_written(proxy: Proxy, folders: Folders, seconds: float):
    proxy.on("GET", "/history", hidden_for(seconds))
    rgb = colour()
    result = run_on(proxy.url, picture(rgb), folders)
    assert [colour_of(file.path) for file in result.outputs] == [rgb]
    assert len(proxy.seen("POST", "/prompt")) == 1


def test_fault_03_history_that_fails_for_a_moment(proxy: Proxy, folders: Folders):
    proxy.on("GET", "/history", answer(503, b"busy", "text/plain"), times=2)
    proxy.on("GET", "/history", cut_before, times=2)
    rgb = colour()
    result = run_on(proxy.url, picture(rgb), folders)
    assert [colour_of(file.path) for file in result.outputs] == [rgb]
    assert len(proxy.seen("POST", "/prompt")) == 1


def test_fault_12_own_history_is_deleted_and_no_other(server: ComfyUIServer, folders: Folders, second: SecondClient):
    other = second.submit(picture(colour()))
    until(lambda: second.status_of(other))
    before = set(second.history())
    for _ in range(3):
        run_on(server.url, picture(colour()), folders)
    until(lambda: set(second.history()) == before, 3)


def test_fault_12_a_failed_job_leaves_no_history_either(server: ComfyUIServer, folders: Folders, second: SecondClient):
    before = set(second.history())
    failing = through(picture(colour()), "ImageScale", upscale_method="area", width=1, height=16384, crop="disabled")
    failing["10"] = node("ImageToMask", "Channel", image=["1", 0], channel="alpha")
    failing["11"] = node("MaskToImage", mask=["10", 0])
    failing["2"]["inputs"]["images"] = ["11", 0]
    with pytest.raises(errors.ServerExecutionError):
        run_on(server.url, failing, folders)
    until(lambda: set(second.history()) == before, 3)


def test_fault_12_history_is_kept_when_asked_for(server: ComfyUIServer, folders: Folders, second: SecondClient):
    result = run_on(server.url, picture(colour()), folders, keep_history=True)
    assert result.prompt_id in second.history()


def test_fault_15_interrupted_with_half_of_the_outputs(server: ComfyUIServer, folders: Folders, second: SecondClient):
    graph = waiting(20.0)
    graph["3"] = node("SaveImage", "First", images=["1", 0], filename_prefix="half")
    failure: list[BaseException] = []

    def body() -> None:
        try:
            run_on(server.url, graph, folders)
        except errors.RunnerError as error:
            failure.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    running = until(second.running)
    until(lambda: list(server.output.glob("half*")))
    second.interrupt(running[0])
    thread.join(10)
    assert [type(error) for error in failure] == [errors.InterruptedOnServer]
    assert list(folders.output.iterdir()) == []


@pytest.mark.parametrize("status", ["error", "cancelled", "", None, 7])
def test_fault_15_only_success_is_success(proxy: Proxy, folders: Folders, status: Any):
    def unlike(entries: dict[str, Any]) -> dict[str, Any]:
        for entry in entries.values():
            entry["status"] = {"status_str": status, "completed": False, "messages": []}
        return entries

    proxy.on("GET", "/history", changed(unlike))
    with pytest.raises(errors.RunnerError):
        run_on(proxy.url, picture(colour()), folders)
    assert list(folders.output.iterdir()) == []
