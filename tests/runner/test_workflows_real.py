"""Every bundled workflow is accepted by a real ComfyUI, with model files that are there in name only."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from likeness_studio.runner.backends.comfy import catalog as comfy_catalog
from likeness_studio.runner.backends.comfy.server import ComfyServer
from likeness_studio.runner.cli import main
from likeness_studio.runner.errors import ModelFileMissing, NodeClassMissing
from likeness_studio.runner.workflow import bundled, load
from likeness_studio.tests.conftest import skip_older_comfyui
from likeness_studio.tests.runner.held_server import held_server

pytestmark = pytest.mark.comfyui
ROOT = Path(__file__).parents[2]
OTHER_PACKS = {
    "Pose": ("comfyui_controlnet_aux", {"DWPreprocessor"}),
    "IP-Adapter": ("ComfyUI_IPAdapter_plus", {"IPAdapterAdvanced", "IPAdapterModelLoader", "PrepImageForClipVision"}),
}
"""Stages that need other packs: the folder of the pack, and its node classes."""


def models_of(name):
    """The model files that a workflow names, with those of its stages that are off."""
    entries = json.loads((ROOT / "workflows" / "api" / f"{name}.json").read_text()).values()
    return [model for entry in entries for model in entry["_meta"].get("models", ())]


GENERATIVE = [name for name in bundled() if models_of(name)]


@contextmanager
def with_models(base, packs=()):
    """A held ComfyUI with all models in name only."""
    for name in bundled():
        for model in models_of(name):
            path = base / "models" / model["directory"] / model["name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file({}, path)
    with held_server(base, ("photo.jpg", "reference.jpg"), packs) as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with with_models(tmp_path_factory.mktemp("workflows")) as started:
        yield started


@pytest.fixture(scope="module")
def comfy(server):
    client = ComfyServer(server.url)
    yield client
    client.close()


def submit(comfy, workflow):
    workflow.remove([node.id for node in workflow if node.optional])
    return comfy.submit({"prompt": workflow.to_api(), "client_id": "workflows"})


@pytest.mark.parametrize("name", GENERATIVE)
def test_the_server_accepts_the_workflow(comfy, name, server):
    skip_older_comfyui(name, server.url)
    accepted, answer = submit(comfy, load(name))
    assert accepted, answer
    assert answer.get("node_errors") in ({}, None)


@pytest.mark.parametrize("name", GENERATIVE)
def test_the_server_accepts_it_with_every_stage_switched(comfy, name, server):
    skip_older_comfyui(name, server.url)
    workflow = load(name)
    for stage in workflow.stages.by_name.values():
        if stage.name not in OTHER_PACKS:
            workflow.switch(stage.name, on=not stage.on)
    accepted, answer = submit(comfy, workflow)
    assert accepted, answer
    assert answer.get("node_errors") in ({}, None)


def test_a_stage_of_another_pack_names_the_pack(comfy):
    for stage, (pack, classes) in OTHER_PACKS.items():
        workflow = load("reference_profile")
        workflow.switch(stage, on=True)
        missing = [p for p in comfy_catalog.findings_on(workflow, comfy).problems if isinstance(p, NodeClassMissing)]
        assert {problem.class_type for problem in missing} == classes
        assert all(f"comfy node install {pack.lower()}" in str(problem) for problem in missing)


@pytest.mark.skipif("LIKENESS_TEST_PACKS" not in os.environ, reason="set LIKENESS_TEST_PACKS to a folder of packs")
def test_other_packs_nodes_are_used_as_they_are(tmp_path):
    folder = Path(os.environ["LIKENESS_TEST_PACKS"])
    with with_models(tmp_path / "base", [folder / pack for pack, _ in OTHER_PACKS.values()]) as started:
        client = ComfyServer(started.url)
        workflow = load("reference_profile")
        for stage in OTHER_PACKS:
            workflow.switch(stage, on=True)
        assert comfy_catalog.findings_on(workflow, client).problems == []
        accepted, answer = submit(client, workflow)
        assert accepted, answer
        assert answer.get("node_errors") in ({}, None)
        client.close()


def test_every_file_has_its_folder_and_address():
    for name in GENERATIVE:
        for model in models_of(name):
            assert model["url"].startswith("https://huggingface.co/"), model
            assert model["url"].endswith(".safetensors"), model
            assert model["directory"], model
            assert ("hash" in model) == ("hash_type" in model)
            assert len(model.get("hash", "0" * 64)) == 64


def test_the_doctor_says_where_a_missing_model_can_be_had(server):
    (model,) = models_of("img2img_headshot_sd15")
    file = server.base / "models" / model["directory"] / model["name"]
    aside = file.rename(file.with_suffix(".aside"))
    try:
        shown = CliRunner().invoke(main, ["doctor", "--server", server.url, "img2img_headshot_sd15", "--json"])
    finally:
        aside.rename(file)
    assert shown.exit_code == 1
    for word in (model["name"], model["url"], "models/checkpoints", model["hash"], "Checkpoint.ckpt_name"):
        assert word in shown.output


def test_a_missing_model_is_an_error_of_its_own(server, comfy):
    (model,) = models_of("img2img_headshot_sdxl")
    workflow = load("img2img_headshot_sdxl")
    workflow.set("Checkpoint.ckpt_name", "other.safetensors")
    (problem,) = comfy_catalog.findings_on(workflow, comfy).problems
    assert isinstance(problem, ModelFileMissing)
    assert model["url"] not in str(problem), "the address belongs to the file that the workflow names"
