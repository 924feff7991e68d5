"""A batch in this process: done once, gone on with, tried until it passes, and never ended by one bad photo."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from likeness_studio.core.errors import Interrupted
from likeness_studio.runner import errors
from likeness_studio.runner.backends import RunResult
from likeness_studio.runner.batch import run as run_module
from likeness_studio.runner.batch.job_records import BatchOptions
from likeness_studio.runner.batch.judge import score_of
from likeness_studio.runner.batch.ledger import Ledger
from likeness_studio.runner.batch.run import run_batch
from likeness_studio.runner.workflow import Setting
from likeness_studio.tests.runner.batches import Recorder, rows


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


def test_a_workflow_that_needs_a_server_is_refused_once_and_not_for_each_photo(photos, tmp_path):
    with pytest.raises(errors.NeedsServer, match="--server"):
        run_batch(BatchOptions("img2img_headshot_sd15", photos, tmp_path / "out"))
    assert not list((tmp_path / "out").glob("*.html"))


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
    with pytest.raises(errors.BatchInputsInvalid, match=r"wrong: .*'Nobody'"):
        run_batch(BatchOptions(mirror, table, tmp_path / "out"))
    assert not list((tmp_path / "out").glob("*.html")), "the table is wrong, and not a photo of it"
    table.write_text("\n".join(json.dumps(line) for line in lines if line["name"] != "wrong"))
    result = run_batch(BatchOptions(mirror, table, tmp_path / "out"))
    found = rows(tmp_path / "out")
    assert (result.counts.done, result.counts.failed, result.counts.refused) == (1, 2, 2)
    assert found["missing"].error_code == "photo_missing"
    assert found["crowded"].error_code == "photo_not_placed"


def test_a_format_that_is_not_read_is_refused_and_not_left_out(mirror, photos, tmp_path):
    (photos / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    run_batch(BatchOptions(mirror, photos, tmp_path / "out"))
    row = rows(tmp_path / "out")["phone"]
    assert (row.state, row.verdict, row.error_code) == ("failed", "refused", "photo_unreadable")


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


def test_options_survive_the_ledger():
    options = BatchOptions(
        "studio_headshot", Path("/photos"), Path("/out"), ("http://a", "@default"), (Setting("A", "b", "c"),), 3, True,
        headers={"Authorization": "secret"},
    )  # fmt: skip
    kept = json.loads(json.dumps(options.as_config()))
    assert "secret" not in json.dumps(kept)
    assert BatchOptions.from_config(kept, Path("/out")) == options


def test_an_old_ledger_without_a_command_is_refused():
    with pytest.raises(errors.LedgerUnreadable, match="does not say how"):
        BatchOptions.from_config({}, Path("/out"))


def test_the_score_is_that_of_the_least_sure_check():
    result = RunResult("x", "", "", ui={"1": {"likeness": [{"best": 0.7}]}, "2": {"likeness": [{"best": 0.5}]}})
    assert score_of(result) == 0.5
    result.ui["3"] = {"likeness": [{"best": None}]}
    assert score_of(result) is None
