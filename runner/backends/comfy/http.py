"""HTTP to one server over kept connections, by urllib3: a run is a few small requests, and each must be quick."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlencode

from ....core.models.http import connections, never_sent, reason_of

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

MOST_REDIRECTS = 5
KEPT = 32
"""Idle connections at most; more may be open at a time."""

CHUNK = 1 << 20


class NoConnection(Exception):
    """The server could not be reached: nothing was sent."""


class Broken(Exception):
    """The connection broke while a request was under way: the server may have it."""


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

    `proxied` goes through the proxy that the environment names. Redirects are followed; another host does not get
    the login. Nothing is tried twice here. Raises NoConnection, already when made for a proxy that is no HTTP proxy,
    and Broken.
    """

    def __init__(self, base: str, headers: Mapping[str, str], timeout: float, *, proxied: bool) -> None:
        import urllib3

        self._base, self._headers, self._timeout = base, dict(headers), timeout
        self._once = urllib3.Retry(
            None,
            connect=0,
            read=0,
            status=0,
            other=0,
            redirect=MOST_REDIRECTS,
            remove_headers_on_redirect=self._headers,
        )
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
        with self._open(method, path, body, headers, timeout) as answer:
            return Response(answer.status, answer.reason or "", answer.data, len(body or b""))

    @contextmanager
    def stream(self, path: str, query: Mapping[str, str]) -> Iterator[tuple[Response, Iterator[bytes]]]:
        """A GET whose bytes come in pieces; the response is without its content."""
        with self._open("GET", f"{path}?{urlencode(query)}", None, {}, None) as answer:
            yield Response(answer.status, answer.reason or "", b""), answer.stream(CHUNK)

    @contextmanager
    def _open(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout: float | None
    ) -> Iterator[BaseHTTPResponse]:
        from urllib3.exceptions import HTTPError

        try:
            answer = self._pool.urlopen(
                method,
                self._base + path,
                body=body,
                headers={**self._headers, **headers},
                timeout=self._timeout if timeout is None else timeout,
                retries=self._once,
                preload_content=False,
            )
        except (HTTPError, ValueError) as error:
            raise _failure(error) from error
        try:
            yield answer
            answer.drain_conn()
        except HTTPError as error:
            answer.close()
            raise _failure(error) from error
        except BaseException:
            answer.close()
            raise


def _failure(error: Exception) -> NoConnection | Broken:
    """The error in our words."""
    from urllib3 import exceptions

    if not isinstance(error, exceptions.HTTPError):
        return NoConnection("its address or a header has characters that cannot be sent")
    reason = getattr(error, "reason", None)
    cause = reason if isinstance(reason, Exception) else error
    return (NoConnection if isinstance(cause, never_sent()) else Broken)(reason_of(error))


def _body(value: Any, upload: tuple[str, BinaryIO, Mapping[str, str]] | None) -> tuple[bytes | None, dict[str, str]]:
    if upload is None:
        return (None, {}) if value is None else (json.dumps(value).encode(), {"Content-Type": "application/json"})
    from urllib3 import encode_multipart_formdata

    name, stream, fields = upload
    body, kind = encode_multipart_formdata({**fields, "image": (name, stream.read(), "application/octet-stream")})
    return body, {"Content-Type": kind}
