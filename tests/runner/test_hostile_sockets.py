"""WebSockets that send giant frames, fragments without end or floods: memory stays small, and progress goes on."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import tracemalloc

import pytest

from likeness_studio.runner.backends.comfy import bounded_socket, events
from likeness_studio.runner.backends.comfy.events import Listener, Message, Subscription
from likeness_studio.runner.backends.comfy.server import ComfyServer
from likeness_studio.tests.faults.proxy import TEXT, Frame

BINARY_FRAGMENT, GO_ON, PIECE = b"\x02", b"\x00", bytes(60_000)
LENGTH = b"\x7e" + len(PIECE).to_bytes(2, "big")


def progress(prompt_id="job"):
    return Frame(TEXT, json.dumps({"type": "progress", "data": {"prompt_id": prompt_id, "value": 1}}).encode()).raw


def endless(first, piece, count):
    yield first
    for _ in range(count):
        yield piece


ATTACKS = {
    "a frame of a terabyte": lambda: endless(b"\x82\x7f" + (1 << 40).to_bytes(8, "big"), PIECE, 3000),
    "a frame of -1": lambda: endless(b"\x82\x7f" + b"\xff" * 8, PIECE, 10),
    "fragments without end": lambda: endless(BINARY_FRAGMENT + LENGTH + PIECE, GO_ON + LENGTH + PIECE, 3000),
    "empty fragments without end": lambda: endless(b"\x02\x00", b"\x00\x00" * 1000, 3000),
}


def accepted(asked: str) -> bytes:
    """The answer to a request for a WebSocket."""
    key = asked.partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    head = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    return head + base64.b64encode(digest) + b"\r\n\r\n"


@pytest.fixture
def sockets(bare_server):
    """Starts a server whose first socket sends `attack()`, and whose later ones send progress."""

    def start(attack):
        said = iter([attack()])

        def serve(connection):
            asked = connection.recv(1 << 16).decode()
            connection.sendall(accepted(asked))
            for piece in next(said, ()):
                connection.sendall(piece)
            while True:
                connection.sendall(progress())
                time.sleep(0.05)

        return bare_server(serve)

    return start


def assert_it_is_heard(url: str, seconds: float) -> None:
    """A listener hears of its job in that time, and takes little memory for it."""
    tracemalloc.start()
    listener = Listener(ComfyServer(url))
    job = listener.subscribe("job")
    deadline = time.monotonic() + seconds
    while not (heard := job.messages()) and time.monotonic() < deadline:
        time.sleep(0.02)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    listener.close()
    assert heard
    assert peak < 20 << 20, f"{peak >> 20} MB"


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_message_that_is_too_long_ends_the_connection_and_the_next_one_tells_again(sockets, monkeypatch, attack):
    monkeypatch.setattr(bounded_socket, "LARGEST_FRAME", 1 << 20)
    assert_it_is_heard(sockets(attack), 15)


GREETINGS = {
    "headers without end": (
        lambda: endless(b"HTTP/1.1 101 Switching\r\n", b"X: " + bytes(60_000) + b"\r\n", 3000),
        0.0,
    ),
    "a header without end": (lambda: endless(b"HTTP/1.1 101 Switching\r\nX: ", PIECE, 3000), 0.0),
    "a header that trickles": (lambda: endless(b"HTTP/1.1 101 Switching\r\nX: ", b"x", 3000), 0.1),
    "a refusal without end": (
        lambda: endless(b"HTTP/1.1 404 No\r\nContent-Length: 99999999999\r\n\r\n", PIECE, 3000),
        0.0,
    ),
    "a refusal that trickles": (lambda: endless(b"HTTP/1.1 404 No\r\nContent-Length: 9999\r\n\r\n", b"x", 3000), 0.1),
}


@pytest.mark.parametrize(("greeting", "pause"), GREETINGS.values(), ids=GREETINGS)
def test_a_handshake_without_end_is_given_up_and_the_next_one_tells_again(bare_server, monkeypatch, greeting, pause):
    monkeypatch.setattr(bounded_socket, "HANDSHAKE_SECONDS", 2.0)
    greetings = iter([greeting()])

    def serve(connection):
        asked = connection.recv(1 << 16).decode()
        for piece in next(greetings, ()):
            connection.sendall(piece)
            time.sleep(pause)
        connection.sendall(accepted(asked))
        while True:
            connection.sendall(progress())
            time.sleep(0.05)

    assert_it_is_heard(bare_server(serve), 12)


def test_a_flood_is_cut_short_and_the_end_is_still_heard():
    job = Subscription("job", "client")
    for _ in range(events.MOST_WAITING * 3):
        job.put(Message("progress", "job", {}))
    job.put(Message("execution_success", "job", {}))
    heard = job.messages()
    assert len(heard) == events.MOST_WAITING + 1
    assert job.over


def test_fragments_of_one_message_are_put_together(sockets):
    whole = json.dumps({"type": "progress", "data": {"prompt_id": "mine", "value": 7}}).encode()
    parts = [b"\x01" + bytes([9]) + whole[:9], b"\x80" + bytes([len(whole) - 9]) + whole[9:]]
    listener = Listener(ComfyServer(sockets(lambda: slowly(parts))))
    job = listener.subscribe("mine")
    deadline, heard = time.monotonic() + 10, []
    while not heard and time.monotonic() < deadline:
        heard += [message.data["value"] for _, message in job.messages() if isinstance(message, Message)]
        time.sleep(0.02)
    listener.close()
    assert heard == [7]


def slowly(parts):
    for part in parts:
        time.sleep(0.7)
        yield part
