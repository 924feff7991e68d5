"""Fault 26, the runner is killed during a batch: the same command goes on, and every input is in the results once."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from likeness_studio.runner.batch.job_records import JobRow
from likeness_studio.tests.conftest import ComfyUIServer
from likeness_studio.tests.faults import batches
from likeness_studio.tests.faults.graphs import SecondClient, colour_of, until

pytestmark = [pytest.mark.comfyui, pytest.mark.skipif(os.name != "posix", reason="SIGKILL")]

JOBS, SECONDS = 12, 0.4


def kill_when_done(words: list[str], output: Path, jobs: int) -> dict[str, JobRow]:
    """Start the batch, kill it once `jobs` are done and others run; the jobs as it left them."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def far_enough() -> bool:
        assert process.poll() is None, process.stderr and process.stderr.read()
        counts = batches.counts(output)
        return counts.done >= jobs and counts.leased > 0

    try:
        until(far_enough, 60)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    left = batches.rows(output)
    assert any(row.state == "leased" for row in left.values()), "it was not killed in the middle"
    return {name: row for name, row in left.items() if row.state == "done"}


def test_fault_26_a_batch_goes_on_after_its_runner_was_killed(
    server: ComfyUIServer, second: SecondClient, tmp_path: Path
):
    colours = batches.one_colour_photos(tmp_path / "in", JOBS)
    graph = batches.write(batches.from_photo("killed", "FaultWait", seconds=SECONDS), tmp_path / "graph.json")
    output = tmp_path / "out"
    words = batches.command(graph, tmp_path / "in", output, "--server", server.url)
    before: dict[str, JobRow] = {}
    for jobs in (1, 4, 8):
        finished = kill_when_done(words, output, jobs)
        assert before.items() <= finished.items(), "a finished job was touched again"
        before = finished

    outcome = batches.run(words)
    assert outcome.returncode == 0, outcome.stderr
    rows = batches.rows(output)
    assert {name: row.state for name, row in rows.items()} == dict.fromkeys(colours, "done")
    assert {name: rows[name] for name in before} == before
    for name, row in rows.items():
        assert [colour_of(path) for path in batches.pictures(output, row)] == [colours[name]]
    assert len({row.folder for row in rows.values()}) == JOBS
    assert not (output / ".work").exists()
    assert not second.running()
    assert not second.pending()


def test_fault_26_a_finished_batch_is_not_run_again(server: ComfyUIServer, tmp_path: Path):
    batches.one_colour_photos(tmp_path / "in", 3)
    graph = batches.write(batches.from_photo("again", "FaultWait", seconds=0.05), tmp_path / "graph.json")
    output = tmp_path / "out"
    words = batches.command(graph, tmp_path / "in", output, "--server", server.url)
    assert batches.run(words).returncode == 0
    first = batches.rows(output)
    (tmp_path / "in" / "photo_0.png").rename(tmp_path / "in" / "renamed.png")
    (tmp_path / "in" / "photo_1.png").write_bytes((tmp_path / "in" / "photo_2.png").read_bytes()[:-4] + b"more")
    assert batches.run(words).returncode == 0
    rows = batches.rows(output)
    assert rows["renamed"].finished == first["photo_0"].finished, "a renamed photo is the same job"
    assert rows["photo_2"] == first["photo_2"]
    assert rows["photo_1"].key != first["photo_1"].key, "a changed photo is another job"
    assert rows["photo_1"].state == "done"
