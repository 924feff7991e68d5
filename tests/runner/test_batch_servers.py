"""A batch and its servers: logins, outages, whose fault an error is, and jobs that move."""

from __future__ import annotations

import threading
import time

import pytest

from likeness_studio.core.errors import FaceNotUsable, Interrupted, PhotoUnreadable
from likeness_studio.runner import errors
from likeness_studio.runner.backends import Fleet, Place
from likeness_studio.runner.batch import run as run_module
from likeness_studio.runner.batch.job_records import BatchOptions
from likeness_studio.runner.batch.judge import blame
from likeness_studio.runner.batch.ledger import Ledger
from likeness_studio.runner.batch.run import run_batch
from likeness_studio.runner.workflow import Setting
from likeness_studio.tests.runner.batches import Recorder, rows
from likeness_studio.tests.runner.fake_backend import FakeBackend


def test_no_server_at_all_is_a_bounded_wait(mirror, photos, tmp_path):
    options = BatchOptions(
        mirror, photos, tmp_path / "out", servers=("http://127.0.0.1:9", "http://127.0.0.1:10"), wait_seconds=0.5
    )
    began, seen = time.monotonic(), Recorder()
    with pytest.raises(errors.NoServer, match=r"answered for 0\.5 s .*127\.0\.0\.1:9.*does not answer"):
        run_batch(options, seen)
    assert time.monotonic() - began < 30
    assert {values["server"] for values in seen.of("server_down")} == {"http://127.0.0.1:9", "http://127.0.0.1:10"}
    with Ledger.read(options.output) as ledger:
        assert ledger.counts().pending == 3


@pytest.mark.parametrize(
    "server", ["http://me:secret@127.0.0.1:9", "me:secret@127.0.0.1:9/", "http://me:my@secret@127.0.0.1:9?token=secret"]
)
def test_a_servers_login_is_neither_kept_nor_shown(mirror, photos, tmp_path, server):
    options = BatchOptions(mirror, photos, tmp_path / "out", servers=(server,), wait_seconds=0.3)
    seen = Recorder()
    with pytest.raises(errors.NoServer) as caught:
        run_batch(options, seen)
    assert {values["server"] for values in seen.of("server_down")} == {"http://127.0.0.1:9"}
    with Ledger.read(options.output) as ledger:
        dump = "\n".join(ledger._database._connection.iterdump())
        assert ledger.config["servers"] == ["http://127.0.0.1:9"]
    for text in (str(caught.value), repr(seen.events), repr(seen.views), dump):
        assert "secret" not in text


def test_a_job_that_was_cut_off_is_asked_for_where_a_login_is_needed(mirror, photos, tmp_path):
    """The ledger has the server without its login; the place that resumes the job has the same name."""
    options = BatchOptions(mirror, photos, tmp_path / "out", servers=("http://me:secret@127.0.0.1:9/",))
    with Ledger.open(tmp_path / "out") as ledger:
        batch = run_module._Batch(options, [], ledger, Recorder(), lambda: False)
        (backend,) = batch._connect()
    assert Place(backend).name == "http://127.0.0.1:9"
    backend.close()


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (errors.ServerUnreachable("x"), "server"),
        (errors.JobLost("x"), "server"),
        (errors.ServerBroken("x"), "server"),
        (errors.ServerOutOfMemory("x"), "server"),
        (errors.ServerRefused("x", 500), "server"),
        (errors.ServerRefused("x", 401), "server"),
        (errors.ServerRefused("a login page"), "server"),
        (errors.ServerRefused("x", 400), "job"),
        (errors.LedgerBusy("x"), "disk"),
        (errors.NodeClassMissing("x", "Nobody", [], {}), "unsuited"),
        (errors.WorkflowInvalid([errors.ModelFileMissing("x", [], {}), errors.OutOfRange("y")]), "unsuited"),
        (errors.OutputBlank("x"), "chance"),
        (errors.OutputDamaged("x"), "chance"),
        (errors.InterruptedOnServer("x"), "job"),
        (errors.OutputUnwritable("x"), "disk"),
        (errors.TooLargeForServer("x"), "photo"),
        (errors.NodeFailed("Photo", "1", PhotoUnreadable("x")), "photo"),
        (errors.NodeFailed("Frame", "1", FaceNotUsable("x")), "photo"),
        (errors.NodeFailed("Scale", "1", RuntimeError("x")), "chance"),
        (errors.ServerExecutionError("Frame", "2", "FaceNotUsable", "x"), "photo"),
        (errors.ServerExecutionError("Photo", "1", "UnidentifiedImageError", "x"), "photo"),
        (errors.ServerExecutionError("Save", "3", "OSError", "x"), "chance"),
        (errors.WorkflowRejected("x", {"1": {"errors": []}}), "photo"),
        (errors.WorkflowRejected("x", {"3": {"errors": []}}), "job"),
    ],
)
def test_whose_fault_an_error_is(workflow, make, error, whose):
    graph = {"1": make("LoadImage", image="x.jpg"), "2": make("LikenessFrameHeadshot"), "3": make("SaveImage")}
    assert blame(error, workflow(graph)) == whose


