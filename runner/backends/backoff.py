"""Waiting for a server that is away: pauses that grow, with jitter, up to a bound, broken off when the user stops."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

from ...core.errors import Interrupted
from ...core.interrupt import Stopped, never

FIRST_SECONDS, GROWTH, LONGEST_SECONDS = 0.2, 1.7, 5.0

_chance = random.Random()  # noqa: S311 - jitter is no secret

TICK_SECONDS = 0.1
"""How often a pause looks whether the user has stopped the run."""


def backoff(first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS) -> Iterator[float]:
    """Pauses in seconds without end: exponential up to `longest`, each shortened by up to a half at random.

    The jitter keeps many clients from meeting a returning server all at once.
    """
    pause = first
    while True:
        yield pause * _chance.uniform(0.5, 1.0)
        pause = min(pause * GROWTH, longest)


def wait_unless_stopped(seconds: float, check: Callable[[], None]) -> None:
    """Sleep, and call `check` ten times a second, which may raise."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        check()
        time.sleep(min(left, TICK_SECONDS))
    check()


class OutageWait:
    """How long something that is away is waited for: `seconds` in all. Raises Interrupted once `stopped`."""

    def __init__(self, seconds: float, stopped: Stopped = never) -> None:
        self.seconds = seconds
        self._stopped = stopped
        self._deadline = time.monotonic() + seconds
        self._pauses = backoff()

    def check(self) -> None:
        """Raise Interrupted when the user has stopped the run."""
        if self._stopped():
            raise Interrupted("The run was stopped.")

    def pause(self) -> bool:
        """Wait a while, longer each time; False, at once, when the time is up."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            return False
        wait_unless_stopped(min(next(self._pauses), left), self.check)
        return True
