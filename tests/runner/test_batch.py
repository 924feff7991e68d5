"""A batch in this process: done once, gone on with, tried until it passes, and never ended by one bad photo."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path

import pytest

from likeness_studio.nodes.errors import FaceNotUsable, Interrupted, PhotoUnreadable
from likeness_studio.nodes.schema import io
from likeness_studio.runner import errors, local
from likeness_studio.runner.batch import run as run_module
from likeness_studio.runner.batch.fleet import Fleet, Place
from likeness_studio.runner.batch.judge import blame, score_of
from likeness_studio.runner.batch.ledger import Ledger
from likeness_studio.runner.batch.options import BatchOptions
from likeness_studio.runner.batch.run import resume, run_batch
from likeness_studio.runner.batch.seeds import SEED_BITS, require_seeds, reseeded, seed_for
from likeness_studio.runner.catalog import describe, local_classes
from likeness_studio.runner.result import RunResult
from likeness_studio.runner.settings import Setting


class Judge(io.ComfyNode):
    """Shows a likeness verdict that depends on the seed alone."""

    calls: list[int] = []  # noqa: RUF012
    passing: set[int] = set()  # noqa: RUF012
    scores: dict[int, float] = {}  # noqa: RUF012

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TestJudge",
            inputs=[io.Image.Input("image"), io.Int.Input("seed", default=0)],
            outputs=[io.Image.Output()],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, image: object, seed: int) -> io.NodeOutput:
        cls.calls.append(seed)
        passed, score = seed in cls.passing, cls.scores.get(seed, 0.1)
        report = {
            "all_passed": passed,
            "best": score,
            "threshold": 0.4,
            "images": [{"passed": passed, "cosine": score}],
        }
        return io.NodeOutput(image, ui={"likeness": [report]})


@pytest.fixture
def judge(monkeypatch):
    classes = {**local_classes(), "TestJudge": Judge}
    monkeypatch.setattr(local, "local_classes", lambda: classes)
    monkeypatch.setattr(local, "local_catalog", lambda: describe(classes))
    Judge.calls, Judge.passing, Judge.scores = [], set(), {}
    return Judge


@pytest.fixture
def photos(tmp_path, astronaut):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a", "b", "c"):
        # a byte after the picture's end makes another file of the same picture
        (folder / f"{name}.jpg").write_bytes(astronaut.read_bytes() + name.encode())
    return folder


@pytest.fixture
def mirror(tmp_path, make):
    """Photo -> negative -> picture."""
    graph = {
        "1": make("LoadImage", "Photo", image=""),
        "2": make("ImageInvert", "Negative", image=["1", 0]),
        "3": make("SaveImage", "Save", images=["2", 0], filename_prefix="negative"),
    }
    return write(tmp_path / "mirror.json", graph)


def write(path, graph):
    path.write_text(json.dumps(graph), "utf-8")
    return str(path)


@pytest.fixture
def judged(tmp_path, make):
    graph = {
        "1": make("LoadImage", "Photo", image=""),
        "2": make("TestJudge", "Judge", image=["1", 0], seed=7),
        "3": make("SaveImage", "Save", images=["2", 0], filename_prefix="picture"),
    }
    return write(tmp_path / "judged.json", graph)


class Recorder:
    def __init__(self):
        self.events, self.views = [], []

    def update(self, view):
        self.views.append(view)

    def event(self, event):
        self.events.append(event)

    def of(self, kind):
        return [event.values for event in self.events if event.kind == kind]


def rows(folder):
    with Ledger.read(folder) as ledger:
        return {row.name: row for row in ledger.rows()}


def test_a_batch_is_done_once(mirror, photos, tmp_path):
    options, seen = BatchOptions(mirror, photos, tmp_path / "out"), Recorder()
    result = run_batch(options, seen)
    assert (result.counts.done, result.jobs_run) == (3, 3)
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"a", "b", "c", "contact_sheet.html", "verdicts.csv"}
    assert [path.name for path in (tmp_path / "out" / "a").iterdir()] == ["negative_00001_.png"]
    assert not (tmp_path / "out" / ".work").exists()
    assert {values["name"] for values in seen.of("job_finished")} == {"a", "b", "c"}

    again = run_batch(options, seen)
    assert (again.counts.done, again.jobs_run) == (3, 0)
    assert all(len(row.attempts) == 1 for row in rows(options.output).values())


def test_changed_and_new_photos_run_and_renamed_ones_do_not(mirror, photos, tmp_path):
    options = BatchOptions(mirror, photos, tmp_path / "out")
    run_batch(options)
    (photos / "b.jpg").write_bytes((photos / "b.jpg").read_bytes() + b"changed")
    (photos / "c.jpg").rename(photos / "renamed.jpg")
    shutil.copy(photos / "a.jpg", photos / "d.jpg")
    result = run_batch(options)
    assert (result.counts.total, result.counts.done, result.jobs_run) == (4, 4, 2)
    assert set(rows(options.output)) == {"a", "b", "d", "renamed"}


def test_a_result_that_was_deleted_is_made_again(mirror, photos, tmp_path):
    options = BatchOptions(mirror, photos, tmp_path / "out")
    run_batch(options)
    shutil.rmtree(options.output / "a")
    (options.output / "b" / "negative_00001_.png").unlink()
    again = run_batch(options)
    assert (again.counts.done, again.jobs_run) == (3, 2)
    for name in "abc":
        assert (options.output / name / "negative_00001_.png").is_file()


def test_a_photo_that_replaces_another_and_fails_leaves_no_picture_of_the_other(mirror, photos, tmp_path):
    options = BatchOptions(mirror, photos, tmp_path / "out")
    run_batch(options)
    (photos / "a.jpg").write_bytes(b"no picture")
    assert run_batch(options).counts.failed == 1
    assert not (options.output / "a").exists()
    (options.output / "a").mkdir()
    (options.output / "a" / "by_hand.png").write_bytes(b"mine")
    with Ledger.open(options.output) as ledger:
        assert ledger.retry(failed=True) == 1
    assert run_batch(options).counts.failed == 1
    assert (options.output / "a" / "by_hand.png").is_file(), "what the user put there stays"


@pytest.mark.parametrize("there", [True, False])
def test_inputs_that_cannot_be_read_leave_nothing_in_the_output_folder(mirror, tmp_path, there):
    output = tmp_path / "out"
    if there:
        output.mkdir()
    with pytest.raises(errors.BatchInputsInvalid):
        run_batch(BatchOptions(mirror, tmp_path / "nope.csv", output))
    assert output.exists() == there
    assert not there or not list(output.iterdir())


def test_settings_belong_to_the_job(mirror, photos, tmp_path):
    options = BatchOptions(mirror, photos, tmp_path / "out")
    run_batch(options)
    other = BatchOptions(mirror, photos, tmp_path / "out", settings=(Setting("Save", "filename_prefix", "other"),))
    assert run_batch(other).jobs_run == 3


def test_a_table_with_settings_for_each_row(mirror, photos, tmp_path):
    table = tmp_path / "jobs.csv"
    table.write_text("name,photo,Save.filename_prefix\none,photos/a.jpg,x\ntwo,photos/a.jpg,y\n")
    result = run_batch(BatchOptions(mirror, table, tmp_path / "out"))
    assert result.counts.done == 2
    assert (tmp_path / "out" / "one" / "x_00001_.png").is_file()
    assert (tmp_path / "out" / "two" / "y_00001_.png").is_file()


def test_what_is_wrong_with_one_job_does_not_end_the_batch(mirror, photos, tmp_path):
    lines = [
        {"name": "good", "inputs": ["photos/a.jpg"]},
        {"name": "missing", "inputs": ["photos/nobody.jpg"]},
        {"name": "wrong", "inputs": ["photos/a.jpg"], "set": {"Nobody.x": "1"}},
        {"name": "crowded", "inputs": ["photos/a.jpg", "photos/b.jpg"]},
    ]
    table = tmp_path / "jobs.jsonl"
    table.write_text("\n".join(map(json.dumps, lines)))
    (photos / "broken.jpg").write_bytes(b"no picture")
    result = run_batch(BatchOptions(mirror, table, tmp_path / "out"))
    found = rows(tmp_path / "out")
    assert (result.counts.done, result.counts.failed, result.counts.refused) == (1, 3, 2)
    assert found["missing"].error_code == "photo_missing"
    assert found["wrong"].error_code == "unknown_title"
    assert found["crowded"].error_code == "photo_not_placed"


def test_a_format_that_is_not_read_is_refused_and_not_left_out(mirror, photos, tmp_path):
    (photos / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    run_batch(BatchOptions(mirror, photos, tmp_path / "out"))
    row = rows(tmp_path / "out")["phone"]
    assert (row.state, row.verdict, row.error_code) == ("failed", "refused", "photo_unreadable")


def test_until_pass_takes_the_first_that_passes(judge, judged, photos, tmp_path):
    table = tmp_path / "one.csv"
    table.write_text("photo\nphotos/a.jpg\n")
    options = BatchOptions(judged, table, tmp_path / "out", until_pass=True, attempts=5)
    run_batch(BatchOptions(judged, table, tmp_path / "dry", until_pass=True, attempts=3))
    seeds = list(judge.calls)
    assert seeds[0] == 7
    assert len(set(seeds)) == 3, "a new seed each time"
    judge.calls.clear()
    judge.passing = {seeds[1]}
    assert run_batch(options).counts.passed == 1
    assert judge.calls == seeds[:2], "the same seeds in the same order, and none after the one that passes"
    row = rows(tmp_path / "out")["a"]
    assert [attempt.outcome for attempt in row.attempts] == ["not_confirmed", "passed"]
    assert [attempt.seed for attempt in row.attempts] == [None, seeds[1]]


def test_until_pass_keeps_the_best_when_none_passes(judge, judged, tmp_path, photos):
    table = tmp_path / "one.csv"
    table.write_text("photo\nphotos/a.jpg\n")
    run_batch(BatchOptions(judged, table, tmp_path / "dry", until_pass=True, attempts=4))
    seeds = list(judge.calls)
    judge.scores = {seeds[2]: 0.35}
    result = run_batch(BatchOptions(judged, table, tmp_path / "out", until_pass=True, attempts=4))
    row = rows(tmp_path / "out")["a"]
    assert (result.counts.not_confirmed, row.score) == (1, 0.35)
    assert len(row.attempts) == 4
    assert len(list((tmp_path / "out" / "a").iterdir())) == 1


def test_until_pass_needs_a_seed(mirror, photos, tmp_path):
    with pytest.raises(errors.NothingToVary, match="has no node with a seed"):
        run_batch(BatchOptions(mirror, photos, tmp_path / "out", until_pass=True, attempts=3))


def test_until_pass_does_not_take_the_backdrops_seed_for_the_faces(workflow, make, photos, tmp_path):
    """Another backdrop behind the same face gets the same verdict: four tries would be three for nothing."""
    graph = workflow({"1": make("LikenessStudioBackdrop", "Wall", seed=3), "2": make("TestJudge", "Judge")})
    with pytest.raises(errors.NothingToVary, match=r"The only seed of .* is that of Wall, which moves the background"):
        require_seeds(graph)
    graph.nodes["3"] = workflow({"3": make("KSampler", seed=5)}).nodes["3"]
    require_seeds(graph)
    changed = reseeded(graph, 77)
    assert changed.nodes["3"].inputs["seed"] == 77
    assert changed.nodes["1"].inputs["seed"] == 3, "the backdrop stays the one that was chosen"
    with pytest.raises(errors.NothingToVary, match="moves the background"):
        run_batch(BatchOptions("studio_headshot", photos, tmp_path / "out", until_pass=True, attempts=3))


def test_retry_runs_what_was_chosen_as_before(judge, judged, photos, tmp_path):
    options = BatchOptions(judged, photos, tmp_path / "out")
    assert run_batch(options).counts.not_confirmed == 3
    judge.passing = {7}
    with Ledger.open(options.output) as ledger:
        ledger.retry(names=["b"])
    result = resume(options.output)
    assert (result.jobs_run, result.counts.passed, result.counts.not_confirmed) == (1, 1, 2)


def test_a_retry_until_it_passes_has_seeds_of_its_own(judge, judged, photos, tmp_path):
    """The same seeds would give the same pictures again."""
    table = tmp_path / "one.csv"
    table.write_text("photo\nphotos/a.jpg\n")
    options = BatchOptions(judged, table, tmp_path / "out", until_pass=True, attempts=3)
    run_batch(options)
    for tries in (6, 9):
        with Ledger.open(options.output) as ledger:
            assert ledger.retry(not_confirmed=True) == 1
        resume(options.output)
        assert len(set(judge.calls)) == len(judge.calls) == tries


def test_a_stopped_batch_goes_on(mirror, photos, tmp_path):
    stop, seen = threading.Event(), Recorder()
    seen.event = lambda event: stop.set() if event.kind == "job_finished" else None
    options = BatchOptions(mirror, photos, tmp_path / "out")
    with pytest.raises(Interrupted, match="the same command goes on"):
        run_batch(options, seen, stop.is_set)
    with Ledger.read(options.output) as ledger:
        counts = ledger.counts()
    assert counts.done >= 1
    assert counts.leased == 0
    assert run_batch(options).counts.done == 3


def test_reading_many_photos_says_how_far_it_is_and_can_be_stopped(mirror, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "PLANNING_SECONDS", 0.0)
    seen = Recorder()
    run_batch(BatchOptions(mirror, photos, tmp_path / "out"), seen)
    assert [values["photos_read"] for values in seen.of("planning")] == [1, 2, 3]
    with pytest.raises(Interrupted):
        run_batch(BatchOptions(mirror, photos, tmp_path / "other"), stopped=lambda: True)


def test_a_second_runner_is_turned_away(mirror, photos, tmp_path):
    with Ledger.open(tmp_path / "out"), pytest.raises(errors.LedgerBusy):
        run_batch(BatchOptions(mirror, photos, tmp_path / "out"))


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


def test_options_survive_the_ledger():
    options = BatchOptions(
        "studio_headshot", Path("/photos"), Path("/out"), ("http://a", "@default"), (Setting("A", "b", "c"),), 3, True,
        headers={"Authorization": "secret"},
    )  # fmt: skip
    kept = json.loads(json.dumps(options.as_config()))
    assert "secret" not in json.dumps(kept)
    assert BatchOptions.from_config(kept, Path("/out")) == options


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
        place = batch._place(batch._client(options.servers[0]))
    assert place.name == "http://127.0.0.1:9"
    place.backend.close()


def test_an_old_ledger_without_a_command_is_refused():
    with pytest.raises(errors.LedgerUnreadable, match="does not say how"):
        BatchOptions.from_config({}, Path("/out"))


def test_seeds_are_new_and_the_same_each_time(workflow, make):
    graph = workflow({"1": make("KSampler", seed=5, steps=3), "2": make("RandomNoise", noise_seed=["1", 0])})
    seeds = [seed_for("key", attempt) for attempt in range(1, 50)]
    assert seeds[0] is None
    assert len(set(seeds)) == 49
    assert all(seed is not None and 0 <= seed < 1 << SEED_BITS for seed in seeds[1:])
    assert seeds == [seed_for("key", attempt) for attempt in range(1, 50)]
    changed = reseeded(graph, seeds[1])
    assert changed.nodes["1"].inputs["seed"] == seeds[1]
    assert changed.nodes["2"].inputs["noise_seed"] == ["1", 0], "a linked seed stays linked"
    assert graph.nodes["1"].inputs["seed"] == 5


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


def test_the_score_is_that_of_the_least_sure_check():
    result = RunResult("x", "", "", ui={"1": {"likeness": [{"best": 0.7}]}, "2": {"likeness": [{"best": 0.5}]}})
    assert score_of(result) == 0.5
    result.ui["3"] = {"likeness": [{"best": None}]}
    assert score_of(result) is None


def test_jobs_with_the_same_models_belong_together():
    from likeness_studio.runner.batch.job import JobSpec
    from likeness_studio.runner.batch.run import affinity

    model = Setting("Checkpoint", "ckpt_name", "a.safetensors")
    assert affinity(JobSpec("x", settings=(model, Setting("Sampler", "seed", "1")))) == "a.safetensors"
    assert affinity(JobSpec("y", settings=(Setting("Sampler", "seed", "2"), model))) == "a.safetensors"
    assert affinity(JobSpec("z")) == ""


class Dying:
    """A server that goes away under its job, once nobody else has one."""

    def __init__(self, ready):
        self.ready = ready

    def run(self, *_, **__):
        assert self.ready.wait(30)
        raise errors.ServerUnreachable("It went away.")

    def close(self):
        pass


@pytest.fixture
def beside_a_dying_server(monkeypatch):
    """This process, and a server that dies under its first job; set the event to let it."""
    ready = threading.Event()

    def both(places, changed):
        return Fleet([*places, Place("dying", Dying(ready), 1)], changed)

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
    class Gone:
        def run(self, *_, **__):
            raise errors.ServerUnreachable("It went away.")

        def close(self):
            pass

    class Hidden(Place):
        def probe(self):
            return errors.ServerUnreachable("It is away.") if self.error and ledger_is_done() else None

    def ledger_is_done():
        with Ledger.read(tmp_path / "out") as ledger:
            return not ledger.counts().pending

    def gone(places, changed):
        return Fleet([Hidden("gone", Gone(), 1)], changed)

    monkeypatch.setattr(run_module, "Fleet", gone)
    (photos / "a.jpg").unlink()
    (photos / "b.jpg").unlink()
    result = run_batch(BatchOptions(mirror, photos, tmp_path / "out"))
    assert result.counts.failed == 1


def test_an_error_of_the_batch_itself_stops_the_jobs(mirror, photos, tmp_path, monkeypatch):
    class Endless:
        def run(
            self, workflow, folders, on_event=lambda event: None, stopped=lambda: False, *, prompt_id=None, resume=False
        ):
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                if stopped():
                    raise Interrupted("The run was stopped.")
                time.sleep(0.01)
            raise errors.ServerUnreachable("Nobody stopped it.")

        def close(self):
            pass

    class Broken(Recorder):
        def update(self, view):
            raise errors.OutputUnwritable("The disk is full.")

    monkeypatch.setattr(run_module, "Fleet", lambda _, changed: Fleet([Place("slow", Endless(), 1)], changed))
    began = time.monotonic()
    with pytest.raises(errors.OutputUnwritable):
        run_batch(BatchOptions(mirror, photos, tmp_path / "out"), Broken())
    assert time.monotonic() - began < 10
    assert all(row.state == "pending" for row in rows(tmp_path / "out").values())


def test_a_job_that_fails_by_itself_ends_the_trial_of_its_server(monkeypatch):
    """The photo was refused, so that the server has answered: it gets its full share again."""
    from likeness_studio.runner.batch.fleet import Fleet, Place
    from likeness_studio.runner.local import LocalEngine

    place = Place("somewhere", LocalEngine({}), 2)
    fleet = Fleet([place])
    try:
        place.trial = True
        assert fleet.take() is place
        assert place.room == 0
        fleet.give_back(place)
        assert place.room == 2
    finally:
        fleet.close()
