"""The runs of a backend that have begun and not ended, so that one of them can be stopped by its id."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...core.interrupt import Stopped


class RunsUnderWay:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._stops: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    @contextmanager
    def enter(self, prompt_id: str, stopped: Stopped) -> Iterator[Stopped]:
        """A run from its begin to its end; gives what it has to ask instead of `stopped`."""
        stop = threading.Event()
        with self._lock:
            self._stops[prompt_id] = stop
        try:
            yield lambda: stop.is_set() or stopped()
        finally:
            with self._lock:
                if self._stops.get(prompt_id) is stop:
                    del self._stops[prompt_id]

    def stop(self, prompt_id: str) -> bool:
        """Have the run of that id stop; whether it is one of these."""
        with self._lock:
            stop = self._stops.get(prompt_id)
        if stop is None:
            return False
        stop.set()
        return True
