"""`likeness status` and `likeness retry`: what people and programs see of a batch, and which jobs are set back."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio.core.errors import PhotoMissing
from likeness_studio.runner.api.workflows import set_back
from likeness_studio.runner.batch.job_records import JobRow, JobSpec, Planned, Verdict
from likeness_studio.runner.batch.ledger import FILE, Ledger
from likeness_studio.runner.batch.overview import overview
from likeness_studio.runner.cli import main
from likeness_studio.runner.errors import LedgerMissing, ServerExecutionError, ServerUnreachable, UnknownJob
from likeness_studio.runner.workflow import Given

SERVER, OTHER = "http://one:8188", "http://two:8188"


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def run_job(ledger: Ledger, verdict: Verdict | None, score: float | None = None, server: str = SERVER) -> str:
    leased = ledger.lease(server)
    assert leased is not None
    ledger.begin(leased.key, server, "prompt", 1)
    if verdict is None:
        error = ServerExecutionError("Restore", "4", "RuntimeError", "bad\x1b[2J\nweights")
        ledger.failed(leased.key, error=error, server=server, seconds=1.0)
    else:
        values = {"folder": leased.folder, "server": server, "seconds": 2.0, "result": {}}
        ledger.done(leased.key, verdict=verdict, score=score, **values)
    return leased.key


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    """Ten jobs: two confirmed, two not, two failed on a server, one without photo, one in between, two waiting."""
    folder = tmp_path / "headshots"
    with Ledger.open(folder) as ledger:
        ledger.config = {"workflow": "studio_headshot"}
        ledger.plan([Planned(f"key-{name}", JobSpec(name)) for name in "abcdefghij"])
        run_job(ledger, "passed", 0.7)
        run_job(ledger, "passed", 0.6, OTHER)
        run_job(ledger, "not_confirmed", 0.1)
        run_job(ledger, "not_confirmed", 0.2)
        run_job(ledger, None)
        run_job(ledger, None)
        ledger.failed(take(ledger), error=PhotoMissing("There is no photo at g.jpg; check the path."))
        ledger.begin(take(ledger), OTHER, "p")
        ledger.release("key-h", error=ServerUnreachable("http://two:8188 does not answer."), counts=True)
        ledger.begin(take(ledger), OTHER, "p")
    return folder


def take(ledger: Ledger) -> str:
    leased = ledger.lease(OTHER)
    assert leased is not None
    return leased.key


def test_status_for_people(batch):
    outcome = call("status", batch)
    assert outcome.exit_code == 0, outcome.output
    assert outcome.stdout.splitlines() == [
        f"Batch     {batch} (studio_headshot)",
        "Jobs      10: 4 done, 3 failed, 1 running, 2 waiting",
        "Verdicts  2 same person, 2 not confirmed",
        "Runner    none; start the same command again to go on",
        f"Server    {SERVER}: 5 tries ended, 2.0 s each; last error: Restore (node 4) failed on the server: "
        "RuntimeError: bad [2J weights",
        f"Server    {OTHER}: 1 try ended, 1 cut off, 2.0 s each; last error: http://two:8188 does not answer.",
        "Failed    e, f: [server_execution_error] Restore (node 4) failed on the server: RuntimeError: bad [2J weights",
        "Failed    g: [photo_missing] There is no photo at g.jpg; check the path.",
        "Verdict   not confirmed: d (similarity 0.20), c (similarity 0.10)",
    ]
    outcome = call("status", batch, "--failed")
    assert "g  [photo_missing] There is no photo at g.jpg; check the path." in outcome.stdout.splitlines()


def test_status_for_programs(batch):
    lines = [json.loads(line) for line in call("status", batch, "--failed", "--json").stdout.splitlines()]
    assert [(line["event"], line.get("name")) for line in lines] == [
        ("job_failed", "e"),
        ("job_failed", "f"),
        ("job_failed", "g"),
        ("result", None),
    ]
    result = lines[-1]
    assert result["counts"]["done"] == 4
    assert result["active"] is False
    assert result["failures"][0]["jobs"] == ["e", "f"]
    assert result["not_confirmed"] == [{"name": "d", "score": 0.2}, {"name": "c", "score": 0.1}]
    assert [server["lost"] for server in result["servers"]] == [0, 1]


def test_status_while_a_runner_is_at_work(batch):
    with Ledger.open(batch) as ledger:
        ledger.recover()
        assert "at work; no job is finished yet" in call("status", batch).stdout
        run_job(ledger, "passed", 0.5)
        found = overview(ledger)
        assert found.active
        assert found.per_minute is not None
        assert found.seconds_left == pytest.approx(60 * 2 / found.per_minute)
        shown = call("status", batch).stdout
        assert "jobs a minute, about" in shown
        while ledger.has_pending():
            run_job(ledger, "passed", 0.5)
    assert "none; nothing is left to do" in call("status", batch).stdout


def test_failures_are_told_apart_by_what_they_say(tmp_path):
    said = {
        "a": "There is no photo at {}.",
        "b": "There is no photo at {}.",
        "c": "{} is empty.",
        "d": "{} is cut off.",
        "e": "{} is empty.",
    }
    with Ledger.open(tmp_path) as ledger:
        photos = {name: Path(f"/in/{name}.jpg") for name in said}
        ledger.plan([Planned(name, JobSpec(name, (Given(path),))) for name, path in photos.items()])
        for name, message in said.items():
            shown = photos[name] if name in "ab" else photos[name].name
            ledger.failed(take(ledger), error=PhotoMissing(message.format(shown)))
    assert [line for line in call("status", tmp_path).stdout.splitlines() if line.startswith("Failed")] == [
        "Failed    a, b: [photo_missing] There is no photo at ….",
        "Failed    c, e: [photo_missing] … is empty.",
        "Failed    d: [photo_missing] d.jpg is cut off.",
    ]


def test_many_different_failures_are_counted(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        ledger.plan([Planned(f"k{number}", JobSpec(f"n{number}")) for number in range(23)])
        for number in range(23):
            ledger.failed(take(ledger), error=PhotoMissing(f"Reason {number}."))
    lines = [line for line in call("status", tmp_path).stdout.splitlines() if line.startswith("Failed")]
    assert len(lines) == 21
    assert lines[-1] == "Failed    3 more for other reasons; --failed lists all"


def test_a_batch_without_jobs_is_not_done(tmp_path):
    Ledger.open(tmp_path).close()
    assert "nothing is left to do" not in call("status", tmp_path).stdout


def test_no_batch_and_a_broken_one_are_one_line(tmp_path, batch):
    outcome = call("status", tmp_path)
    assert (outcome.exit_code, outcome.stderr.count("\n")) == (1, 1)
    assert "error [ledger_missing]" in outcome.stderr
    (batch / FILE).write_bytes(b"x" * 5000)
    outcome = call("status", batch)
    assert outcome.exit_code == 1
    assert "error [ledger_unreadable]" in outcome.stderr


def names_pending(folder: Path) -> str:
    with sqlite3.connect(folder / FILE) as look:
        rows = look.execute("SELECT name FROM jobs WHERE state = 'pending' ORDER BY place").fetchall()
    look.close()
    return "".join(name for (name,) in rows)


def test_jobs_are_set_back(batch):
    assert set_back(batch, failed=True) == 3
    assert names_pending(batch) == "efgij"
    assert set_back(batch, ("a",), not_confirmed=True) == 3
    assert names_pending(batch) == "acdefgij"
    assert set_back(batch, failed=True) == 0
    with pytest.raises(UnknownJob):
        set_back(batch, ("a", "zoe"))


def test_retry_says_what_is_wrong(batch, tmp_path):
    assert call("retry", batch).exit_code == 2
    assert call("retry", batch, "--header", "x", "--failed").exit_code == 2
    assert "error [unknown_job]" in call("retry", batch, "zoe").stderr
    with pytest.raises(LedgerMissing):
        set_back(tmp_path / "nothing", failed=True)
    assert not (tmp_path / "nothing").exists()
    with Ledger.open(batch):
        assert "error [ledger_busy]" in call("retry", batch, "--failed").stderr
    assert names_pending(batch) == "ij"


def test_retry_without_anything_to_do(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        ledger.plan([Planned("k", JobSpec("a"))])
    outcome = call("retry", tmp_path, "--failed")
    assert (outcome.exit_code, outcome.stdout) == (0, "There is no such job to run again.\n")


def test_retry_runs_with_the_command_of_the_batch(tmp_path, make, monkeypatch):
    graph = {
        "1": make("LoadImage", "Photo", image="example.png"),
        "2": make("ImageInvert", "Negative", image=["1", 0]),
        "3": make("SaveImage", "Save", images=["2", 0], filename_prefix="negative"),
    }
    (tmp_path / "negative.json").write_text(json.dumps(graph), "utf-8")
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (8, 8), "navy").save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / "c.png").write_bytes(b"no picture")
    monkeypatch.chdir(tmp_path)
    outcome = call("batch", "negative.json", "--inputs", "in", "--output", "out", "--set", "Save.filename_prefix=mine")
    assert outcome.exit_code == 1, outcome.output
    monkeypatch.chdir("/")
    out = tmp_path / "out"
    before = ledger_rows(out)
    assert {name: row.error_code for name, row in before.items()} == {"a": None, "b": None, "c": "photo_unreadable"}
    outcome = call("retry", out, "b", "--failed")
    assert outcome.exit_code == 1, outcome.output
    assert "2 jobs run again." in outcome.stdout
    after = ledger_rows(out)
    assert after["a"] == before["a"]
    assert [len(row.attempts) for row in after.values()] == [1, 2, 2]
    assert after["b"].state == "done"
    assert sorted(path.name for path in (out / "b").iterdir()) == ["mine_00001_.png"]
    assert "Failed    c: [photo_unreadable]" in call("status", out).stdout


def ledger_rows(folder: Path) -> dict[str, JobRow]:
    with Ledger.read(folder) as ledger:
        return {row.name: row for row in ledger.rows()}
