"""Submitting: a prompt is accepted once, wholly or not at all, and what is too large is said with its size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness_studio.runner import errors
from likeness_studio.runner.backends import Folders
from likeness_studio.tests.conftest import ComfyUIServer
from likeness_studio.tests.faults.graphs import (
    Graph,
    SecondClient,
    colour,
    colour_of,
    node,
    picture,
    run_on,
    until,
    waiting,
)
from likeness_studio.tests.faults.proxy import Cut, Exchange, Proxy
from likeness_studio.tests.faults.wrongs import answer, cut_after, cut_before

pytestmark = pytest.mark.comfyui


def noise(path: Path, side: int) -> Path:
    """A PNG of about 3 * side * side bytes."""
    pixels = np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def photo(name: str) -> Graph:
    return {"1": node("LoadImage", "Photo", image=name), "2": node("SaveImage", images=["1", 0], filename_prefix="up")}


def test_fault_19_photo_over_the_servers_limit(server: ComfyUIServer, folders: Folders):
    """The server was started with --max-upload-size 1."""
    size = noise(folders.input / "large.png", 800).stat().st_size
    with pytest.raises(errors.TooLargeForServer) as caught:
        run_on(server.url, photo("large.png"), folders)
    assert caught.value.code == "too_large_for_server"
    assert "large.png" in str(caught.value)
    assert f"{size / 2**20:.1f} MB" in str(caught.value)
    assert "1.0 MB" in str(caught.value)


def test_fault_19_photo_under_the_servers_limit(server: ComfyUIServer, folders: Folders):
    noise(folders.input / "small.png", 400)
    assert run_on(server.url, photo("small.png"), folders).outputs


def test_fault_19_workflow_over_the_servers_limit(server: ComfyUIServer, folders: Folders):
    graph = picture(colour())
    graph["3"] = node("PrimitiveStringMultiline", "Essay", value="word " * 300_000)
    with pytest.raises(errors.TooLargeForServer, match=r"1\.\d MB"):
        run_on(server.url, graph, folders)


def test_fault_19_limit_of_something_in_between(proxy: Proxy, folders: Folders):
    """A web server before ComfyUI answers 413 in HTML and does not say its limit."""
    html = b"<html><h1>413 Request Entity Too Large</h1><hr>nginx</html>"
    proxy.on("POST", "/upload", answer(413, html, "text/html"))
    noise(folders.input / "photo.png", 100)
    with pytest.raises(errors.TooLargeForServer, match=r"photo\.png"):
        run_on(proxy.url, photo("photo.png"), folders)


def test_fault_24_accepted_with_node_errors(server: ComfyUIServer, folders: Folders, second: SecondClient):
    half = waiting(20.0) | {"4": node("FaultPicky", "Polite", word="now")}
    with pytest.raises(errors.WorkflowRejected, match=r"Polite \(node 4\): .*'now' is not polite") as caught:
        run_on(server.url, half, folders)
    assert list(caught.value.as_dict()["node_errors"]) == ["4"]
    until(lambda: not second.running() + second.pending(), 3)
    assert list(folders.output.iterdir()) == []


def accepted(proxy: Proxy) -> list[str]:
    """The ids of all prompts that were sent through the proxy."""
    return [request.json()["prompt_id"] for request in proxy.seen("POST", "/prompt")]


@pytest.mark.parametrize("seconds", [0.0, 1.5])
def test_fault_25_answer_to_the_submission_is_lost(proxy: Proxy, folders: Folders, seconds: float):
    """The server has the prompt, the client does not know it: it must ask, and not submit again."""
    proxy.on("POST", "/prompt", cut_after, times=1)
    rgb = colour()
    result = run_on(proxy.url, waiting(seconds, rgb), folders)
    assert [colour_of(file.path) for file in result.outputs] == [rgb]
    assert accepted(proxy) == [result.prompt_id], "a duplicate"
    (lost,) = proxy.seen("POST", "/prompt")
    asked = [r for r in proxy.seen("GET", "/queue") + proxy.seen("GET", "/history") if r.at > lost.at]
    assert asked


def test_fault_25_submission_never_arrived(proxy: Proxy, folders: Folders, server: ComfyUIServer):
    """The same to the client, but here it must submit again, with the same id."""
    proxy.on("POST", "/prompt", cut_before, times=1)
    rgb = colour()
    result = run_on(proxy.url, picture(rgb, "once"), folders)
    assert [colour_of(file.path) for file in result.outputs] == [rgb]
    assert accepted(proxy) == [result.prompt_id] * 2
    assert len(list(server.output.glob("*once*"))) == 1


def test_fault_25_submission_arrives_after_it_was_given_up(proxy: Proxy, folders: Folders, second: SecondClient):
    """Too late to be noticed, so the server has the prompt twice; both have one id, and there is one result."""

    def overtaken(exchange: Exchange) -> None:
        exchange.forward_later(1.5)
        raise Cut

    proxy.on("POST", "/prompt", overtaken, times=1)
    rgb = colour()
    result = run_on(proxy.url, waiting(0.1, rgb), folders)
    assert [colour_of(file.path) for file in result.outputs] == [rgb]
    assert [file.path for file in result.outputs] == list(folders.output.iterdir())
    until(lambda: not second.running() + second.pending())


def test_fault_25_submission_that_never_arrives_is_given_up(proxy: Proxy, folders: Folders):
    proxy.on("POST", "/prompt", cut_before)
    with pytest.raises(errors.ServerUnreachable, match=proxy.url):
        run_on(proxy.url, picture(colour()), folders, outage_seconds=1.0)


def test_fault_25_upload_that_breaks_is_sent_again(proxy: Proxy, folders: Folders, server: ComfyUIServer):
    """The same bytes under the same name are stored once, so sending them twice is safe."""
    proxy.on("POST", "/upload", cut_after, times=1)
    noise(folders.input / "again.png", 60)
    assert run_on(proxy.url, photo("again.png"), folders).outputs
    assert len(list(server.input.rglob("again*.png"))) == 1
