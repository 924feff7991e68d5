"""Folders of a batch's jobs: called as the jobs are, with results that move along and never stand for another photo."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from likeness_studio.runner.batch import result_folders as homes_module
from likeness_studio.runner.batch.job_records import JobSpec, Planned
from likeness_studio.runner.batch.ledger import Ledger
from likeness_studio.runner.batch.result_folders import WORK, folders_for
from likeness_studio.runner.errors import OutputUnwritable

SERVER = "http://one:8188"
PICTURE = "picture_00001_.png"


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "batch") as opened:
        yield opened


def plan(ledger: Ledger, **contents: str) -> list[str]:
    """Plan photos as name=content, do the pending jobs; the contents that were worked on."""
    ledger.plan([Planned(content, JobSpec(name)) for name, content in contents.items()])
    worked = []
    while (leased := ledger.lease(SERVER)) is not None:
        folder = ledger.folder / leased.folder
        folder.mkdir(exist_ok=True)
        (folder / PICTURE).write_text(leased.key)
        result = {"outputs": [{"file": f"{leased.folder}/{PICTURE}", "node": "1"}]}
        values = {"folder": leased.folder, "server": SERVER, "seconds": 1.0, "result": result}
        ledger.done(leased.key, verdict="passed", score=0.5, **values)
        worked.append(leased.key)
    agrees(ledger)
    return worked


def agrees(ledger: Ledger) -> None:
    """Every current result lies in the folder of its name and is of its photo."""
    for row in ledger.rows():
        assert (row.state, row.folder) == ("done", row.name)
        assert row.result is not None
        assert [output["file"] for output in row.result["outputs"]] == [f"{row.name}/{PICTURE}"]
        assert (ledger.folder / row.name / PICTURE).read_text() == row.key
    assert not (ledger.folder / WORK / homes_module.MOVING).exists()


def folders(ledger: Ledger) -> list[str]:
    return sorted(path.name for path in ledger.folder.iterdir() if path.is_dir() and path.name != WORK)


def test_a_changed_photo_takes_the_folder_and_going_back_runs_again(ledger):
    assert plan(ledger, anna="one") == ["one"]
    assert plan(ledger, anna="two") == ["two"]
    assert (ledger.row("one").state, ledger.row("one").result) == ("pending", None)
    assert plan(ledger, anna="one") == ["one"]
    assert folders(ledger) == ["anna"]


def test_a_renamed_photo_keeps_its_result_in_a_folder_of_the_new_name(ledger):
    plan(ledger, anna="one", ben="two")
    assert plan(ledger, carl="one", ben="two") == []
    assert folders(ledger) == ["ben", "carl"]
    assert plan(ledger, Carl="one", ben="two") == []
    assert folders(ledger) == ["Carl", "ben"]


def test_swapped_photos_swap_their_folders(ledger):
    plan(ledger, anna="one", ben="two", carl="three")
    assert plan(ledger, anna="two", ben="three", carl="one") == []
    assert plan(ledger, anna="one", ben="two", carl="three") == []


def test_a_photo_with_the_name_of_one_that_is_gone(ledger):
    plan(ledger, anna="one", ben="two")
    assert plan(ledger, anna="two") == []
    assert folders(ledger) == ["anna"]
    assert plan(ledger, anna="one", ben="two") == ["one"], "its folder was taken"


def test_a_photo_that_comes_back_has_its_result_when_nobody_took_its_folder(ledger):
    plan(ledger, anna="one", ben="two")
    assert plan(ledger, anna="one") == []
    assert plan(ledger, anna="one", ben="two") == []


def test_deleted_files_make_a_job_pending(ledger):
    plan(ledger, anna="one", ben="two")
    (ledger.folder / "anna" / PICTURE).unlink()
    assert plan(ledger, anna="one", ben="two") == ["one"]


def test_deleted_files_of_a_photo_that_is_renamed_too(ledger):
    plan(ledger, anna="one", ben="two")
    (ledger.folder / "anna" / PICTURE).unlink()
    assert plan(ledger, anna="two", ben="one") == ["one"]


def test_tries_of_another_photo_are_never_taken(ledger):
    ledger.plan([Planned("one", JobSpec("anna"))])
    (ledger.folder / WORK / "anna" / "1").mkdir(parents=True)
    ledger.plan([Planned("two", JobSpec("anna"))])
    assert not (ledger.folder / WORK / "anna").exists()


@pytest.mark.parametrize("step", ["take", "finish"])
def test_a_kill_between_the_moves_makes_the_jobs_pending_and_swaps_no_pictures(tmp_path, monkeypatch, step):
    """Before the ledger is written, and after."""
    folder = tmp_path / "batch"
    with Ledger.open(folder) as ledger:
        plan(ledger, anna="one", ben="two", carl="three")
    taken = homes_module.Moves.take

    def killed(moves, *pairs):
        if step == "take":
            taken(moves, *pairs)
        raise KeyboardInterrupt

    jobs = [Planned("two", JobSpec("anna")), Planned("one", JobSpec("ben")), Planned("three", JobSpec("carl"))]
    with monkeypatch.context() as patch, Ledger.open(folder) as ledger:
        patch.setattr(homes_module.Moves, step, killed)
        patch.setattr(homes_module.Moves, "undo", lambda _: None)
        with pytest.raises(KeyboardInterrupt):
            ledger.plan(jobs)
    with Ledger.open(folder) as ledger:
        assert sorted(plan(ledger, anna="two", ben="one", carl="three")) == ["one", "two"]


def test_a_plan_that_fails_puts_the_folders_back(ledger, monkeypatch):
    plan(ledger, anna="one", ben="two")

    def broken(_):
        raise OutputUnwritable("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr("likeness_studio.runner.batch.ledger.spec_to_text", broken)
        with pytest.raises(OutputUnwritable):
            ledger.plan([Planned("two", JobSpec("anna")), Planned("one", JobSpec("ben"))])
    agrees(ledger)


def test_names_come_before_numbered_ones():
    assert folders_for(["anna", "anna_2", "Ben"], {"anna", "ben"}) == ["anna_3", "anna_2", "Ben_2"]


def test_ten_thousand_finished_jobs_are_looked_at_quickly(ledger):
    names = [f"job_{number}" for number in range(10_000)]
    jobs = [Planned(f"key-{name}", JobSpec(name)) for name in names]
    ledger.plan(jobs)
    with ledger._database.write() as write:
        write.execute(
            "UPDATE jobs SET state = 'done', folder = home, result = json_object("
            "'likeness', printf('%.*c', 3000, 'x'), 'outputs', json_array(json_object('file', home || '/p.png')))"
        )
    for name in names[1:]:
        Path(ledger.folder / name).mkdir()
        Path(ledger.folder / name / "p.png").touch()
    start = time.process_time()
    assert ledger.plan(jobs).pending == 1
    assert time.process_time() - start < 3
