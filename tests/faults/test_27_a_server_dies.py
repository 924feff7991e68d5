"""Fault 27, one of several servers dies during a batch: its jobs move to the others; when it is back it works again."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from likeness_studio.runner.backends import BackendOptions
from likeness_studio.runner.batch import run as run_module
from likeness_studio.runner.batch.job_records import BatchOptions
from likeness_studio.runner.batch.run import run_batch
from likeness_studio.runner.errors import ServerUnreachable
from likeness_studio.tests.conftest import ComfyUIServer
from likeness_studio.tests.faults import batches
from likeness_studio.tests.faults.conftest import Mortal
from likeness_studio.tests.faults.graphs import SecondClient, colour_of, node, until
from likeness_studio.tests.faults.proxy import Proxy
from likeness_studio.tests.faults.wrongs import changed

pytestmark = pytest.mark.comfyui


class Batch:
    """`likeness batch --json` over photos of one colour each, as a process of its own."""

    def __init__(self, folder: Path, servers: list[str], *, jobs: int, seconds: float) -> None:
        self.colours = batches.one_colour_photos(folder / "in", jobs)
        self.output = folder / "out"
        graph = batches.write(batches.from_photo("moved", "FaultWait", seconds=seconds), folder / "graph.json")
        more = [word for url in servers for word in ("--server", url)]
        words = batches.command(graph, folder / "in", self.output, *more, "--json")
        self.events: list[dict[str, Any]] = []
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def said(self, kind: str, **values: Any) -> list[dict[str, Any]]:
        """The events of this kind that have these values."""
        return [e for e in list(self.events) if e.get("event") == kind and values.items() <= e.items()]

    def ends_well(self) -> None:
        """It ends with every job done, once, with its own picture."""
        code = self.process.wait(90)
        assert code == 0, self.process.stderr and self.process.stderr.read()
        rows = batches.rows(self.output)
        assert {name: row.state for name, row in rows.items()} == dict.fromkeys(self.colours, "done")
        for name, row in rows.items():
            assert [colour_of(path) for path in batches.pictures(self.output, row)] == [self.colours[name]]
        assert len(self.said("job_finished")) == len(self.colours)


@pytest.fixture
def started() -> Iterator[list[Batch]]:
    batches_started: list[Batch] = []
    yield batches_started
    for batch in batches_started:
        batch.process.kill()
        batch.process.wait()


def test_fault_27_jobs_of_a_killed_server_move_to_the_other(
    server: ComfyUIServer, mortal: Mortal, tmp_path: Path, started: list[Batch]
):
    batch = Batch(tmp_path, [mortal.url, server.url], jobs=14, seconds=0.5)
    started.append(batch)
    until(lambda: batch.said("job_finished", server=mortal.url), 30)
    until(SecondClient(mortal.url).running)
    mortal.kill()
    killed = time.monotonic()
    batch.ends_well()
    assert time.monotonic() - killed < 40
    assert batch.said("server_down", server=mortal.url)
    assert batch.said("job_retried"), "the jobs that were on it"
    servers = {row.server for row in batches.rows(batch.output).values()}
    assert servers == {mortal.url, server.url}


def test_fault_27_a_server_that_comes_back_gets_jobs_again(
    server: ComfyUIServer, proxy: Proxy, tmp_path: Path, started: list[Batch], second: SecondClient
):
    """The proxy refuses all connections for a while; behind it is a real server, which is also the other one."""
    batch = Batch(tmp_path, [proxy.url, server.url], jobs=22, seconds=0.5)
    started.append(batch)
    until(lambda: batch.said("job_finished", server=proxy.url), 30)
    proxy.down()
    until(lambda: batch.said("server_down", server=proxy.url), 15)
    before = len(batch.said("job_finished", server=proxy.url))
    proxy.up()
    until(lambda: batch.said("server_up", server=proxy.url), 15)
    until(lambda: len(batch.said("job_finished", server=proxy.url)) > before, 15)
    batch.ends_well()


@pytest.fixture
def with_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., BatchOptions]:
    """A batch of two pictures, each with a colour of its own: somebody must say what can be set."""
    monkeypatch.setattr(run_module, "BackendOptions", partial(BackendOptions, wait_seconds=0.3))
    table = tmp_path / "in.jsonl"
    table.write_text('{"name": "red", "set": {"Blank.color": 16711680}}\n{"name": "blue", "set": {"Blank.color": 255}}')
    graph = {
        "1": node("EmptyImage", "Blank", width=16, height=8, batch_size=1, color=0),
        "2": node("SaveImage", "Save", images=["1", 0], filename_prefix="set"),
    }
    workflow = batches.write(graph, tmp_path / "graph.json")
    return partial(BatchOptions, str(workflow), table, tmp_path / "out")


def test_fault_27_any_server_says_what_can_be_set(server: ComfyUIServer, with_settings: Callable[..., BatchOptions]):
    options = with_settings(("http://127.0.0.1:9", server.url))
    result = run_batch(options)
    assert (result.counts.done, result.counts.failed) == (2, 0)
    for name, rgb in {"red": 0xFF0000, "blue": 0xFF}.items():
        (path,) = batches.pictures(options.output, batches.rows(options.output)[name])
        assert colour_of(path) == rgb
    assert run_batch(options).jobs_run == 0


def test_fault_27_jobs_that_are_done_stay_done_when_no_server_says_what_can_be_set(
    server: ComfyUIServer, proxy: Proxy, with_settings: Callable[..., BatchOptions]
):
    options = with_settings((proxy.url,))
    run_batch(options)
    proxy.down()
    with pytest.raises(ServerUnreachable):
        run_batch(replace(options, wait_seconds=0.5))
    back = threading.Timer(2.0, proxy.up)
    back.start()
    result = run_batch(replace(options, wait_seconds=30.0))
    assert (result.counts.total, result.counts.done, result.jobs_run) == (2, 2, 0)


def poisoned(entries: dict[str, Any]) -> dict[str, Any]:
    """Every job has failed as it does once the CUDA context is broken."""
    words = "CUDA error: an illegal memory access was encountered"
    error = {"node_id": "2", "exception_type": "torch.AcceleratorError", "exception_message": words}
    for entry in entries.values():
        entry["status"] = {"status_str": "error", "completed": False, "messages": [["execution_error", error]]}
        entry["outputs"] = {}
    return entries


def test_fault_10_a_broken_server_gets_no_more_jobs_of_a_batch(
    server: ComfyUIServer, proxy: Proxy, tmp_path: Path, started: list[Batch], second: SecondClient
):
    proxy.on("GET", "/history", changed(poisoned))
    batch = Batch(tmp_path, [proxy.url, server.url], jobs=12, seconds=0.3)
    started.append(batch)
    batch.ends_well()
    (down, *_) = batch.said("server_down", server=proxy.url)
    assert "restart" in down["error"]
    assert not batch.said("job_finished", server=proxy.url)
    assert len(proxy.seen("POST", "/prompt")) < 8, "jobs were wasted on a broken server"
