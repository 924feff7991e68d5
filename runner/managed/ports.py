"""Which address a server listens on: only this machine unless told, and a port that nobody has."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Collection

from ..errors import PortTaken

PREFERRED = 8188
"""ComfyUI's own default."""

_TICK_SECONDS = 0.1
_TRIES = 200


def is_loopback(listen: str) -> bool:
    """Whether every address of a comma-separated list can be reached from this machine only."""
    return all(_is_loopback(address.strip()) for address in listen.split(","))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def reachable_host(listen: str) -> str:
    """The address under which this machine itself reaches a server that listens on `listen`."""
    first = listen.split(",")[0].strip()
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(first, first)  # noqa: S104 - read, not bound


def is_free(listen: str, port: int) -> bool:
    """Whether `port` can be listened on at each address of `listen`, and nobody answers there."""
    return all(_is_free(address.strip(), port) for address in listen.split(","))


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.settimeout(1.0)
            if probe.connect_ex((reachable_host(address), port)) == 0:
                return False
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
    except OSError:
        return False
    return True


def wait_free(listen: str, port: int, seconds: float) -> bool:
    """Wait until `port` is free, `seconds` at most; whether it is."""
    deadline = time.monotonic() + seconds
    while not is_free(listen, port):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_TICK_SECONDS)
    return True


def choose(listen: str, wanted: int | None, avoid: Collection[int] = ()) -> int:
    """`wanted` itself, or else the first free port from ComfyUI's default on. Raises PortTaken.

    `avoid`: ports that were given to others who do not listen yet.
    """
    if wanted is not None:
        if wanted in avoid or not is_free(listen, wanted):
            raise PortTaken(
                f"Port {wanted} on {listen} is taken or not allowed; stop what listens there, or leave out --port."
            )
        return wanted
    for port in range(PREFERRED, PREFERRED + _TRIES):
        if port not in avoid and is_free(listen, port):
            return port
    raise PortTaken(f"No port from {PREFERRED} to {PREFERRED + _TRIES - 1} is free on {listen}; give one with --port.")
