"""The LoRA nodes on a real server with LoRA files: lists, a run, the saved file, errors, and rows on the canvas."""

from __future__ import annotations

import importlib.util
import json
import time
from pathlib import Path

import httpx
import pytest
import torch
from safetensors.torch import save_file

from likeness_studio.core import host
from likeness_studio.nodes.lora import InspectLora, LoadLoraStack, MergeLoras
from likeness_studio.tests.comfyui.descriptions import described_here, described_there

pytestmark = pytest.mark.comfyui
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECONDS = 120
CHECKPOINT = "v1-5-pruned-emaonly-fp16.safetensors"


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


formats = module(HERE.parent / "core" / "lora" / "formats.py")


@pytest.fixture(scope="module")
def server(comfyui_server):
    """The tests' server with two LoRAs and a pickle in its folder; they are taken away again."""
    loras = comfyui_server.base / "models" / "loras"
    made = [
        formats.make("kohya", text=True, seed=1).save(
            loras / "subject.safetensors", {"modelspec.trigger_phrase": "sks person"}
        ),
        formats.make("lokr", seed=2).save(loras / "style.safetensors"),
    ]
    torch.save({"a": torch.zeros(9)}, loras / "old.pt")
    yield comfyui_server
    for path in (*made, loras / "old.pt"):
        path.unlink()


def run(server, graph):
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


@pytest.mark.parametrize("node", [LoadLoraStack, InspectLora, MergeLoras])
def test_the_stand_in_lists_the_files_as_the_server_does(node, server, version, monkeypatch):
    monkeypatch.setattr(host, "model_files", lambda kind: ["old.pt", "style.safetensors", "subject.safetensors"])
    name = node.GET_SCHEMA().node_id
    real = httpx.get(f"{server.url}/object_info/{name}").json()[name]
    assert described_there(real) == described_here(node, version)


def test_the_workflow_inspects_and_merges(server):
    graph = json.loads((ROOT / "workflows" / "api" / "merge_loras.json").read_text())
    entry = run(server, graph)
    assert entry["status"]["status_str"] == "success"
    subject = entry["outputs"]["1"]["lora"][0]
    assert (subject["base_model"], subject["trigger_words"]) == ("SD 1.5", ["sks person"])
    assert entry["outputs"]["1"]["images"][0]["type"] == "temp"
    merged = entry["outputs"]["3"]["merged"][0]
    assert Path(merged["file"]).parent == server.output / "loras"
    assert Path(merged["file"]).is_file()
    listed = httpx.get(f"{server.url}/object_info/LoraLoader").json()["LoraLoader"]["input"]["required"]["lora_name"][0]
    assert Path(merged["file"]).name in listed
    Path(merged["file"]).unlink()


def test_a_graph_may_leave_the_later_rows_out(server):
    graph = json.loads((ROOT / "workflows" / "api" / "merge_loras.json").read_text())
    keep = {"rank", "precision", "filename", "on_1", "lora_1", "strength_1"}
    graph["3"]["inputs"] = {name: value for name, value in graph["3"]["inputs"].items() if name in keep}
    merged = run(server, {"3": graph["3"]})["outputs"]["3"]["merged"][0]
    assert [each["file"] for each in merged["sources"]] == ["subject.safetensors"]
    Path(merged["file"]).unlink()


def test_a_pickle_stops_the_graph_with_its_reason(server):
    graph = {"1": {"class_type": "LikenessInspectLora", "inputs": {"lora": "old.pt"}}}
    entry = run(server, graph)
    (message,) = [body for kind, body in entry["status"]["messages"] if kind == "execution_error"]
    assert message["exception_type"].endswith("UnsafeWeights")
    assert "old.pt is a pickle by its name" in message["exception_message"]


@pytest.mark.browser
def test_rows_appear_as_they_are_used(server, canvas_module):
    shown = "() => stack.widgets.filter((w) => !w.hidden && w.name.startsWith('lora_')).map((w) => w.name)"
    choose = (
        "([row, value]) => { const w = stack.widgets.find((w) => w.name === `lora_${row}`);"
        " w.value = value; w.callback(value); }"
    )
    with canvas_module.open_canvas(server.url) as canvas:
        canvas.evaluate("() => { window.stack = LiteGraph.createNode('LikenessLoadLoraStack'); app.graph.add(stack); }")
        canvas.page.wait_for_timeout(500)
        assert canvas.evaluate(shown) == ["lora_1"]
        one_row = canvas.evaluate("() => stack.size[1]")
        canvas.evaluate(choose, [1, "style.safetensors"])
        canvas.evaluate(choose, [2, "subject.safetensors"])
        canvas.page.wait_for_timeout(500)
        assert canvas.evaluate(shown) == ["lora_1", "lora_2", "lora_3"]
        assert canvas.evaluate("() => stack.size[1]") > one_row
        assert len(canvas.prompt()[str(canvas.evaluate("() => stack.id"))]["inputs"]) == 32
        canvas.evaluate(choose, [2, "none"])
        assert canvas.evaluate(shown) == ["lora_1", "lora_2"]
        canvas.evaluate(choose, [1, "none"])
        canvas.page.wait_for_timeout(500)
        assert canvas.evaluate("() => stack.size[1]") == one_row
        assert canvas.errors == []


