"""Save with Provenance on a real server: the graph is traced there too, and the files are verified here."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from PIL import Image

from likeness_studio.core.imaging import encode_picture
from likeness_studio.core.provenance import UNKNOWN_LICENCE, Generative, Record, State, check_file, xmp
from likeness_studio.core.provenance import source_types as iptc
from likeness_studio.nodes.provenance import NO_GENERATION, SHOWN, SaveWithProvenance
from likeness_studio.runner.workflow import Workflow
from likeness_studio.tests.conftest import start_comfyui

pytestmark = pytest.mark.comfyui
SECONDS = 300
CHECKPOINT = Path(os.environ.get("LIKENESS_TEST_CHECKPOINTS", "missing")) / "v1-5-pruned-emaonly-fp16.safetensors"
"""Stable Diffusion 1.5 with random weights, as the tests in tests/comfyui build it."""


DISGUISED = """
import nodes

class Invert:
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "test"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}

    def run(self, image):
        return (1 - image,)

nodes.NODE_CLASS_MAPPINGS["ImageInvert"] = Invert
NODE_CLASS_MAPPINGS = {}
"""
"""A pack that puts a class of its own under the name of one of core's."""


@pytest.fixture(scope="module")
def server(certificates, tmp_path_factory):
    """A server of this module's own, whose environment names a certificate for signing."""
    patch = pytest.MonkeyPatch()
    patch.setenv("LIKENESS_C2PA_CERT", str(certificates.chain))
    patch.setenv("LIKENESS_C2PA_KEY", str(certificates.key))
    base = tmp_path_factory.mktemp("provenance")
    if CHECKPOINT.is_file():
        (base / "models" / "checkpoints").mkdir(parents=True)
        (base / "models" / "checkpoints" / CHECKPOINT.name).symlink_to(CHECKPOINT)
    disguised = base / "custom_nodes" / "disguised"
    disguised.mkdir(parents=True)
    (disguised / "__init__.py").write_text(DISGUISED)
    process, running = start_comfyui(base)
    try:
        yield running
    finally:
        patch.undo()
        process.terminate()
        process.wait(30)


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def save(images, **change):
    values = {
        "filename_prefix": "provenance/me",
        "format": "jpeg",
        "quality": 90,
        "declare": SHOWN,
        "creator": "",
        "include_workflow": False,
        "sign": False,
    }
    return node("LikenessSaveWithProvenance", images=images, **(values | change))


def record_of(path):
    """What the file says of its making, by this pack."""
    claims = check_file(path).claims
    assert claims is not None
    assert claims.record is not None
    return claims.record


def run(server, graph):
    """The prompt's history when it has ended."""
    answer = httpx.post(f"{server.url}/prompt", json={"prompt": graph})
    assert answer.status_code == 200, answer.text
    prompt_id = answer.json()["prompt_id"]
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        history = httpx.get(f"{server.url}/history/{prompt_id}").json()
        if prompt_id in history:
            return history[prompt_id]
        time.sleep(0.1)
    raise AssertionError("It did not finish.")


def files(server, history, key="9"):
    assert history["status"]["status_str"] == "success", history["status"]
    return [server.output / each["subfolder"] / each["filename"] for each in history["outputs"][key]["images"]]


@pytest.fixture
def photo(server, demo_bytes):
    (server.input / "me.jpg").write_bytes(demo_bytes)
    return server.input / "me.jpg"


def cropped(**change):
    return {
        "1": node("LoadImage", image="me.jpg"),
        "2": node("ImageCrop", image=["1", 0], width=300, height=400, x=50, y=20),
        "9": save(["2", 0], **change),
    }


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_the_graph_is_traced_on_the_server(server, photo, form):
    graph = cropped()
    graph["9"]["inputs"] |= {"format": form, "declare": NO_GENERATION, "filename_prefix": f"traced/{form}"}
    history = run(server, graph)
    (path,) = files(server, history)
    record = record_of(path)
    assert (record.generative, record.source_type) == (Generative.NONE, None)
    assert record.steps == ("LoadImage: reads", "ImageCrop: cuts", "LikenessSaveWithProvenance: passes on")
    assert record.workflow_hash == Workflow.from_api("test", graph).hash
    assert check_file(path).credentials.state is State.NONE
    assert history["outputs"]["9"]["provenance"][0] == record.as_dict()


def test_it_signs_there(server, photo, certificates):
    python = os.environ.get("COMFYUI_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import c2pa"], capture_output=True).returncode:
        pytest.skip("install c2pa-python into ComfyUI's Python to sign there")
    graph = cropped()
    graph["9"]["inputs"] |= {"sign": True, "filename_prefix": "signed"}
    (path,) = files(server, run(server, graph))
    found = check_file(path, certificates.authority.read_bytes()).credentials
    assert (found.state, found.trusted, found.ingredients) == (State.INTACT, True, 1)
    assert found.actions == ("c2pa.opened", "c2pa.cropped")


