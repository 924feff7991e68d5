"""A proxy in front of a ComfyUI: it records every request, passes all through, and goes wrong where a rule says so.

Without a rule HTTP and WebSocket go through byte for byte. A rule is a path's beginning and a fault; the faults that
tests use are in `wrongs.py`. A proxy whose rules answer everything needs no server behind it.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

TEXT, BINARY, CLOSE = 1, 2, 8
"""WebSocket opcodes (RFC 6455)."""

UPSTREAM_SECONDS = 60.0
CHUNK = 1 << 16


class Cut(Exception):
    """End this connection with a reset."""


@dataclass(frozen=True)
class Message:
    """An HTTP request or answer. `raw` is what went over the wire, `body` without its transfer encoding."""

    start: str
    headers: dict[str, str]
    body: bytes
    raw: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def method(self) -> str:
        return self.start.split(" ")[0]

    @property
    def path(self) -> str:
        return urlsplit(self.start.split(" ")[1]).path

    @property
    def query(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.start.split(" ")[1]).query).items()}

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Frame:
    """A WebSocket frame from the server, whole as it came or made by a test."""

    opcode: int
    payload: bytes

    @property
    def raw(self) -> bytes:
        size = len(self.payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | self.opcode, size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x80 | self.opcode, 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | self.opcode, 127, size)
        return head + self.payload

    def json(self) -> Any:
        """The message, or None for frames that are no JSON."""
        with suppress(ValueError):
            return json.loads(self.payload) if self.opcode == TEXT else None
        return None


FrameFault = Callable[[Frame], Iterable[Frame]]
"""What to send the client for one frame of the server; may raise Cut."""


class Exchange:
    """One request of a client, and what a fault can do with it."""

    def __init__(self, request: Message, client: socket.socket, upstream: Upstream) -> None:
        self.request, self.client, self._upstream = request, client, upstream

    def forward(self) -> Message:
        """Let the server have the request; return its answer without giving it to the client."""
        return self._upstream.ask(self.request)

    def forward_later(self, seconds: float) -> None:
        """Let the server have the request after a while, whatever becomes of the client; its answer is lost."""

        def body() -> None:
            time.sleep(seconds)
            again = self._upstream.another()
            with suppress(OSError):
                again.ask(self.request)
            again.close()

        threading.Thread(target=body, daemon=True).start()

    def send(self, data: bytes) -> None:
        """Give the client these bytes."""
        self.client.sendall(data)

    def answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        """Give the client an answer of our own."""
        head = f"HTTP/1.1 {status} Answer\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.send(head.encode() + body)

    def open_socket(self, fault: FrameFault) -> None:
        """Let the WebSocket through; `fault` gets each frame of the server."""
        handshake = self.forward()
        self.send(handshake.raw)
        threading.Thread(target=self._upwards, daemon=True).start()
        try:
            while True:
                for frame in fault(self._upstream.frame()):
                    self.send(frame.raw)
        finally:
            self.client.shutdown(socket.SHUT_RDWR)

    def _upwards(self) -> None:
        with suppress(OSError):
            while data := self.client.recv(CHUNK):
                self._upstream.socket.sendall(data)
            self._upstream.socket.shutdown(socket.SHUT_RDWR)


Fault = Callable[[Exchange], None]


class Upstream:
    """The connection to the server that belongs to one connection of a client; opened when it is first used."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._stream: BinaryIO | None = None

    def another(self) -> Upstream:
        """One more connection to the same server."""
        return Upstream(self._address)

    @property
    def socket(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, UPSTREAM_SECONDS)
            self._stream = self._socket.makefile("rb")
        return self._socket

    def ask(self, request: Message) -> Message:
        self.socket.sendall(request.raw)
        assert self._stream is not None
        answer = read_message(self._stream)
        if answer is None:
            raise ConnectionResetError("the server closed the connection")
        if answer.status == 101:
            self.socket.settimeout(None)
        return answer

    def frame(self) -> Frame:
        assert self._stream is not None
        first, second = _exactly(self._stream, 2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", _exactly(self._stream, 2))
        elif size == 127:
            (size,) = struct.unpack("!Q", _exactly(self._stream, 8))
        return Frame(first & 0x0F, _exactly(self._stream, size))

    def close(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ConnectionResetError("the other side closed the connection")
    return data


def read_message(stream: BinaryIO) -> Message | None:
    """The next request or answer, or None at the end of the connection."""
    lines = []
    while (line := stream.readline()) not in {b"\r\n", b""}:
        lines.append(line)
    if not lines:
        return None
    head = b"".join(lines) + b"\r\n"
    start, *fields = head.decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in fields)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body, coded = _chunks(stream)
        return Message(start, headers, body, head + coded)
    if "content-length" in headers:
        body = _exactly(stream, int(headers["content-length"]))
    else:
        is_answer, has_body = start.startswith("HTTP/"), start.split(" ")[1] not in {"101", "204", "304"}
        body = stream.read() if is_answer and has_body else b""
    return Message(start, headers, body, head + body)


def _chunks(stream: BinaryIO) -> tuple[bytes, bytes]:
    body, coded = b"", b""
    while True:
        line = stream.readline()
        size = int(line.split(b";")[0], 16)
        data = _exactly(stream, size + 2)
        body, coded = body + data[:-2], coded + line + data
        if size == 0:
            return body, coded


@dataclass
class Rule:
    """A fault for requests whose path begins with `path`; `times` of them, or all."""

    method: str | None
    path: str
    fault: Fault
    times: int | None


class Proxy:
    """Listens on a free port of this machine until `close`."""

    def __init__(self, upstream: str = "http://127.0.0.1:9") -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._clients: set[socket.socket] = set()
        self.port = 0
        self.rules: list[Rule] = []
        self.requests: list[Message] = []
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, method: str | None, path: str, fault: Fault, *, times: int | None = None) -> None:
        """Add a rule; the latest that fits a request counts."""
        self.rules.insert(0, Rule(method, path, fault, times))

    def seen(self, method: str, path: str) -> list[Message]:
        """The requests so far whose path begins with `path`."""
        return [r for r in list(self.requests) if r.method == method and r.path.startswith(path)]

    def up(self) -> None:
        """Listen, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections and end those that are open, as a server does that died."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    close = down

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        upstream = Upstream(self._upstream)
        with self._lock:
            self._clients.add(client)
        try:
            with client.makefile("rb") as stream:
                while (request := read_message(stream)) is not None:
                    self.requests.append(request)
                    self._fault(request)(Exchange(request, client, upstream))
        except (Cut, OSError, ValueError) as end:
            if isinstance(end, Cut):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            with self._lock:
                self._clients.discard(client)
            upstream.close()
            client.close()

    def _fault(self, request: Message) -> Fault:
        with self._lock:
            for rule in self.rules:
                fits = rule.method in {None, request.method} and request.path.startswith(rule.path)
                if fits and rule.times != 0:
                    rule.times = None if rule.times is None else rule.times - 1
                    return rule.fault
        return pass_through


def pass_through(exchange: Exchange) -> None:
    """No fault."""
    if "websocket" in exchange.request.headers.get("upgrade", "").lower():
        exchange.open_socket(lambda frame: [frame])
    else:
        exchange.send(exchange.forward().raw)
