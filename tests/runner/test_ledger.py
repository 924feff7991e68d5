"""The ledger: what a job goes through, and many workers at once."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from likeness_studio.core.errors import LikenessError, PhotoMissing, PhotoUnreadable
from likeness_studio.runner.batch.job_records import JobRow, JobSpec, Leased, Planned
from likeness_studio.runner.batch.ledger import Ledger
from likeness_studio.runner.batch.result_folders import is_active
from likeness_studio.runner.errors import (
    LedgerBusy,
    LedgerMissing,
    OutputUnwritable,
    ServerExecutionError,
    ServerUnreachable,
    UnknownJob,
)
from likeness_studio.runner.workflow import Given, Setting

SERVER, OTHER = "http://one:8188", "http://two:8188"


def jobs(*names, affinity=""):
    return [Planned(f"key-{name}", JobSpec(name), affinity) for name in names]


def finish(ledger, leased, verdict="passed", **values):
    ledger.done(
        leased.key,
        verdict=verdict,
        score=values.get("score"),
        folder=leased.folder,
        server=values.get("server", SERVER),
        seconds=1.5,
        result=values.get("result", {}),
    )


def take(ledger: Ledger, server: str = SERVER, affinity: str = "") -> Leased:
    leased = ledger.lease(server, affinity)
    assert leased is not None
    return leased


def entry(ledger: Ledger, key: str) -> JobRow:
    found = ledger.row(key)
    assert found is not None
    return found


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "batch") as opened:
        yield opened


def states(ledger):
    return {row.name: row.state for row in ledger.rows()}


def test_a_job_from_plan_to_result(ledger):
    spec = JobSpec("anna", (Given(Path("/photos/anna.jpg")), Given(Path("/x"), "Photo")), (Setting("A", "b", "c=d"),))
    counts = ledger.plan([Planned("k1", spec, "sd15"), *jobs("bert")])
    assert (counts.total, counts.pending) == (2, 2)
    leased = take(ledger, SERVER)
    assert (leased.spec, leased.attempt, leased.resume, leased.folder) == (spec, 1, None, "anna")
    seed = 2**64 - 1
    number = ledger.begin("k1", SERVER, "prompt-1", seed)
    finish(ledger, leased, score=0.61, result={"outputs": [{"file": "anna/a.png"}]})
    row = entry(ledger, "k1")
    assert (row.state, row.verdict, row.score, row.folder, row.server) == ("done", "passed", 0.61, "anna", SERVER)
    assert row.result == {"outputs": [{"file": "anna/a.png"}]}
    assert row.finished is not None
    assert abs(row.finished - time.time()) < 60
    (attempt,) = row.attempts
    assert (attempt.number, attempt.seed, attempt.outcome, attempt.score) == (number, seed, "passed", 0.61)
    assert [row.name for row in ledger.rows(state="pending")] == ["bert"]
    assert ledger.row("unknown") is None


def test_a_second_plan_adds_hides_and_keeps(ledger):
    ledger.plan(jobs("a", "b", "c"))
    finish(ledger, take(ledger))
    counts = ledger.plan(jobs("d", "c", "a"))
    assert (counts.total, counts.done, counts.pending) == (3, 1, 2)
    assert [row.name for row in ledger.rows()] == ["d", "c", "a"]
    assert [row.name for row in ledger.rows(all_plans=True)] == ["d", "c", "a", "b"]
    assert [take(ledger, SERVER).spec.name for _ in range(2)] == ["d", "c"]
    assert ledger.lease(SERVER) is None
    assert not ledger.has_pending()


def test_the_users_own_folders_are_never_a_jobs(ledger):
    (ledger.folder / "Anna").mkdir()
    ledger.plan(jobs("anna", "bert", "Thumbs"), reserved=["thumbs"])
    assert [take(ledger).folder for _ in range(3)] == ["anna_2", "bert", "Thumbs_2"]
    for name in ("anna", "bert"):
        ledger.release(f"key-{name}", counts=False)
    anna = take(ledger)
    (ledger.folder / anna.folder).mkdir()
    (ledger.folder / "bert").mkdir()
    ledger.release(anna.key, counts=False)
    ledger.plan(jobs("anna", "bert"))
    assert [take(ledger).folder for _ in range(2)] == ["anna_2", "bert"], "a folder once given stays"


@pytest.mark.parametrize("second", [Planned("key-a", JobSpec("b")), Planned("key-b", JobSpec("A"))])
def test_a_plan_with_the_same_job_twice_is_refused(ledger, second):
    with pytest.raises(ValueError, match="same"):
        ledger.plan([*jobs("a"), second])


def test_leases_go_by_what_was_cut_off_then_affinity_then_order(tmp_path):
    folder = tmp_path / "batch"
    with Ledger.open(folder) as ledger:
        ledger.plan([*jobs("a", "b", "c"), *jobs("d", "e", affinity="flux")])
        for _ in range(2):
            ledger.lease(SERVER)
        ledger.begin("key-a", OTHER, "prompt-a")
        ledger.begin("key-b", SERVER, "prompt-b", 7)
    with Ledger.open(folder) as ledger:
        assert take(ledger, SERVER).spec.name == "c", "a lease outlives its runner until it is recovered"
        assert ledger.recover() == 3
        handed = [take(ledger, SERVER, "flux") for _ in range(5)]
        assert [each.spec.name for each in handed] == ["b", "d", "e", "c", "a"]
        mine, other = handed[0].resume, handed[4].resume
        assert mine is not None
        assert other is not None
        assert (mine.server, mine.prompt_id, mine.seed, other.server) == (SERVER, "prompt-b", 7, OTHER)
        assert [each.attempt for each in handed] == [1] * 5
        ledger.end("key-b", mine.number, "not_confirmed", score=0.2, seconds=3.0)
        number = ledger.begin("key-a", SERVER, "prompt-a2")
        assert [each.outcome for each in entry(ledger, "key-a").attempts] == ["released", None]
        assert number == 2


def test_attempts_count_unless_released(ledger):
    ledger.plan(jobs("a"))
    leased = take(ledger, SERVER)
    ledger.end("key-a", ledger.begin("key-a", SERVER, "1", 1), "not_confirmed", score=0.2)
    ledger.begin("key-a", SERVER, "2", 2)
    ledger.release("key-a", error=ServerUnreachable("Gone."), counts=True)
    leased = take(ledger, SERVER)
    assert (leased.attempt, leased.released, [each.score for each in leased.earlier]) == (2, 1, [0.2])
    ledger.release("key-a", counts=False)
    assert take(ledger, SERVER).released == 1
    finish(ledger, leased, "not_confirmed")
    assert [each.error_code for each in entry(ledger, "key-a").attempts] == [None, "server_unreachable"]
    assert ledger.retry(not_confirmed=True) == 1
    leased = take(ledger, SERVER)
    assert (leased.attempt, leased.released, leased.earlier) == (1, 0, ())
    assert len(entry(ledger, "key-a").attempts) == 2
    assert entry(ledger, "key-a").verdict is None


def test_failures_carry_their_reason(ledger):
    ledger.plan(jobs("a", "b"))
    ledger.lease(SERVER)
    ledger.lease(SERVER)
    ledger.begin("key-b", SERVER, "1")
    ledger.failed("key-a", error=PhotoMissing("There is no photo at x\udcff.jpg."))
    ledger.failed("key-b", error=PhotoUnreadable("No face."), verdict="refused", server=SERVER, seconds=2.0)
    rows = {row.name: row for row in ledger.rows()}
    assert (rows["a"].error_code, rows["a"].verdict, rows["a"].attempts) == ("photo_missing", None, ())
    assert "x\\udcff.jpg" in rows["a"].error
    assert (rows["b"].verdict, rows["b"].attempts[0].outcome) == ("refused", "refused")
    counts = ledger.counts()
    assert (counts.failed, counts.refused, counts.finished) == (2, 1, 2)
    assert ledger.retry(failed=True) == 2
    assert states(ledger) == {"a": "pending", "b": "pending"}


def test_retry_by_name(ledger):
    ledger.plan(jobs("a", "b"))
    finish(ledger, take(ledger))
    with pytest.raises(UnknownJob, match=r"^The batch in .* has no job 'B'; did you mean 'b'\?$"):
        ledger.retry(names=["a", "B"])
    assert entry(ledger, "key-a").state == "done"
    assert ledger.retry(names=["a", "b"]) == 1, "b is pending already"


def test_only_a_leased_job_can_change(ledger):
    ledger.plan(jobs("a"))
    leased = take(ledger, SERVER)
    finish(ledger, leased)
    for change in (
        lambda: finish(ledger, leased),
        lambda: ledger.failed("key-a", error=PhotoMissing("x")),
        lambda: ledger.begin("key-a", SERVER, "1"),
        lambda: ledger.release("key-a", counts=True),
        lambda: ledger.end("key-x", 1, "failed"),
    ):
        with pytest.raises(ValueError, match="not leased"):
            change()
    assert entry(ledger, "key-a").state == "done"
    ledger.retry(names=["a"])
    ledger.lease(SERVER)
    with pytest.raises(ValueError, match="not open"):
        ledger.end("key-a", 1, "failed")


def test_no_password_is_kept(ledger):
    ledger.config = {"servers": ["https://me:secret@gpu:8188"], "nested": [{"url": "http://to@ken@x/y"}], "number": 3}
    assert ledger.config == {"servers": ["https://gpu:8188"], "nested": [{"url": "http://x/y"}], "number": 3}
    ledger.plan(jobs("a"))
    leased = take(ledger, "http://me:secret@one:8188")
    ledger.begin(leased.key, "http://me:secret@one:8188", "1")
    ledger.failed(leased.key, error=ServerExecutionError("T", "1", "E", "at http://me:secret@one"), server=SERVER)
    with Ledger.read(ledger.folder) as reader:
        dump = "\n".join(reader._database._connection.iterdump())
    assert "http://one:8188" in dump
    assert "secret" not in dump


def test_hashes_are_known_until_the_file_changes(ledger):
    path = Path(os.fsdecode(b"/photos/\xff.jpg"))
    ledger.remember_hash(path, 10, 20, "ab")
    assert ledger.known_hash(path, 10, 20) == "ab"
    assert ledger.known_hash(path, 11, 20) is None
    assert ledger.known_hash(path, 10, 21) is None
    ledger.remember_hash(path, 11, 21, "cd")
    assert ledger.known_hash(path, 11, 21) == "cd"


def test_one_runner_at_a_time_and_readers_any_time(tmp_path):
    folder = tmp_path / "batch"
    with pytest.raises(LedgerMissing):
        Ledger.read(folder)
    with Ledger.open(folder) as ledger:
        ledger.plan(jobs("a", "b"))
        with pytest.raises(
            LedgerBusy,
            match=r"^Another runner is at work in .*batch; wait for it, stop it, or choose another --output\.$",
        ):
            Ledger.open(folder)
        with Ledger.read(folder) as reader:
            assert reader.active
            assert reader.counts().pending == 2
            ledger.lease(SERVER)
            assert reader.counts().leased == 1
            with pytest.raises(OutputUnwritable, match="read-only"):
                reader.plan([])
    assert not is_active(folder)
    before = sorted(path.name for path in folder.iterdir())
    with Ledger.read(folder) as reader:
        assert not reader.active
        assert [row.name for row in reader.rows()] == ["a", "b"]
    assert sorted(path.name for path in folder.iterdir()) == before
    with Ledger.open(folder):
        assert is_active(folder)


def test_many_threads_get_each_job_once(ledger):
    total, workers = 400, 16
    ledger.plan(jobs(*(f"job_{number}" for number in range(total))))
    taken, failures = [], []

    def work(server):
        try:
            while (leased := ledger.lease(server)) is not None:
                taken.append(leased.key)
                number = ledger.begin(leased.key, server, "p", 1)
                if leased.attempt == 1 and leased.key.endswith("7") and not leased.released:
                    ledger.release(leased.key, counts=True)
                    continue
                ledger.end(leased.key, number, "not_confirmed", score=0.1)
                ledger.counts()
                finish(ledger, leased, server=server)
        except (LikenessError, ValueError, sqlite3.Error) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[f"http://{number}"]) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert (ledger.counts().done, ledger.counts().passed) == (total, total)
    assert Counter(Counter(taken).values()) == {1: total - total // 10, 2: total // 10}


def test_ten_thousand_jobs_are_quick(ledger):
    planned = jobs(*(f"job_{number}" for number in range(10_000)))
    start = time.process_time()
    ledger.plan(planned)
    assert ledger.plan(planned).pending == 10_000
    assert time.process_time() - start < 4
    start, number = time.process_time(), 200
    for _ in range(number):
        leased = take(ledger, SERVER, "none")
        ledger.begin(leased.key, SERVER, "p", 1)
        finish(ledger, leased, result={"likeness": [{"text": "x" * 3000}]})
    assert (time.process_time() - start) / number < 0.002
    assert sum(1 for _ in ledger.rows()) == 10_000


def test_the_ledger_is_json_inside(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        ledger.plan(jobs("a"))
        finish(ledger, take(ledger), result={"path": Path("a/b.png")})
        assert json.loads(ledger.query("SELECT result FROM jobs")[0][0]) == {"path": "a/b.png"}
