"""A workflow inside a picture, inputs of sound and film, nodes that share a title, and runs that save nothing."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from click.testing import CliRunner
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from likeness_studio.runner import errors
from likeness_studio.runner.backends import local_catalog
from likeness_studio.runner.cli import main
from likeness_studio.runner.workflow import Given, from_object_info, load, stage_input_files
from likeness_studio.runner.workflow import overrides as settings

CANVAS = {
    "nodes": [
        {"id": 1, "type": "EmptyImage", "inputs": [], "widgets_values": [16, 8, 1, 255]},
        {
            "id": 2,
            "type": "SaveImage",
            "inputs": [{"name": "images", "type": "IMAGE", "link": 1}],
            "widgets_values": ["out"],
        },
    ],
    "links": [[1, 1, 0, 2, 0, "IMAGE"]],
    "version": 0.4,
}


def picture(path, **texts):
    """A picture that carries texts as ComfyUI writes them."""
    plain = Image.new("RGB", (8, 8))
    if path.suffix == ".png":
        info = PngInfo()
        for name, value in texts.items():
            info.add_text(name, json.dumps(value))
        plain.save(path, pnginfo=info)
        return path
    exif = plain.getexif()
    for tag, (name, value) in zip((0x0110, 0x010F), texts.items(), strict=False):
        exif[tag] = f"{name}:{json.dumps(value)}"
    plain.save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_picture_is_a_workflow(tmp_path, invert, suffix):
    drawn = load(picture(tmp_path / f"drawn{suffix}", workflow=CANVAS))
    assert drawn.nodes["1"].inputs["width"] == 16
    assert drawn.canvas == CANVAS
    both = load(picture(tmp_path / f"both{suffix}", prompt=invert, workflow=CANVAS))
    assert both.nodes.keys() == invert.keys()
    assert both.canvas == CANVAS


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_picture_without_a_workflow_is_refused(tmp_path, suffix):
    with pytest.raises(errors.WorkflowUnreadable, match="without a workflow"):
        load(picture(tmp_path / f"plain{suffix}"))
    broken = tmp_path / f"broken{suffix}"
    broken.write_bytes(picture(tmp_path / f"x{suffix}", workflow=CANVAS).read_bytes()[:40])
    with pytest.raises(errors.WorkflowUnreadable):
        load(broken)


def test_sound_and_film_go_to_the_nodes_that_load_them(workflow, make, tmp_path):
    graph = workflow(
        {"1": make("LoadAudio", "Voice", audio="voice.wav"), "2": make("LoadVideo", "Film", file="a.mp4")}
        | {"3": make("LoadImage", "Photo", image="")}
    )
    given = []
    for name in ("my film.MP4", "my voice.wav", "me.jpg"):
        (tmp_path / name).write_bytes(name.encode())
        given.append(Given(tmp_path / name))
    staged, used = stage_input_files(graph, given, tmp_path / "in")
    found = [staged.nodes["1"].inputs["audio"], staged.nodes["2"].inputs["file"], staged.nodes["3"].inputs["image"]]
    assert found == ["my_voice.wav", "my_film.mp4", "me.jpg"]
    assert {file.title for file in used} == {"Voice", "Film", "Photo"}
    with pytest.raises(errors.PhotoNotPlaced, match="the audio"):
        stage_input_files(graph, [given[1], given[1]], tmp_path / "again")


def test_a_run_that_saves_nothing_says_so(engine, workflow, make, tmp_path):
    from likeness_studio.runner.backends.execute import execute

    blank = make("EmptyImage", width=8, height=8, batch_size=1, color=0)
    shown = workflow({"1": blank, "2": make("PreviewImage", "Look", images=["1", 0])})
    result = execute(shown, engine, tmp_path, temp=tmp_path / "temp")
    assert result.saved_nothing
    assert [note for note in result.notes if note.startswith("Nothing was saved: 'Look'")]
    shown.nodes["2"].class_type = "SaveImage"
    shown.nodes["2"].inputs["filename_prefix"] = "x"
    assert not execute(shown, engine, tmp_path, temp=tmp_path / "temp").saved_nothing


def test_dates_in_file_names_are_those_of_the_run(engine, tmp_path):
    """So that the same file is the same workflow on another day."""
    from likeness_studio.runner.backends.execute import execute

    path = tmp_path / "dated.json"
    path.write_text(json.dumps(CANVAS).replace('"out"', '"%date:yyyy%_x"'))
    dated = load(path)
    assert dated.nodes["2"].inputs["filename_prefix"] == "%date:yyyy%_x"
    (saved,) = execute(dated, engine, tmp_path, temp=tmp_path / "temp").outputs
    assert saved.path.name.startswith(f"{datetime.now().astimezone().year}_x")
    assert dated.nodes["2"].inputs["filename_prefix"] == "%date:yyyy%_x"


def test_strict_leaves_with_a_code_of_its_own_where_nothing_was_saved(tmp_path, make):
    path = tmp_path / "shown.json"
    blank = make("EmptyImage", width=8, height=8, batch_size=1, color=0)
    path.write_text(json.dumps({"1": blank, "2": make("PreviewImage", images=["1", 0])}))
    words = ["run", str(path), "-o", str(tmp_path / "out")]
    outcome = CliRunner().invoke(main, words)
    assert outcome.exit_code == 0, outcome.output
    assert "Nothing was saved" in outcome.output
    assert CliRunner().invoke(main, [*words, "--strict"]).exit_code == 3


def test_a_batch_says_which_jobs_saved_nothing(tmp_path, make):
    path = tmp_path / "shown.json"
    blank = make("EmptyImage", width=8, height=8, batch_size=1, color=0)
    path.write_text(json.dumps({"1": blank, "2": make("PreviewImage", "Look", images=["1", 0])}))
    (tmp_path / "jobs.jsonl").write_text('{"name": "a"}\n{"name": "b"}\n')
    words = ["batch", str(path), "-i", str(tmp_path / "jobs.jsonl"), "-o", str(tmp_path / "out")]
    outcome = CliRunner().invoke(main, words)
    assert outcome.exit_code == 0, outcome.output
    assert "2 jobs saved no file" in outcome.output
    rows = json.loads((tmp_path / "out" / "verdicts.json").read_text())
    assert [row["reason"][:18] for row in rows] == ["Nothing was saved:"] * 2
    assert CliRunner().invoke(main, [*words, "--strict"]).exit_code == 3


def test_nodes_of_one_title_are_named_by_their_ids(tmp_path, make):
    path = tmp_path / "twice.json"
    path.write_text(
        json.dumps(
            {
                "1": make("EmptyImage", "Blank", width=8),
                "2": make("EmptyImage", "blank ", width=9),
                "3": make("ImageInvert", "Other", image=["1", 0]),
            }
        )
    )
    outcome = CliRunner().invoke(main, ["inspect", str(path), "--json"])
    described = json.loads(outcome.output.splitlines()[-1])
    described = described.get("result", described)
    assert {entry["set"] for node in described["nodes"] for entry in node["inputs"]} >= {"1.width", "2.width"}
    graph = load(path)
    settings.apply_setting(graph, settings.parse_setting("2.width=12"), local_catalog())
    assert graph.nodes["2"].inputs["width"] == 12
    assert graph.find("ImageInvert").id == "3"


CHOICE = {
    "Resize": {
        "input": {
            "required": {
                "how": [
                    "COMFY_DYNAMICCOMBO_V3",
                    {"options": [{"key": "to", "inputs": {"required": {"width": ["INT", {"max": 99}]}}}]},
                ],
                "mode": ["COMBO", {"options": []}],
                "model": ["COMBO", {"options": []}],
            }
        }
    }
}


def test_inputs_of_a_dynamic_combo_can_be_set(workflow, make):
    graph = workflow({"1": make("Resize", "My. size", how="to", mode="x", model="") | {}})
    graph.nodes["1"].inputs["how.width"] = 1
    catalog = from_object_info(CHOICE)
    settings.apply_setting(graph, settings.parse_setting("My. size.how.width=7"), catalog)
    assert graph.nodes["1"].inputs["how.width"] == 7
    with pytest.raises(errors.OutOfRange):
        settings.apply_setting(graph, settings.parse_setting("1.how.width=100"), catalog)
    with pytest.raises(errors.UnknownTitle):
        settings.apply_setting(graph, settings.parse_setting("1.how.height=100"), catalog)
    graph.set("My. size.how.width", 8)
    assert graph.nodes["1"].inputs["how.width"] == 8


def test_a_list_without_values_is_the_canvas_own_unless_it_is_of_models(workflow, make):
    catalog = from_object_info(CHOICE)
    graph = workflow({"1": make("Resize", "R", how="to", mode="x", model="")})
    settings.apply_setting(graph, settings.parse_setting("R.mode=anything"), catalog)
    with pytest.raises(errors.NotAnOption):
        settings.apply_setting(graph, settings.parse_setting("R.model=a.safetensors"), catalog)
