"""Files that version 0.1.0 wrote in November 2026 open unchanged: batches, identities, pictures, workflows."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from likeness_studio.runner.cli import main

FILES = Path(__file__).parents[1] / "files_of_november"
MADE_IN = "/tmp/likeness-fixture"
SMALL = ["--set", "Frame.width=96", "--set", "Frame.height=120", "--set", "Likeness.min_face=16"]
VOLATILE = {"seconds", "started", "server_seconds", "jobs_per_minute", "seconds_left", "runner", "times", "measured"}
BATCHES = ("batch_finished", "batch_stopped", "batch_killed", "comparison")


@pytest.fixture
def old(tmp_path, monkeypatch):
    """A copy of the files, in which the ledgers' absolute paths lead to the copy."""
    copy = tmp_path / "november"
    shutil.copytree(FILES, copy, ignore=shutil.ignore_patterns("answers", "README.md"))
    for name in BATCHES:
        with sqlite3.connect(copy / name / "ledger.sqlite") as base:
            for table, column in (("config", "value"), ("jobs", "spec")):
                base.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (MADE_IN, str(copy)))
            for (path,) in base.execute("SELECT path FROM hashes").fetchall():
                moved = path.replace(MADE_IN.encode(), str(copy).encode())
                base.execute("UPDATE hashes SET path = ? WHERE path = ?", (moved, path))
        base.close()
    monkeypatch.chdir(copy)
    return copy


def answer(*words):
    """The exit code of the command and its last object."""
    done = CliRunner().invoke(main, [*words, "--json"])
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return done.exit_code, lines[-1]


def steady(value):
    """Without what differs from run to run."""
    if isinstance(value, dict):
        return {key: steady(each) for key, each in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [steady(each) for each in value]
    return value


def said(name):
    """What 0.1.0 answered."""
    kept = json.loads((FILES / "answers" / f"{name}.json").read_text("utf-8"))
    return kept["exit"], kept["result"]


@pytest.mark.parametrize("name", BATCHES)
def test_the_state_of_a_batch(old, name):
    code, found = answer("status", name)
    kept_code, kept = said(f"status_{name}")
    assert code == kept_code
    assert found["counts"] == kept["counts"]


@pytest.mark.parametrize("name", BATCHES)
def test_a_ledger_keeps_its_jobs(old, name):
    answer("status", name)
    kept = json.loads((FILES / "answers" / "job_keys.json").read_text("utf-8"))[name]
    base = sqlite3.connect(old / name / "ledger.sqlite")
    assert base.execute("SELECT name, key, state FROM jobs ORDER BY place").fetchall() == [
        (job["name"], job["key"], job["state"]) for job in kept
    ]
    base.close()


HEADSHOT = "workflows/api/studio_headshot.json"
"""The graph of November: the one of that name that is bundled today looks for the face in the photo, and has another
matte, so its jobs are others."""


@pytest.mark.models
def test_a_killed_batch_goes_on_and_finishes_each_job_once(old):
    words = ["batch", HEADSHOT, "-i", "photos/person4", "-o", "batch_killed", *SMALL]
    code, found = answer(*words)
    kept_code, kept = said("again_batch_killed")
    assert (code, found["jobs_run"], found["counts"]) == (kept_code, kept["jobs_run"], kept["counts"])
    assert answer(*words)[1]["jobs_run"] == 0


@pytest.mark.models
def test_a_comparison_runs_nothing_twice(old):
    words = ["compare", HEADSHOT, "-i", "photos/a.jpg", "-o", "comparison", *SMALL]
    code, found = answer(*words, "--vary", "Backdrop.colour=navy,warm grey")
    assert (code, found["runs_now"]) == (0, 0)


@pytest.mark.models
@pytest.mark.parametrize(("name", "file"), [("check_identity", "identity/identities/astronaut.safetensors")])
def test_a_saved_identity_judges_as_before(old, name, file):
    code, found = answer(
        "run", "keep_the_best", "-i", "Candidates=photos/person4", "-i", f"Person={file}", "-o", "best"
    )
    kept_code, kept = said(name)
    assert code == kept_code
    assert found["likeness"][0]["best"] == pytest.approx(kept["likeness"][0]["best"], abs=2e-3)
    assert found["likeness"][0]["baseline"] == kept["likeness"][0]["baseline"]


def test_pictures_say_of_themselves_what_they_said(old):
    pictures = ["provenance/id_photo_00001_.jpg", "id/a.cn-one-inch.jpg", "run/headshot_00001_.png", "photos/a.jpg"]
    code, found = answer("verify", *pictures)
    kept_code, kept = said("verify")
    assert (code, steady(found)) == (kept_code, steady(kept))


HASHES = json.loads((FILES / "answers" / "workflow_hashes.json").read_text("utf-8"))


@pytest.mark.parametrize("name", [name for name in HASHES if name.startswith("workflows/api/")])
def test_a_shared_workflow_has_its_hash(old, name):
    assert answer("inspect", name)[1]["workflow"]["hash"] == HASHES[name]
