"""One client meets one fault: the job, the proxy between it and the server, and what became of it seen from outside."""
# pyright: reportMissingImports=false

from __future__ import annotations

import dataclasses
import json
import re
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contestants import Answer, Contestant, enter
from graphs import graph, is_right
from servers import Server

sys.path.append(str(Path(__file__).parents[2] / "tests" / "faults"))
from proxy import Exchange, Frame, Proxy

JOB_SECONDS = 1.0
LIMIT_SECONDS = 20.0
"""A client that says nothing for this long after the job could have been done hangs."""

START_SECONDS = 15.0


@dataclass(frozen=True)
class Outcome:
    """survived, told, lost, hung, wrong, crashed, unclear or n/a, and what was seen."""

    word: str
    note: str = ""


@dataclass
class Cell:
    """One client meets one fault. `mark` is the job's colour."""

    name: str
    peers: Path
    server: Server
    folder: Path
    proxy: Proxy
    mark: int

    def enter(self, url: str | None = None) -> Contestant:
        return enter(self.name, self.peers, url or self.proxy.url, self.folder / "client")

    @property
    def output(self) -> Path:
        """Deep enough that a name with a few `../` in it stays in the cell's folder."""
        folder = self.folder / "a" / "b" / "c"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def run(self, nodes: dict[str, Any], limit: float = JOB_SECONDS + LIMIT_SECONDS) -> Answer:
        """The whole job of a client that nobody disturbs but the proxy."""
        contestant = self.enter()
        try:
            contestant.submit(self.write(nodes), self.output)
            return contestant.wait(limit)
        finally:
            contestant.close()

    def write(self, nodes: dict[str, Any]) -> Path:
        file = self.folder / "graph.json"
        file.write_text(json.dumps(nodes))
        return file

    def wait_until_running(self) -> bool:
        return wait_for(lambda: self.server.is_running(self.mark), START_SECONDS)

    def job(self, seconds: float = JOB_SECONDS, **options: Any) -> dict[str, Any]:
        return graph(self.mark, wait=seconds, prefix=f"fault_{self.mark:06x}", **options)

    @property
    def made(self) -> bool:
        """Whether the server finished the job."""
        return any(entry["status"]["status_str"] == "success" for entry in self.server.entries(self.mark))


def wait_for(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def short(error: str | None) -> str:
    """What a user would read first, without the folders of this machine."""
    text = re.sub(r"/[^\s'\"]*likeness-(cell|bench)-[^/\s'\"]*", "DIR", error or "")
    for line in reversed(text.splitlines()):
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            words = json.loads(line)
            said = words.get("error") or words.get("message")
            text = said["message"] if isinstance(said, dict) else str(said or text)
            break
    return " ".join(text.split())[:240]


def delivered(cell: Cell, answer: Answer) -> Outcome:
    """For faults that must not matter: the right picture, or what became of it."""
    if answer.hung:
        return Outcome("hung")
    if answer.error is None:
        right = any(is_right(file, cell.mark) for file in answer.files)
        return Outcome("survived") if right else Outcome("wrong", f"reported success; files: {len(answer.files)}")
    if answer.crashed:
        return Outcome("crashed", short(answer.error))
    made = wait_for(lambda: cell.made, JOB_SECONDS + 2)
    return Outcome("lost" if made else "unclear", short(answer.error))


def named(answer: Answer, cause: str) -> Outcome:
    """For faults without a result: an error that names the cause."""
    if answer.hung:
        return Outcome("hung")
    if answer.error is None:
        return Outcome("wrong", "reported success")
    if answer.crashed:
        return Outcome("crashed", short(answer.error))
    clear = re.search(cause, answer.error, re.IGNORECASE)
    return Outcome("survived" if clear else "unclear", short(answer.error))


def either(cell: Cell, answer: Answer, cause: str) -> Outcome:
    """The right picture, which could be had by running the job again, or an error that names the cause."""
    if answer.error is None or answer.hung:
        return delivered(cell, answer)
    outcome = named(answer, cause)
    return Outcome("told", outcome.note) if outcome.word == "survived" else outcome


FrameFault = Callable[[Frame], Iterable[Frame]]


def new_proxy(url: str) -> Proxy:
    """The proxy that the tests use, passing everything through."""
    proxy = Proxy(url)
    proxy.on("GET", "/ws", lambda exchange: open_plain(exchange, lambda frame: [frame]))
    return proxy


def open_plain(exchange: Exchange, fault: FrameFault) -> None:
    """Let the WebSocket through without compression, so that frames can be read."""
    raw = re.sub(rb"(?i)\r\nSec-WebSocket-Extensions:[^\r]*", b"", exchange.request.raw)
    exchange.request = dataclasses.replace(exchange.request, raw=raw)
    exchange.open_socket(fault)


def on_socket(cell: Cell, fault: FrameFault) -> None:
    """Put `fault` on every WebSocket."""
    cell.proxy.on("GET", "/ws", lambda exchange: open_plain(exchange, fault))


def kind_of(frame: Frame) -> str:
    message = frame.json()
    return str(message.get("type")) if isinstance(message, dict) else ""
