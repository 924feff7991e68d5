"""Ask comfy-cli, as a process, to convert a canvas file that our own converter does not do exactly.

comfy-cli reads the node classes from a server by host and port alone. It is given one of ours on this machine that
answers that single question, so that servers behind HTTPS, a base path or a login can be used as well.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ..errors import ComfyCliFailed, ComfyCliMissing

SECONDS = 60.0
QUIET = {"DO_NOT_TRACK": "1", "COMFY_NO_TELEMETRY": "1", "NO_COLOR": "1"}
"""No telemetry, no colours."""


def program() -> str | None:
    """The ``comfy`` command: of the Python that runs this, else of the search path; None without either."""
    beside = Path(sys.executable).with_name("comfy.exe" if os.name == "nt" else "comfy")
    return str(beside) if beside.is_file() else shutil.which("comfy")


def to_api(canvas: dict[str, Any], object_info: Mapping[str, Any], name: str, reason: str) -> dict[str, Any]:
    """API format of a canvas export. `reason` says why comfy-cli is needed; raises ComfyCliMissing, ComfyCliFailed."""
    command = program()
    if command is None:
        raise ComfyCliMissing(
            f"{name} is in canvas format and needs comfy-cli for {reason}; install it with: pip install comfy-cli, "
            "or export the workflow with 'Export (API)' in ComfyUI."
        )
    with tempfile.TemporaryDirectory(prefix="likeness-") as folder, _catalog_server(object_info) as port:
        file = Path(folder) / "workflow.json"
        file.write_text(json.dumps(canvas), "utf-8")
        words = ["--skip-prompt", "--json", "--where", "local", "run", "--workflow", str(file)]
        words += ["--host", "127.0.0.1", "--port", str(port), "--print-prompt"]
        try:
            done = subprocess.run(
                [command, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                env=os.environ | QUIET | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
                cwd=folder,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ComfyCliFailed(
                f"comfy-cli could not be run to convert {name} ({error}); see: comfy --help."
            ) from error
    return _prompt(done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"), name)


def require_agreement(answer: Mapping[str, Any], sure: Mapping[str, Any], name: str) -> None:
    """Hold comfy-cli's graph against what is certain of it: `sure` has None for a node that it may decide.

    Raises ComfyCliFailed where it has other nodes, other classes, or other inputs.
    """
    for key in sorted({*answer, *sure}):
        ours, theirs = sure.get(key), answer.get(key)
        if key in sure and ours is None and theirs is not None:
            continue
        if ours is None or theirs is None:
            raise _failed(name, f"it {'leaves out' if theirs is None else 'adds'} node {key}")
        for what in ("class_type", "inputs"):
            if ours[what] != theirs.get(what):
                raise _failed(name, f"its node {key} ({ours['class_type']}) is not what the canvas sends")


def _prompt(stdout: str, stderr: str, name: str) -> dict[str, Any]:
    """The graph in the last line of JSON that comfy-cli printed."""
    for line in reversed(stdout.strip().splitlines()):
        try:
            answer = json.loads(line)
        except ValueError:
            continue
        if not isinstance(answer, dict):
            continue
        graph = (answer.get("data") or {}).get("prompt")
        if answer.get("ok") and isinstance(graph, dict) and graph:
            return graph
        error = answer.get("error")
        if isinstance(error, dict):
            raise _failed(name, str(error.get("message")))
    raise _failed(name, " ".join(stderr.split())[-300:] or "it printed no graph")


def _failed(name: str, words: str) -> ComfyCliFailed:
    return ComfyCliFailed(
        f"comfy-cli could not convert {name}: {words.rstrip('.')}; export it with 'Export (API)' in ComfyUI instead."
    )


@contextmanager
def _catalog_server(object_info: Mapping[str, Any]) -> Iterator[int]:
    """A server on this machine that answers ``/object_info``; gives its port."""
    body = json.dumps(dict(object_info)).encode()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.split("?")[0].rstrip("/") == "/object_info"
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body) if known else 2))
            self.end_headers()
            self.wfile.write(body if known else b"{}")

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
