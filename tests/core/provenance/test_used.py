"""What is recorded of a workflow without the workflow: its hash and its models."""

import json
from pathlib import Path

import pytest

from likeness_studio.core.graph import hash_graph
from likeness_studio.core.models import models
from likeness_studio.core.models.manifest import NON_COMMERCIAL
from likeness_studio.core.provenance import UNKNOWN_LICENCE
from likeness_studio.core.provenance.save import models_used
from likeness_studio.nodes.extension import node_classes, node_facts
from likeness_studio.runner.workflow import Workflow
from likeness_studio.runner.workflow import input_files as model_files

BUNDLED = sorted((Path(__file__).parents[3] / "workflows" / "api").glob("*.json"))


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_the_hash_is_the_one_of_the_runners_report(path):
    graph = Workflow.from_api(path.stem, json.loads(path.read_text())).to_api()
    assert hash_graph(graph) == Workflow.from_api(path.stem, graph).hash


def test_what_nodes_load_unasked_is_in_the_manifest():
    assert model_files.UNKNOWN_LICENCE == UNKNOWN_LICENCE
    assert {name for facts in node_facts().values() for name in facts.loads} <= set(models())


def test_every_node_that_takes_an_engine_is_known_to_load_one():
    """But those that judge by an identity: they take the engine that it was enrolled with."""
    takes = {
        schema.node_id
        for schema in (node.GET_SCHEMA() for node in node_classes())
        if any(socket.id == "engine" and socket.io_type == "LIKENESS_FACE_ENGINE" for socket in schema.inputs)
    }
    known = {name for name, facts in node_facts().items() if facts.loads} | {
        "LikenessSwapFace",
        "LikenessCompareLikeness",
        "LikenessGate",
        "LikenessKeepBest",
        "LikenessDescribePhoto",
    }
    assert takes - known == set()


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def test_models_with_their_licences_and_without_folders():
    graph = {
        "1": node("LoadImage", image="me.safetensors"),
        "2": node("CheckpointLoaderSimple", ckpt_name="C:\\Users\\me\\models\\sd15.safetensors"),
        "3": node("LikenessMattePerson", image=["1", 0], model="u2net"),
        "4": node("LikenessLoadFaceEngine", engine="insightface", pack="buffalo_l"),
        "5": node("LikenessFrameHeadshot", image=["1", 0], mask=["3", 0], engine=["4", 0]),
        "6": node("LikenessLoadLoraStack", lora_1="a/b.safetensors", on_1=True, lora_2="c.safetensors", on_2=False),
        "7": node("Join", a=["2", 0], b=["5", 0], c=["6", 0]),
        "8": node("UNETLoader", unet_name="elsewhere.safetensors"),
    }
    assert models_used(graph, ["7"]) == (
        ("sd15.safetensors", UNKNOWN_LICENCE),
        ("u2net", "Apache-2.0"),
        ("insightface/buffalo_l", NON_COMMERCIAL),
        ("b.safetensors", UNKNOWN_LICENCE),
    )


def test_networks_that_are_loaded_without_being_named():
    graph = {"5": node("LikenessFrameHeadshot", image=["1", 0])}
    assert [name for name, _ in models_used(graph, ["5"])] == ["yunet", "sface"]
    graph = {"5": node("LikenessMattePerson", model="u2net + modnet")}
    assert [name for name, _ in models_used(graph, ["5"])] == ["u2net", "modnet", "yunet"]
    graph = {"5": node("LikenessMakeIDPhoto", engine=["4", 0])}
    assert [name for name, _ in models_used(graph, ["5"])] == ["face_mesh", "iris"]
