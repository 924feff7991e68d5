"""What the tests of managed servers do with one: start it, speak to it, wait for it."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import httpx

from likeness_studio.runner import managed
from likeness_studio.runner.managed import Limits, state

PACK = Path(managed.__file__).resolve().parents[2]
HTTP = httpx.Client(trust_env=False, timeout=5)
QUICK = Limits(hang=1.5, start=20, crashes=4, window=60, backoff=0.05, grace=1, probe=0.1, quiet=0.4)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def known_of(name) -> Any:
    """What is known about a server; untyped, because the tests know what is there."""
    return state.read(name)


def start(options, *more, **named) -> Any:
    """A managed server; untyped, because the tests know what its state has at which moment."""
    return managed.start(options, *more, **named)


def post(server, word):
    return HTTP.post(f"{server.url}/{word}").json()


def pid(server):
    return HTTP.get(f"{server.url}/pid").json()


def until(check, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return value


def ready_again(server, since):
    """Its state when it is ready as another process than `since`."""

    def check():
        known = server.status()
        return known if known.state == "ready" and known.server and known.server.pid != since else None

    return until(check)


def children_of(parent):
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.add(int(folder.name))
    return found
