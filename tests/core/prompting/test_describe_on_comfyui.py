"""Describe Photo and Keep These Traits on a real ComfyUI, measured and with captioning models in its model folder."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import httpx
import pytest

from likeness_studio.core.models import store
from likeness_studio.core.prompting import NOT_SAID, kinds
from likeness_studio.nodes.describe import MEASURED_ONLY

pytestmark = pytest.mark.comfyui
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def server(tiny, engine, start, tmp_path_factory):
    """A real ComfyUI whose model folder holds the face models and the tiny captioners."""
    base = tmp_path_factory.mktemp("comfyui_captioning")
    folder = base / "models" / "likeness"
    shutil.copytree(tiny, folder / "captioning")
    for path in store.paths("yunet", "sface"):
        shutil.copy(path, folder)
    shutil.copy(ROOT / "runner" / "demo.jpg", _made(base / "input"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LIKENESS_MODELS", raising=False)
        process, running = start(base)
    try:
        yield running
    finally:
        process.terminate()
        process.wait(20)


def _made(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(server, graph):
    answer = httpx.post(f"{server.url}/prompt", json={"prompt": graph}, timeout=30).json()
    assert not answer.get("node_errors"), answer
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        history = httpx.get(f"{server.url}/history/{answer['prompt_id']}", timeout=30).json()
        if history:
            entry = history[answer["prompt_id"]]
            assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
            return entry["outputs"]
        time.sleep(0.2)
    return pytest.fail(server.log_text()[-3000:])


def _node(name, **inputs):
    return {"class_type": name, "inputs": inputs}


@pytest.mark.parametrize("model", [MEASURED_ONLY, "tiny-blip", "tiny-florence"])
def test_both_nodes_on_a_real_server(server, model):
    graph = {
        "1": _node("LoadImage", image="demo.jpg"),
        "2": _node("LikenessDescribePhoto", image=["1", 0], model=model),
        "3": _node(
            "LikenessKeepTraits",
            description=["2", 0],
            more="mole on the left cheek",
            **dict.fromkeys(kinds(), NOT_SAID) | {"facial_hair": "clean-shaven"},
        ),
        "4": _node("PreviewAny", source=["2", 2]),
        "5": _node("PreviewAny", source=["3", 0]),
    }
    outputs = _run(server, graph)
    fields = json.loads(outputs["4"]["text"][0])["fields"]
    assert fields["pose"]["value"] == "facing the camera"
    assert ("glasses" in fields) == (model != MEASURED_ONLY)
    glasses = "" if model == MEASURED_ONLY else "wearing glasses, "
    assert outputs["5"]["text"][0] == f"{glasses}clean-shaven, mole on the left cheek"
    assert outputs["2"]["models"][0]["use"] == "face detection"


def test_the_real_server_lists_the_captioners(server):
    info = httpx.get(f"{server.url}/object_info/LikenessDescribePhoto", timeout=30).json()
    options = info["LikenessDescribePhoto"]["input"]["required"]["model"][1]["options"]
    assert options == [MEASURED_ONLY, "tiny-blip", "tiny-florence", "tiny-llava", "tiny-vqa"]
