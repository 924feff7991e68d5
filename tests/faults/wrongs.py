"""What can go wrong between a client and a ComfyUI: faults for the rules of a `Proxy`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from likeness_studio.tests.faults.proxy import TEXT, Cut, Exchange, Fault, Frame, FrameFault, pass_through


def text(message: Any) -> Frame:
    """A text frame: a string as it is, anything else as JSON."""
    return Frame(TEXT, (message if isinstance(message, str) else json.dumps(message)).encode())


def cut_before(exchange: Exchange) -> None:
    """The connection breaks, and the server never sees the request."""
    raise Cut


def cut_after(exchange: Exchange) -> None:
    """The connection breaks after the server has answered: the client cannot know what became of its request."""
    exchange.forward()
    raise Cut


def answer(status: int, body: Any = b"", kind: str = "application/json") -> Fault:
    """An answer that the server never gave; what is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda exchange: exchange.answer(status, data, kind)


def late(seconds: float, then: Fault = pass_through) -> Fault:
    """The same, after a while."""

    def fault(exchange: Exchange) -> None:
        time.sleep(seconds)
        then(exchange)

    return fault


def changed(change: Callable[[Any], Any]) -> Fault:
    """The server's JSON, changed."""
    return lambda exchange: exchange.answer(200, json.dumps(change(exchange.forward().json())).encode())


def body_cut(exchange: Exchange) -> None:
    """Half of the answer, and then the connection breaks."""
    raw = exchange.forward().raw
    exchange.send(raw[: len(raw) // 2])
    time.sleep(0.05)
    raise Cut


def messages(fault: FrameFault) -> Fault:
    """A WebSocket whose frames go through `fault`."""
    return lambda exchange: exchange.open_socket(fault)


silent_socket: Fault = messages(lambda frame: [])
"""A WebSocket that opens and then says nothing for ever, not even to a ping."""


def dropping(kind: str) -> Fault:
    """A WebSocket that breaks when the server sends a message of this kind, which does not arrive any more."""

    def frames(frame: Frame) -> list[Frame]:
        message = frame.json()
        if isinstance(message, dict) and message.get("type") == kind:
            raise Cut
        return [frame]

    return messages(frames)
