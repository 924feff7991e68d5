"""Ctrl-C and SIGTERM are answered within two seconds, whatever the work is doing at that moment."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from .errors import Interrupted

T = TypeVar("T")

GRACE_SECONDS = 1.2
"""How long the work may take to end by itself once it was told to."""

LAST_WISH_SECONDS = 0.5
"""How long what was asked for in case of a forced end may take; with the grace it stays within two seconds."""

TICK_SECONDS = 0.05

_last_wishes: dict[object, Callable[[], None]] = {}


@contextmanager
def last_wish(wish: Callable[[], None]) -> Iterator[None]:
    """Have `wish` called if the work inside this block hangs when the process must end.

    It runs in a thread of its own, for a moment only: what it does must not depend on the work that hangs.
    """
    key = object()
    _last_wishes[key] = wish
    try:
        yield
    finally:
        del _last_wishes[key]


def _grant_last_wishes() -> None:
    threads = [threading.Thread(target=wish, daemon=True) for wish in list(_last_wishes.values())]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + LAST_WISH_SECONDS
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))


def stoppable(work: Callable[[Stopped], T], stopped: Stopped | None = None) -> T:
    """Run `work` in a thread and hand it a function that says whether to stop; signals are taken here meanwhile.

    With `stopped`, somebody else decides that: `work` is simply called with it.

    Native code cannot be broken off: if the work has not ended within the grace, or a second signal comes, Interrupted
    is raised all the same and the thread is left to the end of the process. Outside of the main thread, where Python
    takes no signals, `work` is simply called.
    """
    if stopped is not None:
        return work(stopped)
    if threading.current_thread() is not threading.main_thread():
        return work(never)
    stop, force, ended = threading.Event(), threading.Event(), threading.Event()
    outcome: list[T] = []
    failure: list[BaseException] = []

    def body() -> None:
        try:
            outcome.append(work(stop.is_set))
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            failure.append(error)
        finally:
            ended.set()

    def on_signal(*_: object) -> None:
        (force if stop.is_set() else stop).set()

    thread = threading.Thread(target=body, name="likeness-run", daemon=True)
    with _signals(on_signal):
        thread.start()
        while not ended.wait(TICK_SECONDS) and not stop.is_set():
            continue
        left = int(GRACE_SECONDS / TICK_SECONDS)
        while not ended.wait(TICK_SECONDS) and left > 0 and not force.is_set():
            left -= 1
    if failure:
        raise failure[0]
    if not outcome:
        _grant_last_wishes()
        raise Interrupted("The run was stopped.")
    return outcome[0]


def work_is_left() -> bool:
    """Whether a stopped run's thread is still in native code, so that the process must not wait for it."""
    return any(thread.name == "likeness-run" for thread in threading.enumerate())


@contextmanager
def _signals(handler: Callable[..., None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


Stopped = Callable[[], bool]


def never() -> bool:
    """The answer of someone who never stops a run."""
    return False
