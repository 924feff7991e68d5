"""What every bundled workflow owes its users: canvas and API file, picture, help page, and sources of models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from likeness_studio.runner.backends import local_catalog
from likeness_studio.runner.workflow import bundled, load

ROOT = Path(__file__).parents[2]


def api(name):
    return json.loads((ROOT / "workflows" / "api" / f"{name}.json").read_text())


def canvas(name):
    return json.loads((ROOT / "workflows" / f"{name}.json").read_text())


def models_of(name):
    return [model for node in api(name).values() for model in node["_meta"].get("models", ())]


@pytest.mark.parametrize("name", bundled())
def test_it_has_all_its_files(name):
    for file in (f"workflows/{name}.json", f"workflows/api/{name}.json", f"workflows/{name}.jpg"):
        assert (ROOT / file).is_file(), file
    assert (ROOT / "docs" / "workflows" / f"{name}.md").is_file()


@pytest.mark.parametrize("name", bundled())
def test_titles_name_one_node_each(name):
    titles = [node["_meta"]["title"] for node in api(name).values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", bundled())
def test_values_are_those_that_the_nodes_take(name):
    known = local_catalog()
    for node in api(name).values():
        spec = known.get(node["class_type"])
        if spec is None or not node["class_type"].startswith("Likeness"):
            continue
        where = node["_meta"]["title"]
        assert set(node["inputs"]) <= set(spec.by_name), where
        assert {socket.name for socket in spec.inputs if socket.takes_value} <= set(node["inputs"]), where
        for socket in spec.inputs:
            value = node["inputs"].get(socket.name)
            if socket.choices and isinstance(value, str) and not value.endswith(".safetensors"):
                assert value in socket.choices, f"{where}.{socket.name}"


@pytest.mark.parametrize("name", bundled())
def test_the_help_page_names_models_stages_and_what_was_seen(name):
    page = (ROOT / "docs" / "workflows" / f"{name}.md").read_text()
    assert page.startswith("# ")
    for heading in ("## What it does", "## What it needs", "## What to set", "## Verified"):
        assert heading in page, heading
    for model in models_of(name):
        assert model["name"] in page
        assert f"models/{model['directory']}" in page
        if "hash" not in model:
            assert "not pinned" in page
    for stage in load(name).stages.by_name:
        assert stage in page
    assert f"likeness run {name}" in page


@pytest.mark.parametrize("name", bundled())
def test_the_canvas_says_where_packs_and_models_can_be_had(name):
    by_id = {str(node["id"]): node for node in canvas(name)["nodes"]}
    for key, node in api(name).items():
        drawn = by_id[key]
        assert drawn["type"] == node["class_type"]
        properties, meta = drawn["properties"], node["_meta"]
        ours = node["class_type"].startswith("Likeness")
        assert properties["cnr_id"] == meta.get("cnr_id", "likeness-studio" if ours else "comfy-core")
        assert properties["ver"]
        assert properties.get("models", []) == meta.get("models", [])


def test_a_swap_of_faces_is_off_in_every_workflow():
    found = [node for name in bundled() for node in api(name).values() if node["class_type"] == "LikenessSwapFace"]
    assert found
    assert all(node["inputs"]["enabled"] is False for node in found)


def test_no_lora_is_on_in_a_workflow_that_is_shared():
    for name in bundled():
        for node in api(name).values():
            if node["class_type"] == "LikenessLoadLoraStack":
                assert not [key for key, value in node["inputs"].items() if key.startswith("lora_") and value != "none"]


@pytest.mark.parametrize("name", bundled())
def test_what_is_optional_is_off_on_the_canvas_and_nothing_else(name):
    meta = {key: node["_meta"] for key, node in api(name).items()}
    off = {key for key, said in meta.items() if said.get("optional") or said.get("stage", {}).get("on") is False}
    drawn = {str(node["id"]) for node in canvas(name)["nodes"] if node.get("mode", 0) != 0}
    assert drawn == off