def refused(server, graph):
    """The type and the words of the error that ended the run."""
    status = run(server, graph)["status"]
    assert status["status_str"] == "error"
    (error,) = [about for kind, about in status["messages"] if kind == "execution_error"]
    return error["exception_type"].rpartition(".")[2], error["exception_message"]


def test_the_statement_is_refused_there(server, photo, demo):
    photo.write_bytes(encode_picture(1 - demo, "jpeg", xmp=xmp.packet(Record(Generative.SOME, iptc.GENERATED))).data)
    graph = cropped()
    (path,) = files(server, run(server, graph))
    assert record_of(path).source_type == iptc.GENERATED
    graph["9"]["inputs"]["declare"] = NO_GENERATION
    kind, words = refused(server, graph)
    assert kind == "GenerationFound"
    assert "it says that it was generated" in words


def test_a_sampler_that_ran_on_the_server(server, photo):
    """A step of the real architecture: the file says so, Save Image's file of it is known again, both are refused."""
    if not CHECKPOINT.is_file():
        pytest.skip("set LIKENESS_TEST_CHECKPOINTS to the folder of the checkpoint that tests/comfyui build")
    graph = {
        "1": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT.name),
        "2": node("CLIPTextEncode", clip=["1", 1], text="a portrait"),
        "3": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "4": node(
            "KSampler",
            model=["1", 0],
            positive=["2", 0],
            negative=["2", 0],
            latent_image=["3", 0],
            seed=1,
            steps=1,
            cfg=1.0,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
        ),
        "5": node("VAEDecode", samples=["4", 0], vae=["1", 2]),
        "8": node("SaveImage", images=["5", 0], filename_prefix="core"),
        "9": save(["5", 0], filename_prefix="made"),
    }
    history = run(server, graph)
    record = record_of(files(server, history)[0])
    assert (record.generative, record.source_type) == (Generative.SOME, iptc.GENERATED)
    assert "KSampler (node 4) generates pixels" in record.reasons
    assert record.models == ((CHECKPOINT.name, UNKNOWN_LICENCE),)
    again = cropped(declare=NO_GENERATION)
    again["2"] = node("ImageScaleBy", image=["1", 0], upscale_method="area", scale_by=2.0)
    photo.write_bytes(files(server, history, "8")[0].read_bytes())
    assert refused(server, again)[0] == "GenerationFound"
    graph["9"]["inputs"]["declare"] = NO_GENERATION
    assert refused(server, graph)[0] == "GenerationFound"


def test_what_save_image_wrote_of_a_sampler_is_seen(server, photo, demo):
    """A PNG as core's SaveImage writes it after a sampler, fed in again."""
    text = {"prompt": '{"3": {"class_type": "KSampler", "inputs": {}}}'}
    photo.write_bytes(encode_picture(demo.flip(0), "png", text=text).data)
    graph = cropped()
    graph["9"]["inputs"]["declare"] = NO_GENERATION
    assert refused(server, graph)[0] == "GenerationFound"


def test_an_unknown_step_of_core_lets_nothing_be_claimed(server, photo):
    graph = cropped()
    graph["9"]["inputs"]["filename_prefix"] = "unknown"
    graph["2"] = node("LTXVPreprocess", image=["1", 0], img_compression=35)
    (path,) = files(server, run(server, graph))
    record = record_of(path)
    assert record.generative is Generative.UNKNOWN
    assert record.reasons == ("what LTXVPreprocess (node 2) does is not known",)


def test_another_packs_class_under_a_known_name_is_not_known(server, photo):
    graph = cropped(filename_prefix="disguised")
    graph["2"] = node("ImageInvert", image=["1", 0])
    (path,) = files(server, run(server, graph))
    assert record_of(path).reasons == ("what ImageInvert (node 2) does is not known",)


def test_the_workflow_is_read_back_from_a_file_of_the_server(server, photo):
    graph = cropped()
    graph["9"]["inputs"] |= {"include_workflow": True, "format": "png", "filename_prefix": "kept"}
    (path,) = files(server, run(server, graph))
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        assert '"ImageCrop"' in image.info["prompt"]


def test_the_stand_in_describes_the_node_as_the_server_does(server):
    mine = SaveWithProvenance.GET_NODE_INFO_V1()
    real = httpx.get(f"{server.url}/object_info/{mine['name']}").json()[mine["name"]]
    assert real["input"]["required"].keys() == mine["input"]["required"].keys()
    assert real["output_node"] is True
