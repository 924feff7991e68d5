"""Answers that never end, trickle, lie about their length or unpack to gigabytes: a budget ends them, in our words."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
import zlib
from contextlib import suppress
from itertools import repeat

import pytest

from likeness_studio.core.models import answers
from likeness_studio.core.models import http as web
from likeness_studio.runner.backends.comfy import http
from likeness_studio.runner.backends.comfy.server import ComfyServer
from likeness_studio.runner.errors import ServerRefused, ServerUnreachable

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SMALL, SHORT = 1 << 20, 1.5


@pytest.fixture
def hostile(bare_server):
    """Starts a server that sends what `parts` gives, with a pause after each, and keeps the connection open."""

    def start(parts, pause=0.0):
        def serve(connection):
            connection.recv(1 << 16)
            for part in parts():
                connection.sendall(part)
                time.sleep(pause)
            connection.recv(1)

        return bare_server(serve)

    return start


@pytest.fixture(autouse=True)
def small_budget(monkeypatch):
    monkeypatch.setattr(http, "LARGEST_ANSWER", SMALL)
    monkeypatch.setattr(http, "LARGEST_FILE", SMALL)
    monkeypatch.setattr(http, "WHOLE_SECONDS", SHORT)


def bomb(size=256 << 20):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    return HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed


TOO_MUCH = {
    "a body without end": lambda: (HEAD + b"\r\n", *repeat(bytes(1 << 16), 1000)),
    "chunks without end": lambda: (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        *repeat(b"10000\r\n" + bytes(1 << 16) + b"\r\n", 1000),
    ),
    "trailers without end": lambda: (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n",
        *repeat(b"X: " + b"y" * 60000 + b"\r\n", 1000),
    ),
    "go on, for ever": lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 1000),
    "a length of terabytes": lambda: (HEAD + b"Content-Length: 99999999999999\r\n\r\n", *repeat(bytes(1 << 16), 1000)),
    "a bomb": lambda: (bomb(),),
    "packed as nobody asked": lambda: (HEAD + b"Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx",),
    "not packed at all": lambda: (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxyz",),
}


@pytest.mark.parametrize("parts", TOO_MUCH.values(), ids=TOO_MUCH)
@pytest.mark.parametrize("asked", ["json", "file"])
def test_an_answer_that_is_too_long_is_refused_soon(hostile, tmp_path, parts, asked):
    server = ComfyServer(hostile(parts))
    began = time.monotonic()
    tracemalloc.start()
    with pytest.raises((ServerRefused, ServerUnreachable), match=r"http://127.0.0.1:\d+ "):
        server.system_stats() if asked == "json" else server.download({"filename": "a.png"}, tmp_path / "a.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.monotonic() - began < 10
    assert peak < 30 << 20, f"{peak >> 20} MB"


TRICKLES = {
    "its status": lambda: (b"H", *repeat(b"T", 1000)),
    "its headers": lambda: (HEAD, *repeat(b"X: y\r\n", 1000)),
    "its body": lambda: (HEAD + b"Content-Length: 5000\r\n\r\n", *repeat(b" ", 1000)),
    "its chunks": lambda: (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *repeat(b"1\r\n \r\n", 1000)),
    "nothing": lambda: (HEAD + b"Content-Length: 5000\r\n\r\n",),
}


@pytest.mark.parametrize("parts", TRICKLES.values(), ids=TRICKLES)
@pytest.mark.parametrize("asked", ["json", "file"])
def test_an_answer_that_trickles_is_given_up(hostile, tmp_path, parts, asked):
    server = ComfyServer(hostile(parts, pause=0.1))
    began = time.monotonic()
    with pytest.raises(ServerUnreachable):
        server.system_stats(SHORT) if asked == "json" else server.download({"filename": "a.png"}, tmp_path / "a.png")
    assert time.monotonic() - began < SHORT + 1


@pytest.mark.parametrize(
    "head", [b"Content-Length: -5", b"Content-Length: x", b"Content-Length: 5\r\nContent-Length: 9"]
)
def test_a_length_that_is_none_is_no_traceback(hostile, head):
    with suppress(ServerRefused, ServerUnreachable):
        ComfyServer(hostile(lambda: (HEAD + head + b"\r\n\r\n{}",))).system_stats(SHORT)


def test_an_answer_that_is_packed_is_read(hostile):
    packed = gzip.compress(json.dumps({"system": "x" * 200_000}).encode())
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    assert len(ComfyServer(hostile(lambda: (head + packed,))).system_stats()["system"]) == 200_000


def test_a_connection_is_kept_with_its_patience_after_a_short_budget(hostile):
    answer = HEAD + b"Content-Length: 2\r\n\r\n{}"
    server = ComfyServer(hostile(lambda: (answer, answer), pause=0.3))
    server.system_stats(0.5)
    time.sleep(0.4)
    assert server.system_stats() == {}


DOWNLOADS = {
    "a body without end": TOO_MUCH["a body without end"],
    "a length of terabytes": TOO_MUCH["a length of terabytes"],
    "packed": lambda: (bomb(1 << 20),),
}


@pytest.mark.parametrize("parts", DOWNLOADS.values(), ids=DOWNLOADS)
@pytest.mark.parametrize("size", [None, 1000])
def test_a_download_has_an_end(hostile, tmp_path, monkeypatch, parts, size):
    monkeypatch.setattr(web, "LARGEST", SMALL)
    part = web.Part(tmp_path / "model.part")
    with pytest.raises(web.SourceFailed, match=r"bytes|packs"):
        web.fetch(hostile(parts), part, size, lambda done: None)
    assert part.size() <= SMALL + answers.OVERHEAD + web.CHUNK


def test_a_download_that_trickles_is_given_up_although_it_gets_on(hostile, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "WHOLE_SECONDS", SHORT)
    url = hostile(TRICKLES["its body"], pause=0.1)
    began = time.monotonic()
    with pytest.raises(web.SourceFailed, match="bytes a second"):
        web.fetch(url, web.Part(tmp_path / "model.part"), 5000, lambda done: None)
    assert time.monotonic() - began < SHORT + 1
