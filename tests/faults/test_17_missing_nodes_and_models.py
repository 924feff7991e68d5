"""Fault 17: missing node classes or models. All of them are named, from /object_info, before anything is uploaded."""

from __future__ import annotations

import json

import httpx
import pytest

from likeness_studio.runner import errors
from likeness_studio.runner.backends.comfy import catalog as comfy_catalog
from likeness_studio.runner.backends.comfy.server import ComfyServer
from likeness_studio.runner.client import Client
from likeness_studio.runner.workflow import Node, Workflow, load

pytestmark = pytest.mark.comfyui


@pytest.fixture
def comfy(server):
    client = ComfyServer(server.url)
    yield client
    client.close()


def seen(server):
    """What lies in the server's input folder, and what its history and queue hold."""
    files = sorted(path for path in server.input.rglob("*") if path.is_file())
    answers = [httpx.get(f"{server.url}/{name}").json() for name in ("history", "queue")]
    return files, answers


def drawn():
    """A canvas with two missing packs, a class of ours that no version has, and two missing models."""
    return {
        "nodes": [
            {
                "id": 1,
                "type": "CheckpointLoaderSimple",
                "mode": 0,
                "inputs": [],
                "outputs": [],
                "widgets_values": ["portrait.safetensors"],
                "properties": {
                    "cnr_id": "comfy-core",
                    "models": [
                        {
                            "name": "portrait.safetensors",
                            "url": "https://example.org/portrait.safetensors",
                            "hash": "abc123",
                            "hash_type": "SHA256",
                            "directory": "checkpoints",
                        }
                    ],
                },
            },
            {
                "id": 2,
                "type": "LoraLoaderModelOnly",
                "mode": 0,
                "inputs": [{"name": "model", "type": "MODEL", "link": 1}],
                "widgets_values": ["style.safetensors", 1.0],
            },
            {
                "id": 3,
                "type": "FaceDetailer",
                "title": "Detail",
                "mode": 0,
                "inputs": [{"name": "model", "type": "MODEL", "link": 2}],
                "properties": {"cnr_id": "comfyui-impact-pack", "ver": "8.1.0"},
            },
            {
                "id": 4,
                "type": "SomebodysSaver",
                "mode": 0,
                "inputs": [{"name": "images", "type": "IMAGE", "link": 3}],
                "properties": {"aux_id": "somebody/saver"},
            },
            {"id": 5, "type": "LikenessOfTomorrow", "mode": 0, "inputs": []},
            {
                "id": 6,
                "type": "LoadImage",
                "title": "Photo",
                "mode": 0,
                "inputs": [],
                "widgets_values": ["mine.jpg", "image"],
            },
            {
                "id": 7,
                "type": "SaveImage",
                "mode": 0,
                "inputs": [{"name": "images", "type": "IMAGE", "link": 4}],
                "widgets_values": ["out"],
            },
        ],
        "links": [
            [1, 1, 0, 2, 0, "MODEL"],
            [2, 2, 0, 3, 0, "MODEL"],
            [3, 3, 0, 4, 0, "IMAGE"],
            [4, 6, 0, 7, 0, "IMAGE"],
        ],
        "version": 0.4,
    }


def test_fault_17_everything_missing_is_named_before_anything_is_uploaded(server, comfy, tmp_path):
    file = tmp_path / "drawn.json"
    file.write_text(json.dumps(drawn()), "utf-8")
    before = seen(server)
    catalog = comfy_catalog.ServerCatalog(comfy)
    with pytest.raises(errors.WorkflowInvalid) as caught:
        comfy_catalog.require(load(file, catalog), catalog)
    assert seen(server) == before
    problems = caught.value.problems
    classes = {p.class_type: p.pack for p in problems if isinstance(p, errors.NodeClassMissing)}
    assert set(classes) == {"FaceDetailer", "SomebodysSaver", "LikenessOfTomorrow"}
    assert classes["FaceDetailer"]["install"] == "comfy node install comfyui-impact-pack"
    assert classes["FaceDetailer"]["version"] == "8.1.0"
    assert classes["SomebodysSaver"]["url"] == "https://github.com/somebody/saver"
    assert classes["LikenessOfTomorrow"]["id"] == "likeness-studio"
    models = {p.model["name"]: p.model for p in problems if isinstance(p, errors.ModelFileMissing)}
    assert set(models) == {"portrait.safetensors", "style.safetensors"}
    assert models["portrait.safetensors"] | {"name": ""} == {
        "name": "",
        "url": "https://example.org/portrait.safetensors",
        "hash": "abc123",
        "hash_type": "SHA256",
        "directory": "checkpoints",
    }
    assert models["style.safetensors"]["directory"] == "loras"
    assert len(problems) == 5, [str(problem) for problem in problems]
    text = str(caught.value)
    assert "Detail" in text
    assert "fetch https://example.org/portrait.safetensors into models/checkpoints" in text


def test_fault_17_one_missing_class_is_its_own_error(server, comfy):
    graph = load("studio_headshot").to_api()
    graph["4"]["class_type"] = "LikenessMattePersonn"
    before = seen(server)
    with pytest.raises(errors.NodeClassMissing, match="comfy node install likeness-studio"):
        comfy_catalog.require(Workflow.from_api("broken", graph), comfy)
    assert seen(server) == before


def test_fault_17_a_run_ends_before_the_photo_is_sent(server, astronaut, tmp_path):
    graph = load("studio_headshot")
    graph.nodes["99"] = Node("99", "SomebodysSaver", "Saver", {"images": ["1", 0]})
    before = seen(server)
    with Client(server.url) as client, pytest.raises(errors.NodeClassMissing, match="SomebodysSaver"):
        client.run(graph, [astronaut], tmp_path / "out")
    assert seen(server) == before


def test_fault_17_wrong_values_are_named_too(server, comfy):
    graph = load("studio_headshot")
    graph.find("Backdrop").inputs |= {"width": 1, "style": "beach"}
    graph.find("Backdrop").inputs.pop("colour")
    before = seen(server)
    with pytest.raises(errors.WorkflowInvalid) as caught:
        comfy_catalog.require(graph, comfy)
    assert sorted(p.code for p in caught.value.problems) == ["input_required", "not_an_option", "out_of_range"]
    assert seen(server) == before
