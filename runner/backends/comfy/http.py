"""HTTP to one server over kept connections, by urllib3: a run is a few small requests, and each must be quick."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlencode, urljoin

from ....core.models.answers import WHOLE_SECONDS, Budget, TooMuch, pieces, within
from ....core.models.http import connections, never_sent, reason_of

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

MOST_REDIRECTS = 5
"""So often a GET is sent on within its own origin; anything else never is."""

KEPT = 32
"""Idle connections at most; more may be open at a time."""

LARGEST_ANSWER = 64 << 20
"""Bytes of a JSON answer, unpacked: what a server with thousands of models says of its nodes has a tenth of that."""

LARGEST_FILE = 8 << 30
"""Bytes of a result's file: an hour of film."""


class NoConnection(Exception):
    """The server could not be reached: nothing was sent."""


class Broken(Exception):
    """The connection broke while a request was under way: the server may have it."""


class NotTaken(Exception):
    """The server answered with what is not taken: sent on elsewhere (`status`), too long, or packed unknowably."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Response:
    """A whole answer; `sent` is the size in bytes of the request's body."""

    status_code: int
    reason_phrase: str
    content: bytes
    sent: int = 0

    @property
    def text(self) -> str:
        """The answer in words, whatever its bytes."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Raises ValueError."""
        return json.loads(self.content)


class Http:
    """Requests below `base`, an address without login. Safe in threads.

    `proxied` goes through the proxy that the environment names. A GET is sent on within the server's own origin;
    nothing ever goes to another. Every answer has a budget of bytes and seconds. Nothing is tried twice here. Raises
    NoConnection, already when made for a proxy that is no HTTP proxy, Broken and NotTaken.
    """

    def __init__(self, base: str, headers: Mapping[str, str], timeout: float, *, proxied: bool) -> None:
        import urllib3

        self._base, self._headers, self._timeout = base, dict(headers), timeout
        try:
            self._pool = connections(base, proxied=proxied, kept=KEPT)
        except urllib3.exceptions.LocationValueError as error:
            raise NoConnection(str(error)) from error

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.clear()

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        timeout: float | None = None,
        upload: tuple[str, BinaryIO, Mapping[str, str]] | None = None,
    ) -> Response:
        """One request, whole. `upload` is an image's name, its bytes and the other fields of a form."""
        body, headers = _body(json, upload)
        budget = Budget(WHOLE_SECONDS if timeout is None else timeout, LARGEST_ANSWER)
        with self._open(method, path, body, headers, timeout, budget) as answer:
            content = b"".join(_pieces(answer, budget))
        return Response(answer.status, answer.reason or "", content, len(body or b""))

    @contextmanager
    def stream(self, path: str, query: Mapping[str, str]) -> Iterator[tuple[Response, Iterator[bytes]]]:
        """A GET whose bytes come in pieces; the response is without its content."""
        budget = Budget(WHOLE_SECONDS, LARGEST_FILE, may_be_long=True)
        with self._open("GET", f"{path}?{urlencode(query)}", None, {}, None, budget) as answer:
            yield Response(answer.status, answer.reason or "", b""), _pieces(answer, budget)

    @contextmanager
    def _open(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float | None,
        budget: Budget,
    ) -> Iterator[BaseHTTPResponse]:
        """The answer to a request, which is closed at the end unless all of it was read."""
        with _told():
            answer = self._ask(method, self._base + path, body, headers, timeout, budget)
        try:
            yield answer
        finally:
            if not answer.closed:
                answer.close()
            answer.release_conn()

    def _ask(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float | None,
        budget: Budget,
    ) -> BaseHTTPResponse:
        for _ in range(MOST_REDIRECTS):
            with within(budget):
                answer = self._pool.urlopen(
                    method,
                    url,
                    body=body,
                    headers={**self._headers, **headers},
                    timeout=self._timeout if timeout is None else timeout,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
            onward = answer.get_redirect_location()
            if not onward:
                return answer
            answer.close()
            place = urljoin(url, onward)
            if method != "GET" or not same_origin(place, url):
                raise NotTaken(f"it sends that on to {_shown(place)}, where nothing of yours goes", answer.status)
            url = place
        raise NotTaken(f"it sends that on more than {MOST_REDIRECTS} times")


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses are of one scheme, host and port."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str | None, str | None, int | None]:
    """As urllib3 reads the address, which connects: by other readings ``http://one\\@other`` is of the other host."""
    from urllib3.util import parse_url

    parts = parse_url(url)
    return parts.scheme, parts.host, parts.port or {"http": 80, "https": 443}.get(parts.scheme or "")


def _shown(url: str) -> str:
    """An address as far as it may be shown: what follows the host can hold tokens."""
    scheme, host, port = _origin(url)
    return f"{scheme}://{host}:{port}"


def _pieces(answer: BaseHTTPResponse, budget: Budget) -> Iterator[bytes]:
    with _told(Broken):
        yield from pieces(answer, budget.most)


@contextmanager
def _told(unsendable: type[NoConnection | Broken] = NoConnection) -> Iterator[None]:
    """Whatever goes wrong in talking to a server is that server's failure, in our words."""
    from urllib3.exceptions import HTTPError

    try:
        yield
    except TooMuch as error:
        raise NotTaken(str(error)) from error
    except HTTPError as error:
        reason = getattr(error, "reason", None)
        cause = reason if isinstance(reason, Exception) else error
        raise (NoConnection if isinstance(cause, never_sent()) else Broken)(reason_of(error)) from error
    except ValueError as error:
        raise unsendable("its address, a header or its answer has characters that cannot be sent") from error
    except (HTTPException, OSError, ArithmeticError, MemoryError) as error:
        raise Broken(str(error) or type(error).__name__) from error


def _body(value: Any, upload: tuple[str, BinaryIO, Mapping[str, str]] | None) -> tuple[bytes | None, dict[str, str]]:
    if upload is None:
        return (None, {}) if value is None else (json.dumps(value).encode(), {"Content-Type": "application/json"})
    from urllib3 import encode_multipart_formdata

    name, stream, fields = upload
    body, kind = encode_multipart_formdata({**fields, "image": (name, stream.read(), "application/octet-stream")})
    return body, {"Content-Type": kind}
