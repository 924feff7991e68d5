"""Stopping: within two seconds, our prompt and no other."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from likeness_studio.core.errors import Interrupted
from likeness_studio.runner.backends import Event, Folders
from likeness_studio.tests.conftest import ComfyUIServer
from likeness_studio.tests.faults import batches
from likeness_studio.tests.faults.graphs import Graph, SecondClient, run_on, until, waiting
from likeness_studio.tests.faults.proxy import Exchange, Proxy

pytestmark = pytest.mark.comfyui


def stop_when_queued(url: str, graph: Graph, folders: Folders, after: float) -> str:
    """Run `graph`, stop it `after` seconds after it was queued; return its id."""
    queued: list[tuple[str, float]] = []

    def note(event: Event) -> None:
        if event.kind == "queued":
            queued.append((str(event.message), time.monotonic()))

    with pytest.raises(Interrupted):
        run_on(url, graph, folders, note, lambda: bool(queued) and time.monotonic() - queued[0][1] > after)
    assert time.monotonic() - queued[0][1] < after + 2.0
    return queued[0][0]


def test_fault_16_cancel_of_a_waiting_job_leaves_the_running_one(
    server: ComfyUIServer, folders: Folders, second: SecondClient
):
    other = second.submit(waiting(2.0))
    until(lambda: other in second.running())
    ours = stop_when_queued(server.url, waiting(30.0), folders, 0.5)
    assert ours not in second.pending()
    assert second.running() == [other]
    until(lambda: second.status_of(other))
    assert second.status_of(other) == "success"


def test_fault_16_cancel_of_the_running_job_leaves_the_waiting_one(
    server: ComfyUIServer, folders: Folders, second: SecondClient
):
    waits: list[str] = []

    def submit() -> None:
        until(second.running)
        waits.append(second.submit(waiting(0.2)))

    thread = threading.Thread(target=submit)
    thread.start()
    stop_when_queued(server.url, waiting(30.0), folders, 1.0)
    thread.join()
    until(lambda: second.status_of(waits[0]))
    assert second.status_of(waits[0]) == "success"


def test_fault_16_cancel_just_when_the_job_ends(server: ComfyUIServer, folders: Folders, second: SecondClient):
    """The next job on the server is somebody else's: a stop that comes too late must not hit it."""
    ours: list[str] = []

    def note(event: Event) -> None:
        if event.kind == "queued":
            ours.append(str(event.message))

    def ended() -> bool:
        return bool(ours) and ours[0] not in second.running() + second.pending()

    others: list[str] = []

    def submit() -> None:
        until(second.running)
        others.append(second.submit(waiting(1.0)))

    thread = threading.Thread(target=submit)
    thread.start()
    with contextlib.suppress(Interrupted):
        run_on(server.url, waiting(0.7), folders, note, ended)
    thread.join()
    until(lambda: second.status_of(others[0]))
    assert second.status_of(others[0]) == "success"


class Command:
    """`likeness run … --json` as a process of its own."""

    def __init__(self, graph: Graph, url: str, folder: Path) -> None:
        path = folder / "graph.json"
        path.write_text(json.dumps(graph), "utf-8")
        program = "from likeness_studio.runner.cli import main; main()"
        words = ["run", str(path), "--server", url, "--output", str(folder / "out"), "--json"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def stopped_by(self, number: signal.Signals) -> list[dict[str, object]]:
        """Send the signal; the process must end within two seconds with 130 and say "interrupted" and nothing else."""
        began = time.monotonic()
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        took = time.monotonic() - began
        assert self.process.returncode == 130, err
        assert took < 2, f"took {took:.1f} s"
        assert "Traceback" not in err
        lines = [json.loads(line) for line in out.splitlines()]
        assert lines[-1]["code"] == "interrupted"
        return lines


@pytest.fixture
def commands() -> Iterator[list[Command]]:
    started: list[Command] = []
    yield started
    for command in started:
        command.process.kill()
        command.process.wait()


SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_fault_22_signal_while_the_job_runs(server, second, tmp_path, commands, number):
    commands.append(Command(waiting(30.0), server.url, tmp_path))
    until(second.running)
    commands[0].stopped_by(number)
    until(lambda: not second.running(), 3)


def test_fault_22_signal_while_the_job_waits_in_the_queue(server, second, tmp_path, commands):
    other = second.submit(waiting(6.0))
    commands.append(Command(waiting(30.0), server.url, tmp_path))
    until(second.pending)
    commands[0].stopped_by(signal.SIGINT)
    assert second.pending() == []
    assert second.running() == [other]
    second.interrupt(other)


def test_fault_22_signal_while_a_dead_server_is_waited_for(second, tmp_path, commands):
    commands.append(Command(waiting(1.0), "http://127.0.0.1:9", tmp_path))
    time.sleep(1.5)
    commands[0].stopped_by(signal.SIGTERM)


@pytest.mark.parametrize("path", ["/prompt", "/history", "/view", "/system_stats"])
def test_fault_22_signal_while_a_request_hangs(proxy: Proxy, tmp_path: Path, commands: list[Command], path: str):
    """The server stopped answering in the middle of whatever we asked."""
    let_go, hanging = threading.Event(), threading.Event()

    def hang(exchange: Exchange) -> None:
        hanging.set()
        let_go.wait(60)

    proxy.on(None, path, hang)
    commands.append(Command(waiting(0.0), proxy.url, tmp_path))
    assert hanging.wait(15)
    commands[0].stopped_by(signal.SIGINT)
    let_go.set()


def test_fault_22_signal_while_the_answer_to_the_submission_is_awaited(
    proxy: Proxy, second: SecondClient, tmp_path: Path, commands: list[Command]
):
    """The server has the job and is slow to say so: the runner ends in time, and the job is taken off the server."""
    let_go = threading.Event()

    def slow(exchange: Exchange) -> None:
        exchange.forward()
        let_go.wait(60)

    proxy.on("POST", "/prompt", slow)
    commands.append(Command(waiting(30.0), proxy.url, tmp_path))
    until(second.running)
    commands[0].stopped_by(signal.SIGINT)
    until(lambda: not second.running(), 3)
    let_go.set()


@pytest.mark.parametrize("delay", [0.5, 1.0])
def test_fault_22_signal_while_the_command_starts(tmp_path: Path, commands: list[Command], delay: float):
    commands.append(Command(waiting(1.0), "http://127.0.0.1:9", tmp_path))
    time.sleep(delay)
    commands[0].stopped_by(signal.SIGINT)


def test_fault_22_signal_during_a_batch(server, second, tmp_path):
    """It ends within two seconds, takes its jobs off the server, and the same command does what is left."""
    batches.one_colour_photos(tmp_path / "in", 4)
    graph = batches.write(batches.from_photo("stopped", "FaultWait", seconds=1.0), tmp_path / "graph.json")
    words = batches.command(graph, tmp_path / "in", tmp_path / "out", "--server", server.url, "--json")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: batches.counts(tmp_path / "out").done == 1 and second.running(), 30)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        took = time.monotonic() - began
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert took < 2, f"took {took:.1f} s"
    assert "Traceback" not in err
    assert json.loads(out.splitlines()[-1])["code"] == "interrupted"
    until(lambda: not second.running() + second.pending(), 3)
    left = batches.counts(tmp_path / "out")
    assert (left.leased, left.failed, left.done + left.pending) == (0, 0, 4)
    assert batches.run(words).returncode == 0
    assert batches.counts(tmp_path / "out").done == 4