def test_jobs_with_the_same_models_belong_together():
    from likeness_studio.runner.batch.job_records import JobSpec
    from likeness_studio.runner.batch.run import affinity

    model = Setting("Checkpoint", "ckpt_name", "a.safetensors")
    assert affinity(JobSpec("x", settings=(model, Setting("Sampler", "seed", "1")))) == "a.safetensors"
    assert affinity(JobSpec("y", settings=(Setting("Sampler", "seed", "2"), model))) == "a.safetensors"
    assert affinity(JobSpec("z")) == ""


def gone(*_, **__):
    raise errors.ServerUnreachable("It went away.")


@pytest.fixture
def beside_a_dying_server(monkeypatch):
    """This process, and a server that goes away under its job once nobody else has one; set the event to let it."""
    ready = threading.Event()

    def dying(*_, **__):
        assert ready.wait(30)
        gone()

    def both(places, changed):
        return Fleet([*places, Place(FakeBackend("dying", dying))], changed)

    monkeypatch.setattr(run_module, "Fleet", both)
    return ready


def test_the_last_job_moves_to_a_server_that_is_idle(mirror, photos, tmp_path, beside_a_dying_server):
    done = 0

    class Waits(Recorder):
        def event(self, event):
            nonlocal done
            super().event(event)
            done += event.kind == "job_finished"

        def update(self, view):
            if done == 2 and view.counts.pending == 0:
                beside_a_dying_server.set()

    options = BatchOptions(mirror, photos, tmp_path / "out")
    result = run_batch(options, Waits())
    assert (result.counts.done, result.counts.pending) == (3, 0)


def test_a_batch_does_not_wait_for_a_server_when_nothing_is_left_to_do(mirror, photos, tmp_path, monkeypatch):
    class Hidden(FakeBackend):
        def probe(self, timeout):
            return errors.ServerUnreachable("It is away.") if place.error and ledger_is_done() else None

    def ledger_is_done():
        with Ledger.read(tmp_path / "out") as ledger:
            return not ledger.counts().pending

    place = Place(Hidden("gone", gone))
    monkeypatch.setattr(run_module, "Fleet", lambda _, changed: Fleet([place], changed))
    (photos / "a.jpg").unlink()
    (photos / "b.jpg").unlink()
    result = run_batch(BatchOptions(mirror, photos, tmp_path / "out"))
    assert result.counts.failed == 1


def test_an_error_of_the_batch_itself_stops_the_jobs(mirror, photos, tmp_path, monkeypatch):
    def endless(workflow, folders, *, stopped, **_):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if stopped():
                raise Interrupted("The run was stopped.")
            time.sleep(0.01)
        raise errors.ServerUnreachable("Nobody stopped it.")

    class Broken(Recorder):
        def update(self, view):
            raise errors.OutputUnwritable("The disk is full.")

    monkeypatch.setattr(run_module, "Fleet", lambda _, changed: Fleet([Place(FakeBackend("slow", endless))], changed))
    began = time.monotonic()
    with pytest.raises(errors.OutputUnwritable):
        run_batch(BatchOptions(mirror, photos, tmp_path / "out"), Broken())
    assert time.monotonic() - began < 10
    assert all(row.state == "pending" for row in rows(tmp_path / "out").values())


def test_a_job_that_fails_by_itself_ends_the_trial_of_its_server(monkeypatch):
    """The photo was refused, so that the server has answered: it gets its full share again."""
    place = Place(FakeBackend(capacity=2))
    fleet = Fleet([place])
    try:
        place.trial = True
        assert fleet.take() is place
        assert place.room == 0
        fleet.give_back(place)
        assert place.room == 2
    finally:
        fleet.close()
