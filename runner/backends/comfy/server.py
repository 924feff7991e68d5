"""One ComfyUI server over HTTP: each method is one request, and every failure is one of our errors."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from ....core.files import open_anew
from ....core.interrupt import Stopped, never
from ...errors import (
    BadServerAddress,
    OutputMissing,
    OutputUnwritable,
    ServerRefused,
    ServerUnreachable,
    TooLargeForServer,
)
from ..backoff import OutageWait
from ..saved_files import File
from .http import Broken, Http, NoConnection, NotTaken, Response

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
REQUEST_SECONDS = 30.0
CANCEL_SECONDS = 0.7
"""A stop must not wait for a server that hangs: two requests of this length stay within two seconds."""

CANCEL_AGAIN_SECONDS, CANCEL_PAUSE = 0.8, 0.1

AWAY = frozenset({502, 503, 504})
"""What a proxy answers while the server behind it is away: the same as no answer."""

TOO_LARGE = 413
"""What a server answers to a request that is larger than it takes."""


def normal_url(url: str) -> str:
    """A server's address with its scheme and without a slash at the end; ``@NAME`` is a managed server's.

    Raises BadServerAddress and NoManagedServer.
    """
    text = url.strip()
    if text.startswith("@"):
        from ...managed import resolve

        text = resolve(text)
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        shown = text.rpartition("@")[2]
        raise BadServerAddress(f"{shown!r} is not a server's address; write it like http://127.0.0.1:8188, or @NAME.")
    return urlunsplit(parts._replace(path=parts.path.rstrip("/"), query="", fragment=""))


def public_url(url: str) -> str:
    """A server's address without its user and password. Raises BadServerAddress."""
    parts = urlsplit(normal_url(url))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class ComfyServer:
    """Requests to the server at `url`; a user and password in it are sent as basic authentication.

    `headers` go with every request, for proxies that want a token. `wait_seconds` bounds the wait for a server that
    does not answer yet. Raises ServerUnreachable and ServerRefused, and what each method says. Safe in threads.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, wait_seconds: float = 10.0) -> None:
        parts = urlsplit(normal_url(url))
        self.url = public_url(url)
        self.wait_seconds = wait_seconds
        self.headers = {name.strip(): value.strip() for name, value in (headers or {}).items()}
        if parts.username:
            self.headers["Authorization"] = _basic(unquote(parts.username), unquote(parts.password or ""))
        proxied = parts.hostname not in LOOPBACK
        try:
            self._http = Http(self.url, self.headers, REQUEST_SECONDS, proxied=proxied)
        except NoConnection as error:
            raise ServerUnreachable(f"{self.url} cannot be reached: {error}.", sent=False) from error
        self._upload_limit: int | bool | None = False
        self._jobs_api: bool | None = None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, method: str, path: str, *, ok: tuple[int, ...] = (200,), **options: Any) -> Response:
        """One request. Other answers than `ok` raise ServerRefused; none at all raises ServerUnreachable."""
        try:
            response = self._http.request(method, path, **options)
        except (NoConnection, Broken) as error:
            raise self._unreachable(error) from error
        except NotTaken as error:
            raise self._not_taken(f"{method} {path}", error) from error
        if response.status_code in AWAY:
            raise ServerUnreachable(
                f"The ComfyUI server at {self.url} is away: something before it answered {method} {path} with "
                f"{response.status_code} {response.reason_phrase}."
            )
        if response.status_code not in ok:
            raise ServerRefused(
                f"The ComfyUI server at {self.url} answered {method} {path} with {response.status_code} "
                f"{response.reason_phrase}: {response.text[:200].strip() or 'no reason given'}.",
                response.status_code,
            )
        return response

    def _unreachable(self, error: Exception) -> ServerUnreachable:
        sent = not isinstance(error, NoConnection)
        return ServerUnreachable(f"The ComfyUI server at {self.url} does not answer ({error}).", sent=sent)

    def _not_taken(self, request: str, error: NotTaken) -> ServerRefused:
        return ServerRefused(
            f"The answer of {self.url} to {request} is not taken: {error}; is that the address of a ComfyUI server?",
            error.status,
        )

    def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """One request whose answer must be a JSON object; anything else raises ServerRefused."""
        response = self.send(method, path, **options)
        with suppress(ValueError, RecursionError):
            answer = response.json()
            if isinstance(answer, dict):
                return answer
        raise ServerRefused(
            f"{self.url} answered {path} with something that is no JSON object; is it a ComfyUI server?"
        )

    def system_stats(self, timeout: float = REQUEST_SECONDS) -> dict[str, Any]:
        """Versions, devices and memory."""
        return self.json("GET", "/system_stats", timeout=timeout)

    def wait_ready(self, stopped: Stopped = never, seconds: float | None = None) -> dict[str, Any]:
        """Wait until the server answers, `seconds` (or `wait_seconds`) at most; return its ``/system_stats``.

        The pauses grow, with jitter, so that many clients do not meet a returning server all at once.
        """
        patience = OutageWait(self.wait_seconds if seconds is None else seconds, stopped)
        while True:
            patience.check()
            try:
                return self.system_stats(timeout=max(1.0, min(5.0, patience.seconds)))
            except ServerUnreachable as error:
                if not patience.pause():
                    raise ServerUnreachable(
                        f"{str(error).rstrip('.')}; waited {patience.seconds:g} s. "
                        "Start ComfyUI there, or check the address."
                    ) from error

    def object_info(self, class_type: str | None = None) -> dict[str, Any]:
        """Every node class of the server, or the one of that name (an empty object when there is none)."""
        from urllib.parse import quote

        return self.json("GET", "/object_info" + (f"/{quote(class_type, safe='')}" if class_type else ""))

    def upload_limit(self) -> int | None:
        """The largest request in bytes that the server takes, or None where it does not say."""
        if self._upload_limit is False:
            self._upload_limit = None
            with suppress(ServerRefused):
                limit = self.json("GET", "/features").get("max_upload_size")
                if isinstance(limit, int | float) and 0 < limit < math.inf:
                    self._upload_limit = int(limit)
        return self._upload_limit

    def too_large(self, name: str, size: int) -> TooLargeForServer:
        """The error for a file or workflow of `size` bytes that the server does not take."""
        limit = self.upload_limit()
        takes = f"takes {limit / 2**20:.1f} MB at most" if limit else "takes less"
        return TooLargeForServer(
            f"{name} has {size / 2**20:.1f} MB and {self.url} {takes}; "
            "make it smaller, or start the server with a larger --max-upload-size."
        )

    def upload(self, path: Path, name: str, subfolder: str) -> str:
        """Send a photo into the server's input folder; return the name that the graph must use."""
        with path.open("rb") as stream:
            fields = {"subfolder": subfolder, "type": "input"}
            answer = self.json("POST", "/upload/image", upload=(name, stream, fields))
        if not isinstance(answer.get("name"), str):
            raise ServerRefused(
                f"{self.url} took {path.name} and did not say under which name; is it a ComfyUI server?"
            )
        folder = answer.get("subfolder") or ""
        return f"{folder}/{answer['name']}" if folder else answer["name"]

    def submit(self, request: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
        """Post a prompt: whether it was accepted, and the answer (with ``error`` and ``node_errors``).

        Raises TooLargeForServer.
        """
        response = self.send("POST", "/prompt", ok=(200, 400, TOO_LARGE), json=request)
        if response.status_code == TOO_LARGE:
            raise self.too_large("The workflow", response.sent)
        with suppress(ValueError, RecursionError):
            answer = response.json()
            if isinstance(answer, dict):
                return response.status_code == 200, answer
        raise ServerRefused(f"{self.url} answered the workflow with {response.status_code}: {response.text[:200]}.")

    def history(self, prompt_id: str) -> dict[str, Any] | None:
        """The entry of a finished prompt, or None."""
        entry = self.json("GET", f"/history/{prompt_id}").get(prompt_id)
        if entry is not None and not isinstance(entry, dict):
            raise ServerRefused(f"{self.url} has a history entry that is no JSON object; is it a ComfyUI server?")
        return entry

    def is_queued(self, prompt_id: str, timeout: float = REQUEST_SECONDS) -> bool:
        """Whether the prompt runs or waits."""
        queue = self.json("GET", "/queue", timeout=timeout)
        entries = (entry for key in ("queue_running", "queue_pending") for entry in _list(queue.get(key)))
        return any(prompt_id in _list(entry)[1:2] for entry in entries)

    def forget(self, *prompt_ids: str) -> None:
        """Delete the prompts' history entries, as far as the server can be reached."""
        with suppress(ServerUnreachable, ServerRefused):
            self.send("POST", "/history", json={"delete": prompt_ids})

    def free(self) -> None:
        """Ask the server to unload models and to empty its caches, as far as it can be reached."""
        with suppress(ServerUnreachable, ServerRefused):
            self.send("POST", "/free", json={"unload_models": True, "free_memory": True})

    def cancel(self, prompt_id: str) -> None:
        """Stop this prompt and no other, as far as the server can be reached.

        Newer servers cancel in one step. Others have one request for a waiting prompt and one for a running one, and
        forget the second when the prompt is just about to start: it is repeated until the prompt is gone, for a second.
        """
        with suppress(ServerUnreachable, ServerRefused):
            if self._jobs_api is not False:
                self._jobs_api = self._cancel_job(prompt_id)
        if self._jobs_api:
            return
        with suppress(ServerUnreachable, ServerRefused):
            deadline = time.monotonic() + CANCEL_AGAIN_SECONDS
            while True:
                for path, body in (("/queue", {"delete": [prompt_id]}), ("/interrupt", {"prompt_id": prompt_id})):
                    self.send("POST", path, json=body, timeout=CANCEL_SECONDS)
                if time.monotonic() > deadline or not self.is_queued(prompt_id, CANCEL_SECONDS):
                    return
                time.sleep(CANCEL_PAUSE)

    def _cancel_job(self, prompt_id: str) -> bool:
        """Whether the server has cancelled by its jobs interface; older ones answer 404 or 405 to that."""
        path = f"/api/jobs/{prompt_id}/cancel"
        return self.send("POST", path, ok=(200, 202, 404, 405), timeout=CANCEL_SECONDS).status_code in {200, 202}

    @contextmanager
    def view(self, file: File) -> Iterator[Iterator[bytes]]:
        """A result's bytes, in pieces. Raises OutputMissing when the server has it no more."""
        query = {key: _encodable(str(file.get(key) or "")) for key in ("filename", "subfolder", "type")}
        try:
            with self._http.stream("/view", query) as (response, pieces):
                if response.status_code in AWAY:
                    raise ServerUnreachable(f"{self.url} is away (it answered /view with {response.status_code}).")
                if response.status_code != 200:
                    raise OutputMissing(
                        f"{self.url} has no {query['filename']} any more (it answered {response.status_code}); "
                        "run it again."
                    )
                yield pieces
        except (NoConnection, Broken) as error:
            raise ServerUnreachable(f"{self.url} stopped while {query['filename']} was fetched ({error}).") from error
        except NotTaken as error:
            raise self._not_taken(f"/view of {query['filename']}", error) from error

    def download(self, file: File, target: Path) -> None:
        """Write a result to `target`, whose folder is there. Raises OutputMissing, OutputUnwritable."""
        with self.view(file) as pieces:
            try:
                with open_anew(target, private=True) as out:
                    for piece in pieces:
                        out.write(piece)
            except OSError as error:
                raise OutputUnwritable(f"{target} cannot be written ({error.strerror or error}).") from error

    def socket_url(self, client_id: str) -> str:
        """Where the progress events of `client_id` come from."""
        return f"ws{self.url.removeprefix('http')}/ws?clientId={client_id}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _encodable(text: str) -> str:
    """Half surrogates, which JSON can carry and no address can, become question marks."""
    return text.encode("utf-8", "replace").decode()


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
