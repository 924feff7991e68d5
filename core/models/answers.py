"""What an answer may cost: seconds and bytes for the whole of it, counted where they leave the socket, and unpacked.

A timeout of a socket starts anew with each byte: a server that trickles would keep a program for ever. Here the bytes
of an answer, its headers and chunks among them, are counted and timed where they come out of the socket.
"""

from __future__ import annotations

import io
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from http.client import HTTPResponse
from socket import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

CHUNK = 1 << 16

WHOLE_SECONDS = 120.0
"""A whole answer takes no longer, where the request does not say how long; a file gets one more for each `SLOWEST`."""

OVERHEAD = 1 << 20
"""Bytes of headers, chunk sizes and trailers that an answer may have besides its body."""

SLOWEST = 1 << 15
"""Bytes a second, on average, below which a long answer is given up: a slow telephone line is faster."""


class TooMuch(Exception):
    """An answer is longer than it may be, or packed so that its length cannot be known."""


class Budget:
    """`seconds` for an answer of `most` bytes at most; one that `may_be_long` gets one more for each `SLOWEST`."""

    def __init__(self, seconds: float, most: int, *, may_be_long: bool = False) -> None:
        self.seconds, self.most = seconds, most
        self._rate = SLOWEST if may_be_long else None
        self._began: float | None = None
        self._came = 0

    def left(self) -> float:
        """Seconds that are left; they run from the first call on."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
        earned = self._came / self._rate if self._rate else 0.0
        return self._began + self.seconds + earned - now

    @property
    def spent(self) -> bool:
        """Whether the time is over."""
        return self.left() <= 0

    def take(self, count: int) -> None:
        """Count bytes off the wire. Raises TooMuch."""
        self._came += count
        if self._came > self.most + OVERHEAD:
            raise TooMuch(f"it is longer than the {self.most:,} bytes that are taken")


_budget: ContextVar[Budget | None] = ContextVar("likeness_answer_budget", default=None)


@contextmanager
def within(budget: Budget) -> Iterator[None]:
    """Requests that are sent in this block, in this thread, have answers within `budget`."""
    token = _budget.set(budget)
    try:
        yield
    finally:
        _budget.reset(token)


class _Counted(io.RawIOBase):
    """What a socket gives, counted and timed."""

    def __init__(self, raw: io.RawIOBase, connection: socket, budget: Budget) -> None:
        self._raw, self._socket, self._budget = raw, connection, budget
        self._pause = connection.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._budget.left()
        if left <= 0:
            raise TimeoutError(f"the whole answer took longer than {self._budget.seconds:.0f} s")
        self._socket.settimeout(left if self._pause is None else min(left, self._pause))
        count = self._raw.readinto(buffer)  # type: ignore[attr-defined]
        self._budget.take(count or 0)
        return count

    def close(self) -> None:
        if not self.closed:
            with suppress(OSError):
                self._socket.settimeout(self._pause)
            self._raw.close()
        super().close()


class CountedResponse(HTTPResponse):
    """An answer within the budget of its request."""

    def __init__(self, sock: socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        budget = _budget.get()
        if budget is not None:
            self.fp = io.BufferedReader(_Counted(self.fp.detach(), sock, budget))  # type: ignore[attr-defined]


@cache
def _pools() -> dict[str, Any]:
    """urllib3's pools, of connections whose answers are counted; urllib3 is imported when it is needed."""
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class Connection(HTTPConnection):
        response_class = CountedResponse

    class SecureConnection(HTTPSConnection):
        response_class = CountedResponse

    class Pool(HTTPConnectionPool):
        ConnectionCls: Any = Connection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls: Any = SecureConnection

    return {"http": Pool, "https": SecurePool}


def count_answers(manager: PoolManager) -> PoolManager:
    """`manager`, whose answers heed `within`."""
    manager.pool_classes_by_scheme = _pools()
    return manager


def pieces(answer: BaseHTTPResponse, most: int) -> Iterator[bytes]:
    """The body of `answer`, unpacked, `most` bytes of it at the most. Raises TooMuch, and urllib3's HTTPError."""
    announced = answer.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        raise TooMuch(f"it announces {int(announced):,} bytes, and {most:,} are taken")
    came = 0
    for piece in _unpacked(answer, (answer.headers.get("content-encoding") or "identity").strip().lower()):
        came += len(piece)
        if came > most:
            raise TooMuch(f"it is longer than the {most:,} bytes that are taken")
        yield piece


def _unpacked(answer: BaseHTTPResponse, encoding: str) -> Iterator[bytes]:
    """The body in pieces of `CHUNK` bytes at most, however well it is packed."""
    packed = iter(lambda: answer.read(CHUNK, decode_content=False), b"")
    if encoding == "identity":
        yield from packed
        return
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise TooMuch(f"it is packed as {encoding[:20]!r}, which was not asked for")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        for piece in packed:
            while piece:
                yield unpacker.decompress(piece, CHUNK)
                piece = unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error as error:
        raise TooMuch(f"it cannot be unpacked ({error})") from error
