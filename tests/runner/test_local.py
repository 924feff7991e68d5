"""The local engine runs real graphs as ComfyUI does."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from likeness_studio.core.errors import Interrupted, PhotoUnreadable, UnsafePath
from likeness_studio.runner import errors
from likeness_studio.runner.backends import Event


def test_inverted_picture_has_the_exact_pixels_name_and_metadata(engine, workflow, invert, folders):
    result = engine.run(workflow(invert), folders)
    (saved,) = result.outputs
    assert saved.path.name == "negative_00001_.png"
    assert (saved.node, saved.title) == ("3", "Save")
    with Image.open(saved.path) as picture:
        blank = (np.array([0x80, 0x40, 0x20]) / 255).astype(np.float32)
        expected = np.clip(np.float32(255) * (1 - blank), 0, 255).astype(np.uint8)
        assert picture.size == (16, 8)
        assert (np.asarray(picture) == expected).all()
        assert json.loads(picture.info["prompt"])["2"]["class_type"] == "ImageInvert"
        assert "workflow" not in picture.info
    assert [time.title for time in result.times] == ["Blank", "Negative", "Save"]
    assert result.engine == "local"
    assert result.verdict is None


def test_a_canvas_workflow_is_carried_in_the_png(engine, workflow, invert, folders):
    graph = workflow(invert)
    graph.canvas = {"nodes": [], "links": []}
    with Image.open(engine.run(graph, folders).outputs[0].path) as picture:
        assert json.loads(picture.info["workflow"]) == {"nodes": [], "links": []}


def test_only_what_output_nodes_need_runs(engine, workflow, invert, folders, make):
    invert["9"] = make("EmptyImage", width=-5)
    assert [time.node for time in engine.run(workflow(invert), folders).times] == ["1", "2", "3"]


def test_second_run_computes_only_what_changed(engine, workflow, invert, folders):
    first = engine.run(workflow(invert), folders)
    again = engine.run(workflow(invert), folders)
    assert all(time.cached for time in again.times)
    assert again.outputs == first.outputs
    invert["3"]["inputs"]["filename_prefix"] = "other"
    third = engine.run(workflow(invert), folders)
    assert [time.cached for time in third.times] == [True, True, False]


def test_cached_output_is_written_again_when_its_file_is_gone(engine, workflow, invert, folders):
    engine.run(workflow(invert), folders).outputs[0].path.unlink()
    assert engine.run(workflow(invert), folders).outputs[0].path.is_file()


def test_photo_is_read_again_when_its_content_changes(engine, workflow, folders, make, astronaut):
    graph = {"1": make("LoadImage", image="me.jpg"), "2": make("SaveImage", images=["1", 0], filename_prefix="x")}
    shutil.copy(astronaut, folders.input / "me.jpg")
    engine.run(workflow(graph), folders)
    assert engine.run(workflow(graph), folders).times[0].cached
    Image.new("RGB", (20, 10), "red").save(folders.input / "me.jpg")
    result = engine.run(workflow(graph), folders)
    assert not result.times[0].cached
    with Image.open(result.outputs[0].path) as picture:
        assert picture.size == (20, 10)


def test_lists_are_mapped_and_shorter_ones_repeat_their_last(test_engine, workflow, folders, make, pair_calls):
    graph = {
        "1": make("TestWords", text="a b c"),
        "2": make("TestWords", text="x y"),
        "3": make("TestPair", first=["1", 0], second=["2", 0]),
        "4": make("PreviewAny", source=["3", 0]),
        "5": make("TestCount", words=["3", 0], add=10),
        "6": make("PreviewAny", source=["5", 0]),
    }
    result = test_engine.run(workflow(graph), folders)
    assert pair_calls == [("a", "x"), ("b", "y"), ("c", "y")]
    assert result.ui["4"]["text"] == ["a-x", "b-y", "c-y"]
    assert result.ui["6"]["text"] == ["13"]


def test_missing_optional_input_keeps_pythons_default(test_engine, workflow, folders, make):
    graph = {"1": make("TestPair", first="a"), "2": make("PreviewAny", source=["1", 0])}
    assert test_engine.run(workflow(graph), folders).ui["2"]["text"] == ["a-nothing"]


def test_empty_list_is_an_error_that_names_the_input(test_engine, workflow, folders, make):
    graph = {
        "1": make("TestWords", text=""),
        "2": make("TestPair", first=["1", 0]),
        "3": make("PreviewAny", source=["2", 0]),
    }
    with pytest.raises(errors.NodeFailed, match="first is empty") as caught:
        test_engine.run(workflow(graph), folders)
    assert caught.value.as_dict()["code"] == "input_required"


def test_hidden_values_reach_the_node(test_engine, workflow, folders, make):
    result = test_engine.run(workflow({"7": make("TestPicky", word="please")}), folders)
    assert result.ui["7"]["text"] == ["please 7 ['7']"]


def test_failing_node_is_named_with_its_cause(test_engine, workflow, folders, make):
    graph = {"1": make("TestFail", "Glass", word="sneeze"), "2": make("PreviewAny", source=["1", 0])}
    with pytest.raises(errors.NodeFailed, match=r"^Glass \(node 1\) failed: RuntimeError: broken by sneeze$") as caught:
        test_engine.run(workflow(graph), folders)
    assert caught.value.as_dict() == {
        "code": "node_failed", "message": str(caught.value), "node": "1", "title": "Glass",
        "meaning": errors.NodeFailed.meaning, "hint": errors.NodeFailed.hint,
    }  # fmt: skip
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_causes_own_code_is_kept(engine, workflow, folders, make):
    (folders.input / "broken.png").write_bytes(b"no picture")
    graph = {"1": make("LoadImage", image="broken.png"), "2": make("PreviewImage", images=["1", 0])}
    with pytest.raises(errors.NodeFailed) as caught:
        engine.run(workflow(graph), folders)
    assert caught.value.as_dict()["code"] == "photo_unreadable"
    assert caught.value.as_dict()["hint"] == PhotoUnreadable.hint


def test_stop_is_honoured_between_nodes_and_what_is_done_is_kept(engine, workflow, invert, folders):
    seen: list[Event] = []
    with pytest.raises(Interrupted):
        engine.run(workflow(invert), folders, seen.append, lambda: any(e.kind == "node_done" for e in seen))
    assert [event.kind for event in seen] == ["start", "node", "node_done"]
    assert engine.run(workflow(invert), folders).times[0].cached


def test_events_tell_a_run_from_start_to_end(engine, workflow, invert, folders):
    seen: list[Event] = []
    engine.run(workflow(invert), folders, seen.append)
    assert [(event.kind, event.title) for event in seen] == [
        ("start", None), ("node", "Blank"), ("node_done", "Blank"), ("node", "Negative"), ("node_done", "Negative"),
        ("node", "Save"), ("node_done", "Save"),
    ]  # fmt: skip


def test_runs_without_gradients(engine, workflow, invert, folders):
    engine.run(workflow(invert), folders)
    assert all(entry.outputs[0][0].is_inference() for entry in engine._cache.values() if entry.outputs)
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("prefix", ["../outside", "a/../../outside", "/tmp/outside"])
def test_prefix_cannot_leave_the_output_folder(engine, workflow, invert, folders, prefix):
    invert["3"]["inputs"]["filename_prefix"] = prefix
    with pytest.raises(errors.NodeFailed) as caught:
        engine.run(workflow(invert), folders)
    assert isinstance(caught.value.cause, UnsafePath)
    assert not list(folders.output.rglob("*.png"))


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "nothing.png"])
def test_photo_names_stay_in_the_input_folder(engine, workflow, folders, make, name):
    (folders.input.parent / "secret.png").write_bytes(b"")
    graph = {"1": make("LoadImage", "Photo", image=name), "2": make("PreviewImage", images=["1", 0])}
    with pytest.raises(errors.InputRefused, match="Photo cannot run"):
        engine.run(workflow(graph), folders)


def test_subfolders_and_numbers_go_on_counting(engine, workflow, invert, folders):
    invert["1"]["inputs"]["batch_size"] = 2
    invert["3"]["inputs"]["filename_prefix"] = "a/b/%width%x%height%"
    first = engine.run(workflow(invert), folders)
    invert["1"]["inputs"]["color"] = 1
    second = engine.run(workflow(invert), folders)
    names = [saved.path.relative_to(folders.output).as_posix() for saved in first.outputs + second.outputs]
    assert names == [f"a/b/16x8_0000{number}_.png" for number in (1, 2, 3, 4)]


def test_previews_are_kept_apart_from_outputs(engine, workflow, folders, make):
    graph = {
        "1": make("EmptyImage", width=4, height=4, batch_size=3, color=0),
        "2": make("PreviewImage", images=["1", 0]),
    }
    result = engine.run(workflow(graph), folders)
    assert result.outputs == []
    assert [file.path.parent for file in result.previews] == [folders.temp] * 3


def test_unwritable_output_is_one_clear_error(engine, workflow, invert, folders):
    (folders.output / "blocked").write_text("a file where a folder is wanted")
    invert["3"]["inputs"]["filename_prefix"] = "blocked/name"
    with pytest.raises(errors.NodeFailed) as caught:
        engine.run(workflow(invert), folders)
    assert caught.value.as_dict()["code"] == "output_unwritable"
