"""`likeness compare`: checked before anything runs, every combination runs once, one report says it all."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from likeness_studio.core.errors import PhotoMissing
from likeness_studio.runner.batch.job_records import JobRow, JobSpec
from likeness_studio.runner.cli import main
from likeness_studio.runner.compare import CompareOptions, compare
from likeness_studio.runner.compare.cells import plan_runs, trial_of
from likeness_studio.runner.compare.page import Comparison, write_page
from likeness_studio.runner.compare.vary import MOST_RUNS, Axis, read_axis
from likeness_studio.runner.errors import (
    BadVary,
    NotAnOption,
    NothingToVary,
    TooManyRuns,
    UnknownInput,
    UnknownTitle,
    WorkflowInvalid,
)
from likeness_studio.runner.workflow import load


@pytest.fixture
def blank(tmp_path, make) -> Path:
    """A workflow of carried core nodes that takes no photo: a plain picture of one colour, inverted."""
    graph = {
        "1": make("EmptyImage", "Blank", width=16, height=8, batch_size=1, color=0),
        "2": make("ImageInvert", "Negative", image=["1", 0]),
        "3": make("SaveImage", "Save", images=["2", 0], filename_prefix="negative"),
    }
    path = tmp_path / "blank.json"
    path.write_text(json.dumps(graph))
    return path


def options(workflow, output, *vary, **more):
    return CompareOptions(workflow=str(workflow), vary=vary, output=output, **more)


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("Backdrop.colour=navy, white", Axis("Backdrop", "colour", ("navy", "white"))),
        ('Prompt.text="a, b", c', Axis("Prompt", "text", ("a, b", "c"))),
        ("v1.5.cfg=7", Axis("v1.5", "cfg", ("7",))),
    ],
)
def test_what_is_varied_is_written_like_a_setting(text, axis):
    assert read_axis(text) == axis


@pytest.mark.parametrize("text", ["", "Sampler", "Sampler=1,2", "S.cfg=", "S.cfg=1,,2", "S.cfg=1,1", 'S.cfg="a'])
def test_what_cannot_be_varied_is_refused(text):
    with pytest.raises(BadVary):
        read_axis(text)


def test_models_change_least_often_and_seeds_most():
    axes = [Axis("S", "denoise", ("0.1", "0.5")), Axis("C", "ckpt_name", ("a.safetensors", "b.safetensors"))]
    runs = [(run.choices, run.seed) for run in plan_runs(axes, [1, 2])]
    assert len(runs) == len(set(runs)) == 8
    assert [choices[1] for choices, _ in runs] == ["a.safetensors"] * 4 + ["b.safetensors"] * 4
    assert runs[0] == (("0.1", "a.safetensors"), 1)
    assert runs[1] == (("0.1", "a.safetensors"), 2)


def test_too_many_runs_are_refused_with_the_numbers():
    axes = [Axis("A", "x", tuple(map(str, range(51)))), Axis("B", "y", tuple("abcde"))]
    assert len(plan_runs(axes, [])) == 255
    with pytest.raises(
        TooManyRuns, match=rf"255 combinations with 2 seeds each are 510 runs; {MOST_RUNS} are the most\.$"
    ):
        plan_runs(axes, [1, 2])


@pytest.mark.parametrize(
    ("vary", "more", "error", "words"),
    [
        (["Nobody.color=1,2"], {}, UnknownTitle, "Nobody"),
        (["Blank.colour=1,2"], {}, UnknownInput, "did you mean 'color'"),
        (["Negative.image=1,2"], {}, UnknownInput, "takes a link"),
        (["Blank.width=8,eight,80000"], {}, WorkflowInvalid, "'eight'"),
        (["Blank.color=1,0x1"], {}, BadVary, "the same with '1' and with '0x1'"),
        (["Blank.color=1,2", "1.color=3,4"], {}, BadVary, "vary the same input"),
        ([], {}, BadVary, "Nothing is varied"),
        (["Blank.color=1,2"], {"seeds": (1, 2)}, NothingToVary, "no node with a seed"),
        (["Blank.color=1,2"], {"seeds": (3, 3)}, BadVary, "twice"),
        (["Blank.color=1,2"], {"photos": ("nowhere.jpg",)}, PhotoMissing, "nowhere.jpg"),
    ],
)
def test_nothing_runs_when_the_question_is_wrong(blank, tmp_path, vary, more, error, words):
    with pytest.raises(error, match=re.escape(words)):
        compare(options(blank, tmp_path / "out", *vary, **more))
    assert not (tmp_path / "out").exists()


def test_photos_may_be_varied_like_any_other_value():
    from likeness_studio.runner.backends import local_catalog
    from likeness_studio.runner.compare.vary import check_axes
    from likeness_studio.runner.workflow import load

    check_axes(load("studio_headshot"), [read_axis("Photo.image=a.jpg,b.jpg")], local_catalog())


def test_a_seed_that_is_varied_cannot_be_set_as_well(tmp_path):
    with pytest.raises(BadVary, match="--seeds sets it too"):
        compare(options("studio_headshot", tmp_path / "out", "Backdrop.seed=1,2", seeds=(3,)))
    with pytest.raises(NotAnOption, match="blurred office"):
        compare(options("studio_headshot", tmp_path / "out", "Backdrop.style=gradient,blured office"))


def test_every_combination_runs_once_and_the_same_call_runs_nothing(blank, tmp_path):
    asked = options(blank, tmp_path / "out", "Blank.color=0,255,65280", "Save.filename_prefix=a,b")
    result = compare(asked)
    assert (result.runs, result.runs_now, result.failed) == (6, 6, 0)
    assert [cell.choices for cell in result.cells] == [
        ("0", "a"), ("0", "b"), ("255", "a"), ("255", "b"), ("65280", "a"), ("65280", "b"),
    ]  # fmt: skip
    assert result.cells[2].label == "color 255 · a"
    assert result.cells[0].likeness is None
    assert not result.cells[0].checked
    assert result.best is None
    again = compare(asked)
    assert again.runs_now == 0
    assert [cell.as_dict(again.axes) for cell in again.cells] == [cell.as_dict(result.axes) for cell in result.cells]
    more = compare(options(blank, tmp_path / "out", "Blank.color=0,255,65280,7", "Save.filename_prefix=a,b"))
    assert (more.runs, more.runs_now) == (8, 2)


def test_the_picture_of_each_cell_is_its_own(blank, tmp_path):
    from PIL import Image

    result = compare(options(blank, tmp_path / "out", "Blank.color=0,255"))
    colours = []
    for cell in result.cells:
        assert cell.shown is not None
        with Image.open(tmp_path / "out" / (cell.shown.picture or "")) as picture:
            colours.append(picture.getpixel((0, 0)))
    assert colours == [(255, 255, 255), (255, 255, 0)]


def test_hostile_values_are_only_text_and_numbers_stay_numbers(blank, tmp_path):
    values = ("<img src=x onerror=alert(1)>", "=cmd|calc", "@x", "-0.5", "a b", "a_b", '"a, b"')
    result = compare(options(blank, tmp_path / "out", "Save.filename_prefix=" + ",".join(values)))
    html = result.html.read_text("utf-8")
    assert "<img src=x" not in html
    assert "&lt;img src=x" in html
    with result.csv.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Save.filename_prefix"] for row in rows] == [
        values[0], "'=cmd|calc", "'@x", "-0.5", "a b", "a_b", "a, b",
    ]  # fmt: skip
    names = [trial.name for cell in result.cells for trial in cell.trials]
    assert len(set(names)) == len(names)


def test_without_a_likeness_check_the_page_says_so(blank, tmp_path):
    html = compare(options(blank, tmp_path / "out", "Blank.color=0,255")).html.read_text("utf-8")
    assert "no likeness check, so nothing was judged" in html
    assert "<polyline" not in html


def test_a_failed_cell_is_named_with_its_reason_and_the_others_are_there(astronaut, tmp_path):
    out = tmp_path / "out"
    command = ["compare", "studio_headshot", "-i", str(astronaut), "-o", str(out), "--json"]
    done = CliRunner().invoke(main, [*command, "--vary", "Backdrop.colour=<b>blurple"])
    assert done.exit_code == 1
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == "result"
    assert last["failed"] == 1
    assert last["cells"][0]["trials"][0]["error_code"] == "bad_colour"
    html = (out / "compare.html").read_text("utf-8")
    assert "&lt;b&gt;blurple" in html
    assert "<b>blurple" not in html
    assert "is not a colour" in html


def test_the_command_refuses_in_json_before_anything_runs(tmp_path):
    done = CliRunner().invoke(
        main, ["compare", "studio_headshot", "-o", str(tmp_path / "out"), "--vary", "Backdrop.colour=", "--json"]
    )
    assert done.exit_code == 1
    assert json.loads(done.stdout.splitlines()[-1])["code"] == "bad_vary"
    done = CliRunner().invoke(
        main, ["compare", "x", "-o", str(tmp_path), "--vary", "A.b=1", "--seeds", "1,two", "--json"]
    )
    assert done.exit_code == 2


@pytest.mark.models
def test_a_headshot_in_every_light_is_compared_in_this_process(astronaut, tmp_path, monkeypatch):
    """The whole of it: a real photo, two ways to vary, two seeds, one report."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(astronaut, "me.jpg")
    done = CliRunner().invoke(
        main,
        [
            "compare", "studio_headshot", "--input", "me.jpg", "--output", "out", "--seeds", "1,2",
            "--vary", "Backdrop.colour=navy,white", "--vary", "Compose.match_light=0,1",
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "navy · match_light 0" in done.stdout
    assert "2 of 2 confirmed" in done.stdout
    data = json.loads(Path("out/compare.json").read_text("utf-8"))
    assert [cell["values"] for cell in data["cells"]] == [
        {"Backdrop.colour": colour, "Compose.match_light": light} for colour in ("navy", "white") for light in "01"
    ]
    assert all(cell["likeness"]["median"] > data["threshold"] for cell in data["cells"])
    assert all(cell["confirmed"] == cell["runs"] == 2 for cell in data["cells"])
    assert {trial["seed"] for cell in data["cells"] for trial in cell["trials"]} == {1, 2}
    with Path("out/compare.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Compose.match_light"] for row in rows] == ["0", "1", "0", "1"]
    assert all(Path("out", row["picture"]).is_file() for row in rows)
    html = Path("out/compare.html").read_text("utf-8")
    assert html.count("<polyline") == 2
    assert html.count("data:image/jpeg") == 4
    assert "threshold 0.42" in html
    assert not re.search(r'(?:src|href)="(?!data:)[^"]*:', html), "the page needs no network"


@pytest.mark.models
def test_a_picture_that_is_not_the_person_is_a_result(astronaut, tmp_path):
    result = compare(
        options(
            "studio_headshot",
            tmp_path / "out",
            "Likeness.custom_threshold=0.998,0.999",
            photos=(astronaut,),
            settings=(read_setting("Likeness.strictness=custom threshold"),),
        )
    )
    assert result.failed == 0
    assert [cell.confirmed for cell in result.cells] == [0, 0]
    assert [cell.checked for cell in result.cells] == [True, True]
    html = result.html.read_text("utf-8")
    assert "Not confirmed" in html
    assert "No combination is confirmed; nearest comes" in html
    assert "The threshold is not the same in all runs." in html
    assert 'gate-words"' not in html, "no line for a threshold that differs"


def read_setting(text):
    from likeness_studio.runner.workflow.overrides import parse_setting

    return parse_setting(text)


def row(**values):
    result = values.pop("result", {})
    known = {"key": "k", "name": "n", "spec": JobSpec("n"), "state": "done", "verdict": "unchecked", "seconds": 9.0}
    return JobRow(**(known | values), result=result)


def test_measured_stages_count_and_those_of_an_earlier_run_do_not():
    stage = {"name": "sampler", "seconds": 2.5, "peak_memory_bytes": 7, "device": "cpu", "cached": False}
    times = [{"class_type": "KSampler", "seconds": 4.0, "cached": False}, {"class_type": "X", "cached": True}]
    trial = trial_of(row(result={"measured": [stage, stage | {"cached": True}], "times": times}), 1)
    assert [(each.name, each.seconds, each.peak_memory_bytes) for each in trial.stages] == [("sampler", 2.5, 7)]
    assert (trial.kept, trial.steps) == (1, 2)
    bare = trial_of(row(result={"times": times, "server_seconds": 5.5}), 1)
    assert [(each.name, each.seconds) for each in bare.stages] == [("sampling", 4.0)]
    assert bare.seconds == 5.5


def test_nonsense_from_a_server_is_no_figure():
    odd = {"measured": [{"seconds": "fast"}, 7, {"seconds": float("nan")}], "times": "none", "comparisons": [{}, 3]}
    trial = trial_of(row(result=odd), None)
    assert trial.stages == ()
    assert trial.likeness is None


@pytest.mark.parametrize("pictures", [5, "abc", {"passed": True}, None])
def test_nonsense_for_pictures_is_no_likeness(pictures):
    trial = trial_of(row(result={"comparisons": [{"threshold": 0.4, "pictures": pictures}]}), None)
    assert (trial.likeness, trial.confirmed) == (None, None)


def test_warnings_of_all_runs_stand_once_on_the_page(blank, tmp_path):
    asked = options(blank, tmp_path / "out", "Blank.color=0,1")
    done = compare(asked)
    pasted = {"threshold": 0.4, "warnings": ["Node 5 (Restore Face) <put> it there.", 7]}
    rows = [row(result={"likeness": [pasted]}), row(result={"comparisons": [pasted, {"warnings": "none"}]})]
    shown = Comparison(load(blank), done.axes, done.cells, (), (), rows, tmp_path / "out")
    assert shown.warnings == pasted["warnings"][:1]
    assert shown.as_dict()["warnings"] == shown.warnings
    assert write_page(shown).read_text("utf-8").count("Node 5 (Restore Face) &lt;put&gt; it there.") == 1


def test_a_comparison_in_the_graph_gives_the_likeness_where_nothing_else_does():
    pictures = [{"cosine": 0.5, "passed": True}, {"cosine": 0.7, "passed": True}, {"cosine": None, "passed": False}]
    trial = trial_of(row(result={"comparisons": [{"threshold": 0.4, "pictures": pictures}]}), None)
    assert trial.likeness == pytest.approx(0.6)
    assert trial.confirmed is False
    assert trial.threshold == 0.4
