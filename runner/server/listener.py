"""Progress of one server run by WebSocket. It is only ever looked at: losing it changes nothing but the display."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

CONNECT_SECONDS = 2.0
LISTEN_SECONDS = 0.5
"""How long the thread listens before it looks whether it should end."""

TERMINAL = frozenset({"execution_success", "execution_error", "execution_interrupted"})


@dataclass(frozen=True)
class Message:
    """A message of the server about our prompt, and when it arrived (seconds of the monotonic clock)."""

    kind: str
    data: Mapping[str, Any]
    at: float


class Listener:
    """Collects a prompt's messages in a thread, which opens, reads and closes the socket all by itself."""

    def __init__(self, url: str, prompt_id: str, headers: Mapping[str, str] | None = None) -> None:
        self.finished = threading.Event()
        self._connected, self._ending, self._open = threading.Event(), threading.Event(), threading.Event()
        self._messages: SimpleQueue[Message] = SimpleQueue()
        self._url, self._prompt_id, self._headers = url, prompt_id, dict(headers or {})
        self._thread = threading.Thread(target=self._listen, name="likeness-progress", daemon=True)

    def start(self) -> None:
        """Connect, and go on after two seconds at most, connected or not."""
        self._thread.start()
        self._connected.wait(CONNECT_SECONDS)

    def end(self) -> None:
        """Ask the thread to close its socket; does not wait."""
        self._ending.set()

    def settle(self, seconds: float) -> None:
        """Wait for the last message, which can arrive after the result does, while the socket is open."""
        if self._open.is_set():
            self.finished.wait(seconds)

    def messages(self) -> list[Message]:
        """What has arrived since the last call."""
        found: list[Message] = []
        with suppress(Empty):
            while True:
                found.append(self._messages.get_nowait())
        return found

    def _listen(self) -> None:
        import websocket

        try:
            socket = websocket.create_connection(self._url, timeout=CONNECT_SECONDS, header=self._headers)
        except (OSError, websocket.WebSocketException):
            self._connected.set()
            return
        self._open.set()
        self._connected.set()
        socket.settimeout(LISTEN_SECONDS)
        with suppress(OSError, websocket.WebSocketException):
            while not self._ending.is_set():
                with suppress(websocket.WebSocketTimeoutException):
                    self._take(socket.recv())
        self._open.clear()
        with suppress(OSError, websocket.WebSocketException):
            socket.close(timeout=1)

    def _take(self, frame: str | bytes) -> None:
        """Keep what is about our prompt; binary previews, other packs' messages and rubbish are passed over."""
        if not isinstance(frame, str):
            return
        try:
            message = json.loads(frame)
        except ValueError:
            return
        data = message.get("data") if isinstance(message, dict) else None
        if not isinstance(data, dict) or data.get("prompt_id") != self._prompt_id:
            return
        kind = str(message.get("type"))
        self._messages.put(Message(kind, data, time.monotonic()))
        if kind in TERMINAL:
            self.finished.set()
