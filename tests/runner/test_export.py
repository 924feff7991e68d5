"""The tables of a batch: every job once, safe to open in a spreadsheet, whole or not there."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest

from likeness_studio.runner import errors
from likeness_studio.runner.batch import verdict_tables as facts
from likeness_studio.runner.batch.job_records import Attempt, JobRow, JobSpec
from likeness_studio.runner.batch.verdict_tables import write_verdicts
from likeness_studio.runner.workflow import Given, Setting


def row(name="ann", **more):
    spec = JobSpec(name, (Given(Path(f"{name}.jpg")),))
    values: dict[str, Any] = {
        "key": "ab" * 32,
        "name": name,
        "spec": spec,
        "state": "done",
        "verdict": "passed",
        "score": 0.83,
    }
    likeness = [{"threshold": 0.42, "best": 0.83, "images": [{"passed": True, "reason": "Likeness 0.83 reaches it."}]}]
    result = {"outputs": [{"file": f"{name}/headshot.png"}, {"file": f"{name}/two.png"}], "likeness": likeness}
    tries = (
        Attempt(1, "http://a:8188", "p1", 11, 1.0, 2.0, "not_confirmed", 0.3),
        Attempt(2, "http://b:8188", "p2", 12, 4.0, 2.5, "passed", 0.83),
        Attempt(3, "http://b:8188", "p3", 13, 7.0, 0.5, "released"),
    )
    values |= {"server": "http://b:8188", "seconds": 4.50009, "result": result, "attempts": tries}
    return JobRow(**(values | more))


def table(folder):
    with (folder / "verdicts.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_job_is_one_row_with_everything(tmp_path):
    doubtful = {"likeness": [{"images": [{"picture": {"verdict": "look"}}]}], "picture": "look"}
    made = write_verdicts([row(), row("bob", result=doubtful)], tmp_path)
    assert made == (tmp_path / "verdicts.csv", tmp_path / "verdicts.json", 1, 0)
    first, second = table(tmp_path)
    assert second["name"] == "bob"
    assert first == {
        "name": "ann",
        "photos": "ann.jpg",
        "verdict": "passed",
        "score": "0.83",
        "threshold": "0.42",
        "state": "done",
        "error_code": "",
        "reason": "Likeness 0.83 reaches it.",
        "attempts": "2",
        "seed": "12",
        "server": "http://b:8188",
        "seconds": "4.5",
        "outputs": "ann/headshot.png | ann/two.png",
        "key": "ab" * 32,
        "look": "",
        "picture": "",
    }


def test_the_json_has_the_whole_row(tmp_path):
    spec = JobSpec("ann", (), (Setting("Backdrop", "colour", "navy"),))
    write_verdicts([row(spec=spec), row("bob")], tmp_path)
    first, _ = json.loads((tmp_path / "verdicts.json").read_text("utf-8"))
    assert first["outputs"] == ["ann/headshot.png", "ann/two.png"]
    assert first["settings"] == ["Backdrop.colour=navy"]
    assert [attempt["seed"] for attempt in first["tries"]] == [11, 12, 13]
    assert first["result"]["likeness"][0]["threshold"] == 0.42


def test_an_empty_batch_is_an_empty_list(tmp_path):
    write_verdicts([], tmp_path)
    assert json.loads((tmp_path / "verdicts.json").read_text("utf-8")) == []
    assert table(tmp_path) == []


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r@", " ="])
def test_no_cell_is_a_formula(tmp_path, start):
    evil = start + 'HYPERLINK("http://evil.example";A1)'
    write_verdicts([row(evil, server=evil, state="failed", verdict=None, error_code=evil, error=evil)], tmp_path)
    (found,) = table(tmp_path)
    for name in ("name", "photos", "server", "error_code", "reason"):
        assert found[name].startswith("'")
    assert json.loads((tmp_path / "verdicts.json").read_text("utf-8"))[0]["name"] == evil


def test_a_negative_score_stays_a_number(tmp_path):
    write_verdicts([row(score=-0.12, verdict="not_confirmed")], tmp_path)
    assert table(tmp_path)[0]["score"] == "-0.12"


def test_a_spreadsheet_reads_it_as_utf8(tmp_path):
    write_verdicts([row('Zoë 王\n"quoted", and more')], tmp_path)
    assert (tmp_path / "verdicts.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert table(tmp_path)[0]["name"] == 'Zoë 王\n"quoted", and more'


def test_names_that_are_no_unicode_are_written_all_the_same(tmp_path):
    write_verdicts([row(os.fsdecode(b"caf\xe9"))], tmp_path)
    assert table(tmp_path)[0]["name"] == "caf?"


def test_there_is_no_nan_in_json(tmp_path):
    result = {"likeness": [{"threshold": math.nan, "best": math.inf}], "outputs": "nonsense", "models": [1, None]}
    write_verdicts([row(score=math.nan, seconds=math.inf, result=result)], tmp_path)
    (found,) = json.loads((tmp_path / "verdicts.json").read_text("utf-8"))
    assert (found["score"], found["threshold"], found["seconds"], found["outputs"]) == (None, None, None, [])
    assert found["result"]["likeness"][0] == {"threshold": None, "best": None}


def test_a_broken_export_leaves_the_old_one(tmp_path):
    write_verdicts([row()], tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def rows():
        yield row("bob")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_verdicts(rows(), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_unwritable_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.OutputUnwritable, match=re.escape(str(tmp_path / "file"))):
        write_verdicts([row()], tmp_path / "file")


@pytest.mark.parametrize(
    ("state", "verdict", "kind", "word"),
    [
        ("done", "passed", "passed", "Same person"),
        ("done", "not_confirmed", "not_confirmed", "Not confirmed"),
        ("done", None, "unchecked", "Not checked"),
        ("failed", "refused", "refused", "Refused"),
        ("failed", None, "failed", "Failed"),
        ("pending", None, "pending", "Pending"),
        ("leased", None, "pending", "Running"),
    ],
)
def test_each_state_has_its_word(state, verdict, kind, word):
    job = row(state=state, verdict=verdict)
    assert (facts.kind(job), facts.word(job)) == (kind, word)


def test_a_refused_photo_gets_its_own_reason_only():
    long = "Person (node 9) failed: 1 of 1 reference photos cannot be used. Photo 1: No face was found; use another."
    assert facts.reason(row(verdict="refused", error=long)) == "No face was found; use another."
    assert facts.reason(row(state="failed", verdict=None, error=long)) == long
    named = "Person (node 9) failed on the server: me.jpg cannot be used. No face was found; use another."
    assert facts.reason(row(verdict="refused", error=named)) == "No face was found; use another."
    two = "Person (node 9) failed: 2 of 2 reference photos cannot be used. Photo 1: A. Photo 2: B."
    assert facts.reason(row(verdict="refused", error=two)).startswith("2 of 2 reference photos")


def test_the_reason_of_an_unconfirmed_picture_is_the_checks_own():
    images = [{"passed": True, "reason": "Fine."}, {"passed": False, "reason": "Likeness 0.30 is\nbelow it."}]
    result = {"likeness": [{"threshold": 0.42, "images": images}]}
    assert facts.reason(row(verdict="not_confirmed", result=result)) == "Likeness 0.30 is below it."


def test_the_threshold_is_that_of_the_check_with_the_score():
    result = {"likeness": [{"threshold": 0.9, "best": 0.99}, {"threshold": 0.42, "best": 0.83}]}
    assert facts.threshold(row(result=result)) == 0.42
    assert facts.threshold(row(result=None)) is None
