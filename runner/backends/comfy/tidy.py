"""Deletes our own history entries on a server, in the background: nobody has to wait for that."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

from .server import ComfyServer

GATHER_SECONDS = 1.0
"""How long ids are gathered, so that one request deletes the entries of many short jobs."""

CLOSE_SECONDS = 2.0
"""How long closing waits for the last entries; a server that is away has lost them anyway."""


class Tidy:
    """Takes ids of collected prompts and deletes their entries, several at a time where they come quickly."""

    def __init__(self, server: ComfyServer) -> None:
        self._server = server
        self._ids: SimpleQueue[str | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def forget(self, prompt_id: str) -> None:
        """Delete this prompt's entry soon."""
        self._ids.put(prompt_id)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="likeness-tidy", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Delete what is left, and end."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._ids.put(None)
            thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        while True:
            ids = [self._ids.get()]
            deadline = time.monotonic() + GATHER_SECONDS
            while ids[-1] is not None and (left := deadline - time.monotonic()) > 0:
                with suppress(Empty):
                    ids.append(self._ids.get(timeout=left))
            known = [prompt_id for prompt_id in ids if prompt_id is not None]
            if known:
                self._server.forget(*known)
            if len(known) < len(ids):
                return
