"""The places where a batch's jobs run: how busy and how healthy each is, and which takes the next job."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from ...core.errors import LikenessError
from .backoff import backoff
from .base import Backend

PROBE_FIRST, PROBE_LONGEST = 0.5, 30.0
"""Seconds between two looks at a server that is down: at first, and at most."""

PROBE_SECONDS = 3.0
"""How long a server may take to answer a look."""

RECENT = 50
"""How many of a server's last jobs its median time is made of."""


@dataclass
class Place:
    """One backend, and how busy and how healthy it is."""

    backend: Backend
    in_flight: int = 0
    done: int = 0
    error: LikenessError | None = None
    trial: bool = False
    times: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    pauses: Iterator[float] = field(default_factory=lambda: backoff(PROBE_FIRST, PROBE_LONGEST))
    next_try: float = 0.0
    unsuited: bool = False

    @property
    def name(self) -> str:
        """What the backend is called."""
        return self.backend.name

    @property
    def capacity(self) -> int:
        """How many jobs it takes at a time."""
        return self.backend.capacity

    @property
    def down(self) -> bool:
        """Whether it gets no jobs."""
        return self.error is not None

    @property
    def room(self) -> int:
        """How many more jobs it takes now; one while it is on trial."""
        if self.down:
            return 0
        return (1 if self.trial else self.capacity) - self.in_flight

    @property
    def median(self) -> float | None:
        """Seconds that one of its jobs takes."""
        return statistics.median(self.times) if self.times else None

    def probe(self) -> LikenessError | None:
        """Ask the backend whether it is there."""
        return self.backend.probe(PROBE_SECONDS)


class Fleet:
    """All places of a batch. A place with a fault gets no jobs, is looked at with growing pauses, and is then tried
    with one job before it gets its full share again. `on_change` is called when one goes down or comes back.
    """

    def __init__(self, places: Sequence[Place], on_change: Callable[[Place], None] = lambda place: None) -> None:
        self.places = list(places)
        self.changed = threading.Event()
        self._on_change = on_change
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._down_since: float | None = None
        self._ask_all()
        self._prober = threading.Thread(target=self._probe, name="likeness-health", daemon=True)
        self._prober.start()

    def _ask_all(self) -> None:
        """Ask every server once whether it is there, so that none is given a job before it has answered."""
        with ThreadPoolExecutor(max(len(self.places), 1), thread_name_prefix="likeness-health") as pool:
            for place, error in zip(self.places, pool.map(Place.probe, self.places), strict=True):
                if error is not None:
                    self.trip(place, error)

    def close(self) -> None:
        """Look no more, and close the connections."""
        self._closing.set()
        for place in self.places:
            place.backend.close()

    def take(self) -> Place | None:
        """Reserve room for one job at the least loaded place, of those the quickest; None where all are full."""
        with self._lock:
            free = [place for place in self.places if place.room > 0 and not place.backend.resting()]
            if not free:
                return None
            chosen = min(free, key=lambda place: (place.in_flight / place.capacity, place.median or 0.0))
            chosen.in_flight += 1
            return chosen

    def give_back(self, place: Place, seconds: float | None = None) -> None:
        """A job has ended there, well if it took `seconds`."""
        with self._lock:
            place.in_flight -= 1
            if seconds is not None:
                place.times.append(seconds)
                place.done += 1
            if not place.down:
                place.trial = False
                place.pauses = backoff(PROBE_FIRST, PROBE_LONGEST)
        self.changed.set()

    def trip(self, place: Place, error: LikenessError, *, unsuited: bool = False) -> None:
        """Give it no more jobs until it answers again; never again in this batch when it is `unsuited`."""
        with self._lock:
            fresh = not place.down
            place.error, place.trial, place.unsuited = error, False, place.unsuited or unsuited
            place.next_try = time.monotonic() + next(place.pauses)
            if self._down_since is None and all(each.down for each in self.places):
                self._down_since = time.monotonic()
        if fresh:
            self._on_change(place)
        self.changed.set()

    @property
    def down_for(self) -> float:
        """Seconds for which no place has been up; 0 while one is."""
        since = self._down_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def hopeless(self) -> bool:
        """Whether no place can ever run the workflow."""
        return all(place.unsuited for place in self.places)

    def views(self) -> tuple[ServerView, ...]:
        """The places as they are now."""
        now = time.monotonic()
        with self._lock:
            return tuple(
                ServerView(
                    url=place.name,
                    state="down" if place.down else "trial" if place.trial else "ready",
                    in_flight=place.in_flight,
                    capacity=place.capacity,
                    done=place.done,
                    median_seconds=place.median,
                    last_error=str(place.error) if place.error else None,
                    next_try=max(place.next_try - now, 0.0) if place.down and not place.unsuited else None,
                )
                for place in self.places
            )

    def _probe(self) -> None:
        while not self._closing.wait(0.1):
            now = time.monotonic()
            for place in self.places:
                if place.down and not place.unsuited and place.next_try <= now:
                    self._look(place)

    def _look(self, place: Place) -> None:
        error = place.probe()
        with self._lock:
            if error is not None:
                place.error, place.next_try = error, time.monotonic() + next(place.pauses)
                return
            place.error, place.trial = None, True
            self._down_since = None
        self._on_change(place)
        self.changed.set()


@dataclass(frozen=True)
class ServerView:
    """One server at one moment. `next_try` is in seconds from now, where the server is down.

    `state` is trial while one job is tried on a server that was down.
    """

    url: str
    state: Literal["ready", "down", "trial"]
    in_flight: int = 0
    capacity: int = 1
    done: int = 0
    median_seconds: float | None = None
    last_error: str | None = None
    next_try: float | None = None
