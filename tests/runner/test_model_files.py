"""Checkpoints, LoRAs and other files that a workflow names are in its report."""

from __future__ import annotations

from likeness_studio.runner.backends import RunResult
from likeness_studio.runner.workflow import named_models


def test_files_are_named_once_and_rows_that_are_off_are_not(workflow, make):
    graph = workflow(
        {
            "1": make("CheckpointLoaderSimple", "Checkpoint", ckpt_name="sd.safetensors"),
            "2": make("CheckpointLoaderSimple", "Again", ckpt_name="sd.safetensors"),
            "3": make("LikenessLoadLoraStack", on_1=True, lora_1="a/x.safetensors", on_2=False, lora_2="y.safetensors"),
            "4": make("LikenessLoadIdentity", filename="me.safetensors"),
            "5": make("KSampler", sampler_name="euler", seed=3),
        }
    )
    found = named_models(graph)
    assert [(entry["name"], entry["use"]) for entry in found] == [
        ("sd.safetensors", "Checkpoint"),
        ("a/x.safetensors", "LikenessLoadLoraStack"),
    ]
    assert {entry["commercial"] for entry in found} == {"unclear"}


def test_what_a_node_says_of_its_model_comes_first_and_counts():
    result = RunResult("x", "", "", ui={"1": {"models": [{"name": "sface", "licence": "Apache-2.0"}]}})
    result.model_files = [{"name": "sface", "licence": "?"}, {"name": "sd.safetensors", "licence": "?"}]
    assert [(entry["name"], entry["licence"]) for entry in result.models] == [
        ("sface", "Apache-2.0"),
        ("sd.safetensors", "?"),
    ]
