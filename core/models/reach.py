"""Whether a host answers at all, found out once and within seconds: behind a firewall connections just hang."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

PATIENCE = 4.0
"""Seconds for name lookup and connection together."""

FORGET_AFTER = 300.0
"""Seconds after which a silent host is tried again (a ComfyUI server runs for days)."""

_silent: dict[tuple[str, int], tuple[float, str]] = {}
_lock = threading.Lock()


def why_not(url: str) -> str:
    """Empty when the host of `url` (or the proxy on the way to it) takes connections, else the reason in a few words.

    A host that did not answer is remembered for `FORGET_AFTER` seconds, so that several models do not each wait.
    """
    target = _target(url)
    with _lock:
        since, reason = _silent.get(target, (0.0, ""))
        if reason and time.monotonic() - since < FORGET_AFTER:
            return reason
    reason = _try_to_connect(*target)
    with _lock:
        if reason:
            _silent[target] = (time.monotonic(), reason)
        else:
            _silent.pop(target, None)
    return reason


def give_up(url: str, why: str) -> str:
    """Remember that the host of `url` takes connections and is of no use all the same; the reason for people."""
    target = _target(url)
    reason = f"{target[0]} cannot be used ({why or f'no answer within {PATIENCE:.0f} s'})"
    with _lock:
        _silent[target] = (time.monotonic(), reason)
    return reason


def ask(urls: Iterable[str]) -> None:
    """Find out about the hosts of several `urls` at once, so that silent ones cost their time only once."""
    apart = list({_target(url): url for url in urls}.values())
    if apart:
        with ThreadPoolExecutor(len(apart)) as pool:
            list(pool.map(why_not, apart))


def forget() -> None:
    """Try every host anew."""
    with _lock:
        _silent.clear()


def _target(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not urllib.request.proxy_bypass(host):
        proxies = urllib.request.getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all")
        if proxy:
            parts = urlsplit(proxy if "//" in proxy else f"//{proxy}", scheme="http")
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _try_to_connect(host: str, port: int) -> str:
    """In a thread of its own, because a name lookup cannot be given a time limit."""
    outcome: list[str] = []

    def attempt() -> None:
        try:
            socket.create_connection((host, port), timeout=PATIENCE).close()
            outcome.append("")
        except OSError as error:
            outcome.append(f"{host} cannot be reached ({error.strerror or error})")

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return outcome[0] if outcome else f"{host} did not answer within {PATIENCE:.0f} s"