@pytest.fixture(scope="module")
def sd15_server(generation_server):
    """A server with Stable Diffusion 1.5 in full size (random weights), a LoRA for it and one for SDXL."""
    loras = generation_server.base / "models" / "loras"
    made = formats.make("kohya", width=320, text=True, seed=1)
    made.save(loras / "subject.safetensors", {"modelspec.trigger_phrase": "sks person"})
    base = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    xl = {f"{base}.lora_up.weight": torch.zeros(640, 4), f"{base}.lora_down.weight": torch.zeros(4, 2048)}
    save_file(xl, loras / "xl.safetensors")
    return generation_server


def stack_graph(lora, clip=True):
    row = {"on_1": True, "lora_1": lora, "strength_model_1": 0.8, "strength_clip_1": 0.8}
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "2": {
            "class_type": "LikenessLoadLoraStack",
            "inputs": row | {"model": ["1", 0]} | ({"clip": ["1", 1]} if clip else {}),
        },
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 4]}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["2", 2]}},
    }


def test_the_stack_on_a_real_checkpoint(sd15_server):
    outputs = run(sd15_server, stack_graph("subject.safetensors"))["outputs"]
    (found,) = json.loads(outputs["3"]["text"][0])["loras"]
    assert (found["base_model"], found["matched"], found["keys"]) == ("SD 1.5", 3, 3)
    assert (found["matched_text_encoder"], found["keys_text_encoder"]) == (1, 1)
    assert found["warnings"] == []
    assert outputs["4"]["text"] == ["sks person"]
    assert "3 of 3 keys, 1 of 1 in the text encoder" in outputs["2"]["text"][0]


def test_an_sdxl_lora_on_sd15_stops_the_graph_with_its_reason(sd15_server):
    entry = run(sd15_server, stack_graph("xl.safetensors", clip=False))
    (message,) = [body for kind, body in entry["status"]["messages"] if kind == "execution_error"]
    assert message["exception_type"].endswith("LoraWrongBase")
    assert "xl.safetensors is a LoRA for SDXL" in message["exception_message"]


@pytest.mark.browser
def test_rows_survive_reload_copy_bypass_and_links(server, canvas_module):
    """The values of all rows come back, and as many rows are shown as before."""
    state = (
        "() => app.graph._nodes.filter((n) => n.comfyClass === 'LikenessLoadLoraStack').map((n) => ({"
        " shown: n.widgets.filter((w) => !w.hidden && w.name.startsWith('lora_')).map((w) => w.name),"
        " values: Object.fromEntries(n.widgets.map((w) => [w.name, w.value])), height: n.size[1], mode: n.mode }))"
    )
    with canvas_module.open_canvas(server.url) as canvas:
        canvas.evaluate("() => { window.stack = LiteGraph.createNode('LikenessLoadLoraStack'); app.graph.add(stack); }")
        canvas.page.wait_for_timeout(300)
        canvas.evaluate(
            "() => { const set = (name, value) => { const w = stack.widgets.find((w) => w.name === name);"
            " w.value = value; w.callback?.(value); };"
            " set('lora_1', 'style.safetensors'); set('lora_2', 'subject.safetensors'); set('on_2', false);"
            " set('strength_model_2', -0.25); }"
        )
        canvas.page.wait_for_timeout(300)
        (before,) = canvas.evaluate(state)
        assert before["shown"] == ["lora_1", "lora_2", "lora_3"]
        assert before["values"]["strength_model_2"] == -0.25

        canvas.evaluate("async () => { await app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize()))); }")
        canvas.page.wait_for_timeout(600)
        assert canvas.evaluate(state) == [before]

        canvas.evaluate(
            "() => { const n = app.graph._nodes[0]; app.canvas.select(n); app.canvas.copyToClipboard([n]);"
            " app.canvas.pasteFromClipboard(); }"
        )
        canvas.page.wait_for_timeout(600)
        assert canvas.evaluate(state) == [before, before]

        canvas.evaluate("() => { app.graph._nodes[1].mode = 4; }")
        canvas.evaluate("async () => { await app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize()))); }")
        canvas.page.wait_for_timeout(600)
        assert canvas.evaluate(state) == [before, before | {"mode": 4}]

        canvas.evaluate(
            "() => { const float = LiteGraph.createNode('PrimitiveFloat'); app.graph.add(float);"
            " const node = app.graph._nodes[0];"
            " float.connect(0, node, node.inputs.findIndex((i) => i.name === 'strength_model_5')); }"
        )
        canvas.page.wait_for_timeout(600)
        linked = canvas.evaluate(state)[0]
        assert linked["shown"] == [f"lora_{row}" for row in range(1, 7)]
        assert linked["values"] == before["values"]
        assert canvas.errors == []
