"""Limits of a WebSocket that the library does not have: bytes and seconds of its handshake, bytes of a message."""

from __future__ import annotations

from functools import cache
from typing import Any

from ....core.models.answers import Budget, TooMuch

CONNECT_SECONDS = 2.0
"""How long the socket may be silent before it is open."""

HANDSHAKE_SECONDS = 5.0
"""For all headers of the handshake together; of bytes they have `answers.OVERHEAD`."""

LARGEST_FRAME = 16 << 20
"""Bytes of a message, all its fragments together: a preview has a hundredth of that."""

FRAGMENT_BYTES = 64
"""What a fragment needs in memory besides its bytes: one may be empty."""


def bound_frames(socket: Any) -> None:
    """Make the socket fail on a frame that announces more than a message may have, instead of collecting it."""
    from websocket import WebSocketPayloadException

    collect = socket.frame_buffer.recv_strict

    def recv_strict(size: int) -> bytes:
        if size > LARGEST_FRAME:
            raise WebSocketPayloadException(f"a frame of {size:,} bytes")
        return collect(size)

    socket.frame_buffer.recv_strict = recv_strict


class _Greeting:
    """A socket whose first answer, the headers of the handshake, has a budget of bytes and seconds.

    The library reads them byte by byte without either, and a timeout of a socket starts anew with each byte.
    """

    def __init__(self, plain: Any) -> None:
        self.plain, self._budget = plain, Budget(HANDSHAKE_SECONDS, 0)

    def recv(self, size: int) -> bytes:
        """Raises WebSocketException, and what the socket raises."""
        from websocket import WebSocketException

        left = self._budget.left()
        if left <= 0:
            raise WebSocketException(f"the handshake took longer than {HANDSHAKE_SECONDS:g} s")
        self.plain.settimeout(min(left, CONNECT_SECONDS))
        data = self.plain.recv(size)
        try:
            self._budget.take(len(data))
        except TooMuch as error:
            raise WebSocketException(str(error)) from error
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)


@cache
def socket_class() -> Any:
    """The library's WebSocket with a budget for its handshake; the library is imported when it is needed."""
    from websocket import WebSocket

    library: Any = WebSocket

    class Greeted(library):
        _sock: Any = None

        @property
        def sock(self) -> Any:
            return self._sock

        @sock.setter
        def sock(self, plain: Any) -> None:
            self._sock = None if plain is None or self.connected else _Greeting(plain)

        def greeted(self) -> None:
            """The handshake is over: from now on the socket is read as it is."""
            self._sock = self._sock.plain

    return Greeted


class Fragments:
    """Puts the fragments of a message together, as long as it is not too long."""

    def __init__(self) -> None:
        self._kind, self._parts, self._size = 0, [], 0

    def add(self, code: int, frame: Any) -> str | bytes | None:
        """The whole message, once its last fragment has come. Raises WebSocketPayloadException."""
        from websocket import ABNF, WebSocketPayloadException

        if code not in (ABNF.OPCODE_CONT, ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY):
            return b""
        if code != ABNF.OPCODE_CONT:
            self._kind, self._parts, self._size = code, [], 0
        self._parts.append(frame.data)
        self._size += len(frame.data) + FRAGMENT_BYTES
        if self._size > LARGEST_FRAME:
            raise WebSocketPayloadException("a message without end")
        if not frame.fin:
            return None
        whole, self._parts = b"".join(self._parts), []
        return whole.decode("utf-8", "replace") if self._kind == ABNF.OPCODE_TEXT else whole
