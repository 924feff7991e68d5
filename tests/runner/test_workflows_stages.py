"""Stages of a workflow are switched on and off, and API files say where packs and models can be had."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from likeness_studio.runner import errors
from likeness_studio.runner.backends import local_catalog
from likeness_studio.runner.cli import main
from likeness_studio.runner.workflow import Workflow
from likeness_studio.runner.workflow import overrides as settings
from likeness_studio.runner.workflow import preflight as sources


def entry(class_type, title, stage=None, /, **inputs):
    meta = {"title": title} | ({"stage": stage} if stage else {})
    return {"class_type": class_type, "inputs": inputs, "_meta": meta}


@pytest.fixture
def graph():
    def off(*passes):
        return {"name": "Upside down", "on": False, "passes": list(passes)}

    return {
        "1": entry("EmptyImage", "Blank", width=8, height=8, batch_size=1, color=0),
        "2": entry("ImageInvert", "Invert", off("image"), image=["1", 0]),
        "3": entry("ForeignTurn", "Turn", off("picture", None), picture=["2", 0], by=["4", 0]),
        "4": entry("ForeignAngle", "Angle", off(), degrees=180),
        "5": entry("ImageInvert", "Again", image=["3", 0], mask=["3", 1]),
        "6": entry("SaveImage", "Save", images=["5", 0], filename_prefix="x"),
    }


def test_a_stage_that_is_off_is_passed_by(graph):
    workflow = Workflow.from_api("turn", graph)
    assert [node.title for node in workflow] == ["Blank", "Again", "Save"]
    assert workflow.to_api()["5"]["inputs"] == {"image": ["1", 0]}


def test_switching_it_on_and_off_again(graph):
    workflow = Workflow.from_api("turn", graph)
    before = workflow.to_api()
    workflow.set("upside down.on", True)
    assert {key: node["inputs"] for key, node in workflow.to_api().items()} == {
        key: node["inputs"] for key, node in graph.items()
    }
    workflow.set("Angle.degrees", 90)
    changed = workflow.copy()
    workflow.set("Upside down.on", False)
    assert workflow.to_api() == before
    assert changed.find("Angle").inputs == {"degrees": 90}


def test_the_switch_is_a_setting_and_comes_before_the_others(graph):
    workflow = Workflow.from_api("turn", graph)
    given = [settings.parse_setting("Angle.degrees=90"), settings.parse_setting("Upside down.on=yes")]
    settings.apply_settings(workflow, given, local_catalog())
    assert workflow.find("Angle").inputs == {"degrees": 90}
    with pytest.raises(errors.WrongType):
        settings.apply_settings(workflow, [settings.parse_setting("Upside down.on=perhaps")], local_catalog())


def test_a_node_of_a_stage_that_is_off_is_not_simply_unknown(graph):
    workflow = Workflow.from_api("turn", graph)
    with pytest.raises(errors.UnknownTitle, match=r"stage that is off; set 'Upside down\.on=true'"):
        workflow.set("Angle.degrees", 90)
    with pytest.raises(errors.UnknownTitle, match="'Upside'"):
        workflow.switch("Upside", on=True)


def test_nodes_that_are_taken_out_do_not_come_back(graph):
    workflow = Workflow.from_api("turn", graph)
    workflow.remove(["1"])
    workflow.switch("Upside down", on=True)
    assert [node.title for node in workflow] == ["Invert", "Turn", "Angle", "Again", "Save"]
    assert workflow.find("Invert").links == {}


def test_marks_that_are_no_marks_are_passed_over(graph):
    graph["2"]["_meta"]["stage"] = "Upside down"
    graph["3"]["_meta"]["stage"] = {"name": 7}
    graph["4"]["_meta"]["stage"] = {"name": "Angle", "on": False, "passes": "all"}
    workflow = Workflow.from_api("turn", graph)
    assert workflow.find("Turn").links == {"picture": ("2", 0)}


def test_inspect_lists_the_stages(graph, tmp_path):
    path = tmp_path / "turn.json"
    path.write_text(json.dumps(graph))
    shown = CliRunner().invoke(main, ["inspect", str(path)])
    assert 'Upside down is off  (--set "Upside down.on=true")' in shown.output
    described = json.loads(CliRunner().invoke(main, ["inspect", str(path), "--json"]).output)
    assert described["stages"] == [{"name": "Upside down", "on": False}]


def test_an_api_file_says_where_models_and_packs_can_be_had(graph):
    model = {"name": "a.safetensors", "url": "https://example.org/a.safetensors", "directory": "checkpoints"}
    graph["3"]["_meta"] |= {
        "cnr_id": "turning",
        "ver": "1.2.3",
        "models": [model | {"hash": "ab", "hash_type": "SHA256"}],
    }
    graph["3"]["_meta"]["stage"]["on"] = graph["2"]["_meta"]["stage"]["on"] = True
    graph["4"]["_meta"]["stage"]["on"] = True
    known = sources.read(None, Workflow.from_api("turn", graph))
    assert known.pack("ForeignTurn")["id"] == "turning"
    assert known.pack("ForeignTurn")["version"] == "1.2.3"
    assert known.model("sub/a.safetensors", "X", "ckpt_name")["url"] == model["url"]
    assert known.model("sub/a.safetensors", "X", "ckpt_name")["hash"] == "ab"
