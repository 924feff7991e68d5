"""The clients that are compared: warm processes that speak `peers/adapter.py`, and commands that are started cold."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PEERS = Path(__file__).with_name("peers")
READY_SECONDS = 60.0


@dataclass(frozen=True)
class Client:
    """`environment` is the folder that `peers/install.py` made, None for our own interpreter."""

    name: str
    adapter: str
    environment: str | None


WARM = (
    Client("likeness", "ours.py", None),
    Client("bare polling, 2 ms", "polling.py", None),
    Client("comfy-sdk", "sdk.py", "comfy-sdk"),
    Client("comfykit", "kit_http.py", "comfykit"),
    Client("comfykit, websocket", "kit_websocket.py", "comfykit"),
    Client("comfy-api-simplified", "simplified.py", "comfy-api-simplified"),
    Client("comfy-headless", "headless.py", "comfy-headless"),
    Client("comfy-script", "script.py", "comfy-script"),
    Client("comfy-catapult", "catapult.py", "comfy-catapult"),
)


def python_in(environments: Path, name: str | None) -> Path:
    if name is None:
        return Path(sys.executable)
    return environments / name / ("Scripts" if os.name == "nt" else "bin") / "python"


def not_installed(environments: Path, name: str | None) -> str | None:
    """Why a peer cannot take part, or None."""
    if name is None or python_in(environments, name).exists():
        record = environments / "installed.json"
        report = json.loads(record.read_text()).get(name, {}) if name and record.exists() else {}
        return report.get("reason")
    return f"not installed; run benchmarks/runner/peers/install.py --into DIR {name}"


def versions(environments: Path) -> dict[str, str]:
    """The installed peers' versions."""
    record = environments / "installed.json"
    report: dict[str, dict[str, str]] = json.loads(record.read_text()) if record.exists() else {}
    return {name: entry["version"] for name, entry in report.items() if "version" in entry}


def environment(home: Path) -> dict[str, str]:
    """What a client's process sees: a home of its own, so that it neither reads nor leaves settings elsewhere."""
    home.mkdir(parents=True, exist_ok=True)
    variables = {key: value for key, value in os.environ.items() if not key.upper().endswith("_PROXY")}
    return variables | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "OMP_NUM_THREADS": "1"}


class NoAnswer(Exception):
    """The adapter did not answer in time, or ended."""


class Worker:
    """A client's warm process."""

    def __init__(self, client: Client, environments: Path, url: str, home: Path) -> None:
        command = [python_in(environments, client.environment), PEERS / client.adapter, "--server", url]
        self.log = home / "stderr.txt"
        variables = environment(home)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=home, env=variables
            )
        self._pending = b""

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Raises NoAnswer, also where the peer could not start."""
        answer = self.read(seconds)
        if "error" in answer:
            raise NoAnswer(f"{answer['error']['type']}: {answer['error']['message']}")

    def ask(self, graph: Path, output: Path) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"graph": str(graph), "output": str(output)}).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise NoAnswer("the adapter has ended") from error

    def read(self, seconds: float) -> dict[str, Any]:
        """The next answer. Raises NoAnswer."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise NoAnswer(f"no answer within {seconds:g} s")
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                raise NoAnswer("the adapter has ended")
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return json.loads(line)

    def run(self, graph: Path, output: Path, seconds: float = 60.0) -> dict[str, Any]:
        self.ask(graph, output)
        return self.read(seconds)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End it, politely first so that what it started ends too."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            with suppress(BrokenPipeError):
                self.process.stdin.close()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
