"""Fetch one file over HTTP into a part file that the next attempt can carry on with."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urljoin, urlsplit

from ..files import open_anew, write_whole
from . import transfer as disk
from .answers import CHUNK, SLOWEST, WHOLE_SECONDS, Budget, TooMuch, count_answers, within
from .transfer import Advance

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

PATIENCE = 4.0
"""Seconds for name lookup and connection together."""

FORGET_AFTER = 300.0
"""Seconds after which a silent host is tried again (a ComfyUI server runs for days)."""

_silent: dict[tuple[str, int], tuple[float, str]] = {}
_lock = threading.Lock()


def why_unreachable(url: str) -> str:
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


def mark_unreachable(url: str, why: str) -> str:
    """Remember that the host of `url` takes connections and is of no use all the same; the reason for people."""
    target = _target(url)
    reason = f"{target[0]} cannot be used ({why or f'no answer within {PATIENCE:.0f} s'})"
    with _lock:
        _silent[target] = (time.monotonic(), reason)
    return reason


def check_connectivity(urls: Iterable[str]) -> None:
    """Find out about the hosts of several `urls` at once, so that silent ones cost their time only once."""
    apart = list({_target(url): url for url in urls}.values())
    if apart:
        with ThreadPoolExecutor(len(apart)) as pool:
            list(pool.map(why_unreachable, apart))


def forget_unreachable() -> None:
    """Try every host anew."""
    with _lock:
        _silent.clear()


def _target(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    proxy = _proxy(parts.scheme, parts.hostname or "")
    if proxy is not None:
        parts = urlsplit(proxy)
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


ATTEMPTS = 3
"""How often one source is tried without getting further, when the transfer breaks or the server is busy."""

_PAUSE = 0.5
_READ_TIMEOUT = 20.0
_REDIRECTS = 6
_BUSY = {408, 425, 429, 500, 502, 503, 504}

LARGEST = 4 << 30
"""Bytes of a file whose size the manifest does not say: archives of networks have a tenth of that."""


class SourceFailed(Exception):
    """One source did not deliver; its message is the reason, `again` whether another attempt may help."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


class WrongContent(SourceFailed):
    """The source delivered a whole file with another sha256."""


@dataclass(frozen=True)
class Part:
    """A download that is not finished: the bytes so far, and beside them which answer they are from."""

    path: Path

    @property
    def note(self) -> Path:
        """Where the origin of the bytes is written down."""
        return self.path.with_name(f".{self.path.name}.json")

    def size(self) -> int:
        """Bytes on disk. A link is none of ours, wherever it leads."""
        return self.path.stat().st_size if self.path.is_file() and not self.path.is_symlink() else 0

    def open(self, *, go_on: bool) -> BinaryIO:
        """Open it for writing, at its end or anew; never what a link leads to. Raises OSError."""
        if not go_on:
            return open_anew(self.path)
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        return os.fdopen(os.open(self.path, flags), "ab")

    def etag(self, url: str) -> str:
        """The strong ETag that `url` gave with the bytes, or an empty string."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        known = isinstance(note, dict) and note.get("url") == url
        return str(note.get("etag", "")) if known else ""

    def remember(self, url: str, etag: str) -> None:
        """Write down where the bytes come from."""
        strong = etag if etag.startswith('"') else ""
        write_whole(self.note, json.dumps({"url": url, "etag": strong}))

    def discard(self) -> None:
        """Forget the bytes."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def finish(self, final: Path) -> None:
        """Give the bytes their final name, in one step."""
        self.path.replace(final)
        self.note.unlink(missing_ok=True)


def fetch(url: str, part: Part, size: int | None, advance: Advance) -> None:
    """Bring `part` to the whole of `url`, of `size` bytes where that is known.

    Breaks in the transfer are mended by going on where it stopped. SourceFailed says why it could not be done;
    the bytes that came stay in `part` for another attempt. DiskFull when the disk is.
    """
    stuck, furthest = 0, part.size()
    while True:
        try:
            _transfer(url, part, size, advance)
        except SourceFailed as failed:
            stuck = 0 if part.size() > furthest else stuck + 1
            if not failed.again or stuck == ATTEMPTS:
                raise
            furthest = max(furthest, part.size())
            time.sleep(_PAUSE * (stuck + 1))
        else:
            return


def _transfer(url: str, part: Part, size: int | None, advance: Advance) -> None:
    from urllib3 import exceptions

    have = part.size()
    if size is not None and have == size:
        return
    if size is not None and have > size:
        part.discard()
        have = 0
    budget = Budget(WHOLE_SECONDS, LARGEST if size is None else size, may_be_long=True)
    try:
        with within(budget):
            response = _open(url, have, part.etag(url))
        try:
            _receive(response, url, part, have, size, advance)
        finally:
            response.close()
    except TooMuch as error:
        raise SourceFailed(str(error)) from error
    except exceptions.TimeoutError as error:
        if budget.spent:
            raise SourceFailed(f"it sends less than {SLOWEST:,} bytes a second") from error
        raise SourceFailed(f"no answer for {_READ_TIMEOUT:.0f} s", again=True) from error
    except exceptions.ProtocolError as error:
        raise SourceFailed("the transfer broke off", again=True) from error
    except (exceptions.HTTPError, ValueError) as error:
        raise SourceFailed(reason_of(error), again=True) from error


