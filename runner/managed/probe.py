"""Asks one server, from a thread, whether it answers and whether it has work."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

_ANSWER_SECONDS = 5.0
_START_SECONDS = 0.25
_IDLE_SECONDS = 0.05


def ask(url: str, path: str) -> Any:
    """The JSON that a server of this machine answers to GET. Raises OSError or ValueError.

    The standard library's client: a supervisor that runs for weeks needs no more, and stays small.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        # The server is our own child on this machine, and its certificate is made out to another name.
        unverified = ssl._create_unverified_context()  # noqa: S323
        connection: HTTPConnection = HTTPSConnection(host, parts.port, timeout=_ANSWER_SECONDS, context=unverified)
    else:
        connection = HTTPConnection(host, parts.port, timeout=_ANSWER_SECONDS)
    with closing(connection):
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except HTTPException as error:
            raise ValueError(str(error)) from error
    if response.status != 200:
        raise ValueError(f"{path} was answered with {response.status}")
    return json.loads(body)


class Probe(threading.Thread):
    """Watches one life of a server until `end`. `changed` is called when an answer matters to the supervisor.

    `arguments` are what ComfyUI was started with: an answer that names others comes from somebody else's server.
    """

    def __init__(self, url: str, arguments: Sequence[str], seconds: float, changed: Callable[[], None]) -> None:
        super().__init__(name="likeness-probe", daemon=True)
        self._url, self._arguments, self._seconds, self._changed = url, list(arguments), seconds, changed
        self._ended = threading.Event()
        self._hurry = threading.Event()
        self.ready = False
        self.answered = time.monotonic()
        self.idle_since: float | None = None
        self.collected = False

    def run(self) -> None:
        """Ask again and again."""
        while not self._ended.is_set():
            if self._hurry.is_set():
                self._ask_idle()
            if not self._hurry.is_set() or time.monotonic() - self.answered >= self._seconds:
                self._ask_alive()
            self._pause()

    def watch_queue(self) -> None:
        """From now on ask for the queue, too, and often."""
        self._hurry.set()

    def end(self) -> None:
        """Stop asking."""
        self._ended.set()
        self._hurry.set()

    def _pause(self) -> None:
        if self._hurry.is_set():
            self._ended.wait(_IDLE_SECONDS)
        elif self.ready:
            self._hurry.wait(self._seconds)
        else:
            self._ended.wait(_START_SECONDS)

    def _ask_alive(self) -> None:
        try:
            answer = ask(self._url, "/system_stats")
            named = answer["system"].get("argv")
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return
        if named is not None and named != self._arguments:
            return
        self.answered = time.monotonic()
        if not self.ready:
            self.ready = True
            self._changed()

    def _ask_idle(self) -> None:
        try:
            queue = ask(self._url, "/queue")
            busy = bool(queue["queue_running"] or queue["queue_pending"])
            self.collected = not busy and ask(self._url, "/history?max_items=1") == {}
        except (OSError, ValueError, TypeError, KeyError):
            return
        if busy:
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = time.monotonic()
        if not busy:
            self._changed()
