"""From an address to the backend that runs workflows there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .base import Backend


@dataclass(frozen=True)
class BackendOptions:
    """How to use a place; this process needs none of it.

    `headers` go with every request. `capacity` is how many runs at a time the place is given. `wait_seconds` bounds the
    wait for a server that does not answer at the start, `outage_seconds` for one that goes away during a run.
    `previews` also fetches pictures that are only shown, `keep_history` leaves the server's history alone, and
    `allow_black` accepts completely black pictures.
    """

    headers: Mapping[str, str] | None = field(default=None, repr=False, compare=False)
    capacity: int = 2
    wait_seconds: float = 10.0
    outage_seconds: float = 120.0
    previews: bool = False
    keep_history: bool = False
    allow_black: bool = False


def connect(address: str | None = None, options: BackendOptions | None = None) -> Backend:
    """The backend for a ComfyUI server's URL, for the managed server ``@NAME``, or, without one, for this process.

    Nothing is sent yet. Raises BadServerAddress, NoManagedServer, and ServerUnreachable where the URL leads nowhere.
    """
    if address is None:
        from .local import LocalEngine

        return LocalEngine()
    from .comfy.backend import ServerBackend

    chosen = options or BackendOptions()
    return ServerBackend(
        address,
        chosen.headers,
        capacity=chosen.capacity,
        wait_seconds=chosen.wait_seconds,
        outage_seconds=chosen.outage_seconds,
        previews=chosen.previews,
        keep_history=chosen.keep_history,
        allow_black=chosen.allow_black,
    )
