"""A client in one cell of the fault matrix: it gets one job, and what it answers is brought into one form."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from clients import WARM, Client, NoAnswer, Worker, environment, python_in

SLIPS = {
    "AssertionError",
    "AttributeError",
    "IndexError",
    "InvalidStateError",
    "JSONDecodeError",
    "KeyError",
    "NameError",
    "TypeError",
    "UnboundLocalError",
    "UnicodeDecodeError",
}
"""Exceptions that tell of a mistake in the client and not of what happened to the job."""


@dataclass(frozen=True)
class Answer:
    """What a client made of its job. Without `error` it reported success."""

    files: list[Path] = field(default_factory=list)
    error: str | None = None
    crashed: bool = False
    hung: bool = False


class Contestant(Protocol):
    """One process of a client, for one job."""

    def submit(self, graph: Path, output: Path) -> None: ...

    def wait(self, seconds: float) -> Answer: ...

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


class Library:
    """A client that is used from Python, by its adapter."""

    def __init__(self, client: Client, peers: Path, url: str, home: Path) -> None:
        self._worker = Worker(client, peers, url, home)
        self._failed: Answer | None = None
        try:
            self._worker.wait_ready(20)
        except NoAnswer as error:
            self._failed = Answer(error=str(error), hung="within" in str(error))

    def submit(self, graph: Path, output: Path) -> None:
        if self._failed is None:
            self._worker.ask(graph, output)

    def wait(self, seconds: float) -> Answer:
        if self._failed is not None:
            return self._failed
        deadline = time.monotonic() + seconds
        try:
            answer = self._worker.read(seconds)
        except NoAnswer:
            try:
                self._worker.process.wait(max(1.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                return Answer(hung=True)
            lines = self._worker.log.read_text("utf-8", "replace").strip().splitlines()
            return Answer(error=(lines or ["ended without a word"])[-1])
        if "error" not in answer:
            return Answer([Path(file) for file in answer["files"]])
        kind, message = answer["error"]["type"], answer["error"]["message"]
        return Answer(error=f"{kind}: {message}", crashed=kind in SLIPS)

    def interrupt(self) -> None:
        self._worker.interrupt()

    def close(self) -> None:
        self._worker.close()


class Commands(ABC):
    """A client that is a command, or a few in turn."""

    def __init__(self, url: str, home: Path) -> None:
        self._url, self._home = url, home
        self._turn: Iterator[list[str | Path]] = iter(())
        self._process: subprocess.Popen[bytes] | None = None
        self._output = home
        self._said = b""

    @abstractmethod
    def commands(self, graph: Path, output: Path) -> Iterator[list[str | Path]]:
        """The commands; `self._said` is what the last one wrote."""

    def submit(self, graph: Path, output: Path) -> None:
        self._output, self._turn = output, self.commands(graph, output)
        self._next()

    def _next(self) -> bool:
        command = next(self._turn, None)
        if command is None:
            return False
        self._process = subprocess.Popen(
            command,
            cwd=self._home,
            env=environment(self._home / "home"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return True

    def wait(self, seconds: float) -> Answer:
        deadline = time.monotonic() + seconds
        while True:
            assert self._process is not None
            try:
                self._said, _ = self._process.communicate(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                return Answer(hung=True)
            if self._process.returncode:
                words = self._said.decode("utf-8", "replace")
                return Answer(error=words[-3000:], crashed="Traceback (most recent call last)" in words)
            if not self._next():
                return Answer(sorted(self._output.rglob("*.png")))

    def interrupt(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


class LikenessRun(Commands):
    """Our command line."""

    def commands(self, graph: Path, output: Path) -> Iterator[list[str | Path]]:
        program = Path(sys.executable).with_name("likeness")
        yield [program, "run", graph, "--server", self._url, "--output", output, "--json"]


class ComfyCli(Commands):
    """comfy-cli: it runs, and a second command downloads."""

    def __init__(self, peers: Path, url: str, home: Path) -> None:
        super().__init__(url, home)
        self._comfy: list[str | Path] = [python_in(peers, "comfy-cli").with_name("comfy"), "--skip-prompt", "--json"]

    def commands(self, graph: Path, output: Path) -> Iterator[list[str | Path]]:
        parts = urlsplit(self._url)
        where = ["--host", str(parts.hostname), "--port", str(parts.port)]
        yield [*self._comfy, "run", "--workflow", graph, *where, "--wait"]
        prompt_id = json.loads(self._said.decode().strip().splitlines()[-1])["data"]["prompt_id"]
        yield [*self._comfy, "download", prompt_id, "--out-dir", output]


LIKENESS_RUN, COMFY_CLI = "likeness run", "comfy-cli"
NAMES = (WARM[0].name, LIKENESS_RUN, COMFY_CLI, *(client.name for client in WARM[1:]))

KEEPS_NAMES = frozenset({"likeness", LIKENESS_RUN, COMFY_CLI, "comfy-sdk", "comfy-api-simplified"})
"""Clients that write files under the server's names, or whose documentation does; the rest hand out bytes."""


def enter(name: str, peers: Path, url: str, home: Path) -> Contestant:
    """Start a client in a folder of its own."""
    home.mkdir(parents=True, exist_ok=True)
    if name == LIKENESS_RUN:
        return LikenessRun(url, home)
    if name == COMFY_CLI:
        return ComfyCli(peers, url, home)
    return Library(next(client for client in WARM if client.name == name), peers, url, home)


def home_of(name: str) -> str | None:
    """The environment that a client needs."""
    if name in {LIKENESS_RUN, COMFY_CLI}:
        return None if name == LIKENESS_RUN else COMFY_CLI
    return next(client.environment for client in WARM if client.name == name)
