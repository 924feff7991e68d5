"""The WebSocket is for progress only: whatever becomes of it, the results arrive, once."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterable

import pytest

from likeness_studio.runner.backends import Event, Folders
from likeness_studio.runner.backends.comfy.backend import ServerBackend
from likeness_studio.tests.faults.graphs import colour, colour_of, picture, run_on, waiting, workflow
from likeness_studio.tests.faults.proxy import BINARY, TEXT, Exchange, Fault, Frame, Proxy
from likeness_studio.tests.faults.wrongs import answer, cut_before, dropping, late, messages, silent_socket, text

pytestmark = pytest.mark.comfyui


def delivered(proxy: Proxy, folders: Folders, seconds: float = 0.4) -> list[Event]:
    """Run a job of `seconds` through the proxy; its picture must be there, from one submission."""
    rgb, events = colour(), []
    result = run_on(proxy.url, waiting(seconds, rgb), folders, events.append)
    assert [colour_of(file.path) for file in result.outputs] == [rgb]
    assert [file.path for file in result.outputs] == list(folders.output.iterdir())
    assert len(proxy.seen("POST", "/prompt")) == 1
    return events


DROPS: dict[str, Fault] = {
    "at the start": dropping("execution_start"),
    "in a node": dropping("executing"),
    "before the end": dropping("execution_success"),
    "at once": dropping("status"),
    "refused": answer(403, b"no sockets here", "text/plain"),
    "cut": cut_before,
    "not a WebSocket": answer(200, b"<html>hello</html>", "text/html"),
}


@pytest.mark.parametrize("drop", DROPS)
def test_fault_01_socket_drops_and_the_job_finishes(proxy: Proxy, folders: Folders, drop: str):
    proxy.on("GET", "/ws", DROPS[drop])
    delivered(proxy, folders)


def test_fault_01_socket_comes_back_for_the_next_job(proxy: Proxy, folders: Folders):
    proxy.on("GET", "/ws", dropping("execution_start"), times=1)
    events: list[Event] = []
    backend = ServerBackend(proxy.url)
    backend.run(workflow(waiting(1.0)), folders, events.append)
    events.clear()
    backend.run(workflow(waiting(0.2)), folders, events.append)
    backend.close()
    assert len(proxy.seen("GET", "/ws")) >= 2
    assert {"node", "node_done"} <= {event.kind for event in events}


def test_fault_02_zombie_socket_says_nothing(proxy: Proxy, folders: Folders):
    proxy.on("GET", "/ws", silent_socket)
    began = time.monotonic()
    delivered(proxy, folders)
    assert time.monotonic() - began < 5


def test_fault_02_zombie_socket_never_answers_the_handshake(proxy: Proxy, folders: Folders):
    let_go = threading.Event()

    def hang(exchange: Exchange) -> None:
        let_go.wait(60)

    proxy.on("GET", "/ws", hang)
    began = time.monotonic()
    delivered(proxy, folders)
    assert time.monotonic() - began < 6
    let_go.set()


def test_fault_04_socket_connects_after_the_job_was_submitted(proxy: Proxy, folders: Folders):
    proxy.on("GET", "/ws", late(1.5))
    began = time.monotonic()
    delivered(proxy, folders, seconds=0.0)
    assert time.monotonic() - began < 5


FOREIGN = "11111111-2222-4333-8444-555555555555"


def nonsense(prompt_id: str) -> list[Frame]:
    """What other packs, other clients and broken servers send."""
    ours: list[object] = [
        {"type": "execution_start", "data": {"prompt_id": FOREIGN}},
        {"type": "execution_success", "data": {"prompt_id": FOREIGN}},
        {"type": "execution_error", "data": {"prompt_id": FOREIGN, "exception_message": "not ours"}},
        {"type": "executing", "data": {"node": "77", "prompt_id": prompt_id}},
        {"type": "executing", "data": {"node": {"a": 1}, "prompt_id": prompt_id}},
        {"type": "executing", "data": {"prompt_id": prompt_id}},
        {"type": "progress", "data": {"node": "9", "value": "many", "max": None, "prompt_id": prompt_id}},
        {"type": "progress", "data": {"node": "9", "value": -5, "max": 0, "prompt_id": prompt_id}},
        {"type": "progress_state", "data": {"nodes": "none", "prompt_id": prompt_id}},
        {"type": "progress_state", "data": {"nodes": {"9": None, "x": {"state": 7}}, "prompt_id": prompt_id}},
        {"type": "executed", "data": {"node": "2", "output": {"images": [{"filename": "../evil.png"}]}}},
        {"type": "executed", "data": {"node": "2", "output": None, "prompt_id": prompt_id}},
        {"type": "execution_cached", "data": {"nodes": 7, "prompt_id": prompt_id}},
        {"type": "execution_cached", "data": {"nodes": [None, 3.5, "404"], "prompt_id": prompt_id}},
        {"type": "status", "data": None},
        {"type": "crystools.monitor", "data": {"cpu_utilization": 12.5}},
        {"type": ["a", "list"], "data": {"prompt_id": prompt_id}},
        {"type": "executing", "data": {"prompt_id": [prompt_id]}},
        {"data": {}}, [], [[[]]], 7, None, True, "", "text",
    ]  # fmt: skip
    broken = [
        "",
        "{",
        '{"type": "executing"',
        "NaN",
        "[" * 5000,
        "\x00",
        '{"type": "progress", "data": {"value": 1e999}}',
    ]
    binary = [b"", b"\x00", b"\x00\x00\x00\x01", b"\x00\x00\x00\x01\x00\x00\x00\x02not a png", b"\x00\x00\x00\x63" * 9]
    huge = [text({"type": "huge", "data": {"text": "x" * 3_000_000}}), Frame(BINARY, bytes(3_000_000))]
    return [*map(text, ours), *(Frame(TEXT, t.encode()) for t in broken), *(Frame(BINARY, b) for b in binary), *huge]


def test_fault_21_foreign_and_malformed_messages(proxy: Proxy, folders: Folders):
    def among(frame: Frame) -> list[Frame]:
        message = frame.json() or {}
        prompt_id = (message.get("data") or {}).get("prompt_id")
        return [*nonsense(prompt_id), frame] if message.get("type") == "executing" and prompt_id else [frame]

    proxy.on("GET", "/ws", messages(among))
    events = delivered(proxy, folders)
    assert {type(event.node) for event in events} <= {str, type(None)}
    json.dumps([event.as_dict() for event in events], allow_nan=False)


def shuffled(frames: list[Frame]) -> Iterable[Frame]:
    return random.Random(3).sample(frames, len(frames))


ORDERS: dict[str, Callable[[list[Frame]], Iterable[Frame]]] = {
    "backwards": reversed,
    "twice": lambda frames: [*frames, *frames],
    "shuffled": shuffled,
}


@pytest.mark.parametrize("order", ORDERS)
def test_fault_21_messages_out_of_order(proxy: Proxy, folders: Folders, order: str):
    held: list[Frame] = []

    def hold(frame: Frame) -> Iterable[Frame]:
        held.append(frame)
        ended = (frame.json() or {}).get("type") == "execution_success"
        return ORDERS[order](held) if ended else []

    proxy.on("GET", "/ws", messages(hold))
    delivered(proxy, folders)


def test_fault_21_an_end_that_is_a_lie_does_not_end_the_job(proxy: Proxy, folders: Folders):
    """A success event for our own prompt, long before it is true."""

    def lie(frame: Frame) -> list[Frame]:
        message = frame.json() or {}
        if message.get("type") == "execution_start":
            return [frame, text({"type": "execution_success", "data": message["data"]})]
        return [frame]

    proxy.on("GET", "/ws", messages(lie))
    delivered(proxy, folders, seconds=1.0)


def test_fault_21_events_of_another_client_are_not_shown(proxy: Proxy, folders: Folders):
    broadcast = {"type": "executing", "data": {"node": "1", "display_node": "1", "prompt_id": FOREIGN}}
    proxy.on("GET", "/ws", messages(lambda frame: [*[text(broadcast)] * 20, frame]))
    events: list[Event] = []
    run_on(proxy.url, picture(colour()), folders, events.append)
    assert len([event for event in events if event.kind == "node" and event.node == "1"]) <= 1
