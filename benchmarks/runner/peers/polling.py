"""Bare polling: what anybody writes with the standard library, one kept connection and a look every 2 ms."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from adapter import Run, host_and_port, serve, write

POLL_SECONDS = 0.002


def start(url: str) -> Run:
    connection = http.client.HTTPConnection(*host_and_port(url))

    def ask(method: str, path: str, body: bytes | None = None) -> bytes:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise OSError(f"{path} was answered with {response.status}: {content[:500]!r}")
        return content

    def run(graph: Path, output: Path) -> list[Path]:
        body = {"prompt": json.loads(graph.read_bytes()), "client_id": str(uuid.uuid4())}
        prompt_id = json.loads(ask("POST", "/prompt", json.dumps(body).encode()))["prompt_id"]
        while not (history := json.loads(ask("GET", f"/history/{prompt_id}"))):
            time.sleep(POLL_SECONDS)
        files: list[dict[str, Any]] = [
            file for node in history[prompt_id]["outputs"].values() for file in node.get("images", ())
        ]
        return [
            write(output, file["filename"], ask("GET", f"/view?{urlencode(file)}"))
            for file in files
            if file["type"] == "output"
        ]

    return run


if __name__ == "__main__":
    serve(start)
