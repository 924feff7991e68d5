"""Real ComfyUI servers on the CPU for the benchmarks: start, ask, kill, start again on the same port."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

START_SECONDS = 120
FOLDERS = ("custom_nodes", "input", "output", "temp", "user", "models")

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--comfyui and --python, from the environment where they are not given."""
    parser.add_argument("--comfyui", type=Path, default=os.environ.get("COMFYUI_PATH"), help="folder of ComfyUI")
    parser.add_argument("--python", type=Path, default=os.environ.get("COMFYUI_PYTHON", sys.executable))


class Server:
    """A ComfyUI in folders of its own, with the benchmark's nodes. `extra` are ComfyUI's own options."""

    def __init__(self, comfyui: Path | None, python: Path, base: Path, *extra: str) -> None:
        if comfyui is None:
            raise SystemExit("Say where ComfyUI is: --comfyui DIR, or COMFYUI_PATH in the environment.")
        self.base, self.port, self.extra = base, free_port(), extra
        self.url = f"http://127.0.0.1:{self.port}"
        self._main, self._python = comfyui / "main.py", python
        self.process: subprocess.Popen[bytes] | None = None
        for name in FOLDERS:
            (base / name).mkdir(parents=True, exist_ok=True)
        pack = base / "custom_nodes" / "likeness_bench"
        pack.mkdir(exist_ok=True)
        shutil.copy(Path(__file__).with_name("bench_nodes.py"), pack / "__init__.py")

    def spawn(self) -> None:
        """Start it without waiting."""
        folders = [
            word
            for name in ("input", "output", "temp", "user")
            for word in (f"--{name}-directory", str(self.base / name))
        ]
        command = [self._python, self._main, "--cpu", "--listen", "127.0.0.1", "--port", str(self.port)]
        command += ["--base-directory", self.base, *folders, "--disable-auto-launch", *self.extra]
        with (self.base / "comfyui.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self.base
            )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with suppress(OSError, ValueError):
                self.get("/system_stats")
                return
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                log = (self.base / "comfyui.log").read_text("utf-8", "replace")
                raise SystemExit(f"ComfyUI did not start:\n{log[-2000:]}")
            time.sleep(0.2)

    def start(self) -> None:
        self.spawn()
        self.wait_ready()

    def kill(self) -> None:
        """As kill -9 does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def get(self, path: str) -> Any:
        with _direct.open(self.url + path, timeout=10) as response:
            return json.load(response)

    def post(self, path: str, body: dict[str, Any]) -> None:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode())
        _direct.open(request, timeout=10).close()

    def entries(self, mark: int, last: int = 16) -> list[dict[str, Any]]:
        """History entries of graphs whose first colour is `mark`, among the last ones."""
        history = self.get(f"/history?max_items={last}")
        return [entry for entry in history.values() if mark in colours(entry["prompt"][2])]

    def is_running(self, mark: int) -> bool:
        return any(mark in colours(entry[2]) for entry in self.get("/queue")["queue_running"])


def colours(graph: dict[str, Any]) -> list[int]:
    return [node["inputs"].get("color", -1) for node in graph.values() if node.get("class_type") == "EmptyImage"]


def server_seconds(entry: dict[str, Any]) -> float:
    """From execution_start to execution_success by the server's clock, which has milliseconds."""
    times = {kind: message["timestamp"] for kind, message in entry["status"]["messages"]}
    return (times["execution_success"] - times["execution_start"]) / 1000


@contextmanager
def running(arguments: argparse.Namespace, count: int = 1, *extra: str) -> Iterator[list[Server]]:
    """`count` servers in a temporary folder; they are killed at the end, also when this process is told to end.

    SIGINT gets its handler back: in a background job it is ignored, and the clients would inherit that.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="likeness-bench-", ignore_cleanup_errors=True) as folder:
        servers = [
            Server(arguments.comfyui, arguments.python, Path(folder) / f"server{index}", *extra)
            for index in range(count)
        ]
        try:
            for server in servers:
                server.spawn()
            for server in servers:
                server.wait_ready()
            yield servers
        finally:
            for server in servers:
                server.kill()