def _open(url: str, have: int, etag: str) -> BaseHTTPResponse:
    """Follow redirects by hand: each host is probed first, and https never turns into http."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "likeness-studio"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if etag:
            headers["If-Range"] = etag
    place = url
    for _ in range(_REDIRECTS):
        unreachable = why_unreachable(place)
        if unreachable:
            raise SourceFailed(unreachable)
        response = _ask(place, headers)
        location = response.get_redirect_location()
        if not location:
            return response
        response.close()
        onward = urljoin(place, location)
        if urlsplit(onward).scheme not in ("https", urlsplit(place).scheme):
            raise SourceFailed("it redirects to an unencrypted address")
        place = onward
    raise SourceFailed("it redirects in a circle")


def _ask(url: str, headers: dict[str, str]) -> BaseHTTPResponse:
    """Send the request; a host that takes the connection and then says nothing is not asked twice."""
    import urllib3
    from urllib3 import exceptions

    timeout = urllib3.Timeout(connect=PATIENCE, read=_READ_TIMEOUT)
    began = time.monotonic()
    try:
        pool = connections(url)
        return pool.request(
            "GET", url, headers=headers, timeout=timeout, retries=False, redirect=False, preload_content=False
        )
    except never_sent() as error:
        raise SourceFailed(mark_unreachable(url, reason_of(error))) from error
    except exceptions.ReadTimeoutError as error:
        if time.monotonic() - began < _READ_TIMEOUT:  # the TLS handshake, which has the time of a connection
            raise SourceFailed(mark_unreachable(url, "")) from error
        raise SourceFailed(f"no answer for {_READ_TIMEOUT:.0f} s") from error


def connections(base: str, *, proxied: bool = True, kept: int = 1) -> PoolManager:
    """Connections to the host of `base`, `kept` idle ones at most, by the proxy that the environment names for it.

    Nothing is asked yet. Raises LocationValueError for a proxy that is no HTTP proxy.
    """
    import urllib3

    parts = urlsplit(base)
    options: dict[str, Any] = {"maxsize": kept}
    if parts.scheme == "https":
        options["ssl_context"] = trust()
    proxy = _proxy(parts.scheme, parts.netloc) if proxied else None
    if proxy is None:
        return count_answers(urllib3.PoolManager(**options))
    address = urlsplit(proxy)
    if address.scheme not in {"http", "https"}:
        raise urllib3.exceptions.LocationValueError(
            f"the environment names a proxy of the kind {address.scheme!r} for it, and only http and https are known; "
            "unset that, or name the server in NO_PROXY"
        )
    login = address.netloc.rpartition("@")[0]
    headers = urllib3.make_headers(proxy_basic_auth=login) if login else None
    return count_answers(urllib3.ProxyManager(proxy, proxy_headers=headers, **options))


def _proxy(scheme: str, place: str) -> str | None:
    """The proxy's address for a host from the environment, or None."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(place):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def never_sent() -> tuple[type[Exception], ...]:
    """The errors of urllib3 after which the other side has got nothing of a request."""
    from urllib3 import exceptions

    return (
        exceptions.NewConnectionError,
        exceptions.ConnectTimeoutError,
        exceptions.SSLError,
        exceptions.ProxyError,
        exceptions.LocationValueError,
    )


def reason_of(error: Exception) -> str:
    """An error of urllib3 in words, without the objects that it puts before them."""
    reason = getattr(error, "reason", None)
    cause = reason if isinstance(reason, Exception) else error
    return str(cause).rpartition(">: ")[2].rpartition("): ")[2] or str(cause) or type(cause).__name__


@cache
def trust() -> ssl.SSLContext:
    """The system's certificates, where a company puts its own, and the public ones of certifi."""
    context = ssl.create_default_context()
    with suppress(ImportError):
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _receive(response: BaseHTTPResponse, url: str, part: Part, have: int, size: int | None, advance: Advance) -> None:
    code = response.status
    if code == 416 or (code == 206 and not _continues(response, have, size)):
        part.discard()
        raise SourceFailed("what was there from an earlier download did not fit", again=True)
    if code not in (200, 206):
        raise SourceFailed(f"HTTP {code}", again=code in _BUSY)
    announced = response.headers.get("content-length", "")
    if code == 200:
        have = 0
        if size is not None and announced.isdigit() and int(announced) != size:
            raise SourceFailed(f"it sends {int(announced):,} bytes instead of {size:,}")
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed != "identity":
        raise SourceFailed(f"it packs the file as {packed[:20]!r}, which was not asked for")
    limit = size if size is not None else have + int(announced) if announced.isdigit() else None
    if limit is not None and limit > max(size or 0, LARGEST):
        raise SourceFailed(f"it announces {limit:,} bytes, and {LARGEST:,} are taken")
    if limit is not None:
        disk.require_space(part.path.parent, limit - have, part.path.stem)
    with disk.clear_when_full(part.path.stem, part.path, part.note):
        part.remember(url, response.headers.get("etag", ""))
        with part.open(go_on=have > 0) as file:
            while chunk := response.read1(CHUNK, decode_content=False):
                have += len(chunk)
                if limit is not None and have > limit:
                    break
                file.write(chunk)
                advance(have)
    if limit is not None and have != limit:
        if have > limit:
            part.discard()
            raise SourceFailed(f"it sends more than the {limit:,} bytes expected")
        raise SourceFailed(f"the transfer broke off after {have:,} of {limit:,} bytes", again=True)


def _continues(response: BaseHTTPResponse, have: int, size: int | None) -> bool:
    """Whether a 206 answer is exactly the rest of what is wanted."""
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("content-range", ""))
    if match is None or int(match[1]) != have:
        return False
    return size is None or match[3] in ("*", str(size))
