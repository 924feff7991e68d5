"""One ComfyUI server over HTTP: each method is one request, and every failure is one of our errors."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from ...nodes.errors import Interrupted
from ..collect import File
from ..errors import BadServerAddress, OutputMissing, OutputUnwritable, ServerRefused, ServerUnreachable
from ..result import Stopped, never

if TYPE_CHECKING:
    import httpx

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
REQUEST_SECONDS = 30.0
CANCEL_SECONDS = 0.7
"""A stop must not wait for a server that hangs: two requests of this length stay within two seconds."""

RETRY_SECONDS = 0.25
CHUNK = 1 << 20


def normal_url(url: str) -> str:
    """A server's address with its scheme and without a slash at the end. Raises BadServerAddress."""
    text = url.strip()
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise BadServerAddress(f"{url!r} is not a server's address; write it like http://127.0.0.1:8188.")
    return urlunsplit(parts._replace(path=parts.path.rstrip("/"), query="", fragment=""))


class ComfyServer:
    """Requests to the server at `url`; a user and password in it are sent as basic authentication.

    `headers` go with every request, for proxies that want a token. `wait_seconds` bounds the wait for a server that
    does not answer yet. Raises ServerUnreachable and ServerRefused, and what each method says.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, wait_seconds: float = 10.0) -> None:
        import httpx

        address = httpx.URL(normal_url(url))
        login = (address.username, address.password) if address.username else None
        self.url = str(address.copy_with(userinfo=b""))
        self.wait_seconds = wait_seconds
        self._http = httpx.Client(
            base_url=self.url,
            headers=dict(headers or {}),
            auth=login,
            timeout=REQUEST_SECONDS,
            trust_env=address.host not in LOOPBACK,
            follow_redirects=True,
        )
        self.headers = dict(headers or {})
        if login:
            self.headers["Authorization"] = _basic(*login)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, method: str, path: str, *, ok: tuple[int, ...] = (200,), **options: Any) -> httpx.Response:
        import httpx

        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ServerUnreachable(f"The ComfyUI server at {self.url} does not answer ({reason}).") from error
        if response.status_code not in ok:
            raise ServerRefused(
                f"The ComfyUI server at {self.url} answered {method} {path} with {response.status_code} "
                f"{response.reason_phrase}: {response.text[:200].strip() or 'no reason given'}."
            )
        return response

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        response = self._send(method, path, **options)
        with suppress(ValueError):
            answer = response.json()
            if isinstance(answer, dict):
                return answer
        raise ServerRefused(
            f"{self.url} answered {path} with something that is no JSON object; is it a ComfyUI server?"
        )

    def wait_ready(self, stopped: Stopped = never) -> dict[str, Any]:
        """Wait until the server answers, `wait_seconds` at most; return its ``/system_stats``."""
        deadline = time.monotonic() + self.wait_seconds
        while True:
            if stopped():
                raise Interrupted("The run was stopped.")
            try:
                return self._json("GET", "/system_stats", timeout=max(1.0, min(5.0, self.wait_seconds)))
            except ServerUnreachable as error:
                if time.monotonic() >= deadline:
                    raise ServerUnreachable(
                        f"{str(error).rstrip('.')}; waited {self.wait_seconds:g} s. "
                        "Start ComfyUI there, or check the address."
                    ) from error
                time.sleep(RETRY_SECONDS)

    def object_info(self) -> dict[str, Any]:
        """Every node class of the server."""
        return self._json("GET", "/object_info")

    def upload(self, path: Path, name: str, subfolder: str) -> str:
        """Send a photo into the server's input folder; return the name that the graph must use."""
        with path.open("rb") as stream:
            answer = self._json(
                "POST", "/upload/image", files={"image": (name, stream)}, data={"subfolder": subfolder, "type": "input"}
            )
        folder = answer.get("subfolder") or ""
        return f"{folder}/{answer['name']}" if folder else str(answer["name"])

    def submit(self, request: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
        """Post a prompt: whether it was accepted, and the answer (with ``error`` and ``node_errors``)."""
        response = self._send("POST", "/prompt", ok=(200, 400), json=request)
        with suppress(ValueError):
            answer = response.json()
            if isinstance(answer, dict):
                return response.status_code == 200, answer
        raise ServerRefused(f"{self.url} answered the workflow with {response.status_code}: {response.text[:200]}.")

    def history(self, prompt_id: str) -> dict[str, Any] | None:
        """The entry of a finished prompt, or None."""
        return self._json("GET", f"/history/{prompt_id}").get(prompt_id)

    def is_queued(self, prompt_id: str) -> bool:
        """Whether the prompt runs or waits."""
        queue = self._json("GET", "/queue")
        return any(prompt_id in entry for key in ("queue_running", "queue_pending") for entry in queue.get(key, ()))

    def cancel(self, prompt_id: str) -> None:
        """Stop this prompt and no other, as far as the server can be reached."""
        for path, body in (("/queue", {"delete": [prompt_id]}), ("/interrupt", {"prompt_id": prompt_id})):
            with suppress(ServerUnreachable, ServerRefused):
                self._send("POST", path, json=body, timeout=CANCEL_SECONDS)

    def download(self, file: File, target: Path) -> None:
        """Fetch a result into `target`, which appears only when it is complete. Raises OutputMissing."""
        import httpx

        partial = target.with_name(target.name + ".part")
        query = {key: str(file.get(key) or "") for key in ("filename", "subfolder", "type")}
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._http.stream("GET", "/view", params=query) as response, partial.open("wb") as out:
                if response.status_code != 200:
                    raise OutputMissing(
                        f"{self.url} has no {query['filename']} any more (it answered {response.status_code}); "
                        "run it again."
                    )
                for chunk in response.iter_bytes(CHUNK):
                    out.write(chunk)
            partial.replace(target)
        except httpx.HTTPError as error:
            raise ServerUnreachable(f"{self.url} stopped while {query['filename']} was fetched ({error}).") from error
        except OSError as error:
            raise OutputUnwritable(f"{target} cannot be written ({error.strerror or error}).") from error
        finally:
            partial.unlink(missing_ok=True)

    def socket_url(self, client_id: str) -> str:
        """Where the progress events of `client_id` come from."""
        return f"ws{self.url.removeprefix('http')}/ws?clientId={client_id}"


def _basic(user: str, password: str) -> str:
    import base64

    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
