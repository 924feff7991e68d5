"""Both nodes on a real ComfyUI: the same words as here, and a real CLIP counts the tokens that we count."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import httpx
import pytest
from safetensors.torch import save_file

from likeness_studio.core.prompting import Dialect
from likeness_studio.nodes.prompting import ProfessionalPrompt, SubjectToken
from likeness_studio.tests.comfyui.random_weights import CLIP_L, text_weights
from likeness_studio.tests.conftest import start_comfyui

pytestmark = pytest.mark.comfyui
CLIP = "random_clip_l.safetensors"
INPUTS: dict[str, Any] = {each.id: each.default for each in ProfessionalPrompt.GET_SCHEMA().inputs if not each.optional}
LONG = "a desk lamp, (a vase with white tulips:1.2), folded newspaper, hands folded on the table, a leather briefcase, "
LONG += "an open notebook, a framed map, a blue ceramic cup, a naïve painting, don't crop, a lighthouse in the distance"


@pytest.fixture(scope="module")
def clip_file(comfyui_server):
    """CLIP's text encoder in its real size with random weights: counting asks only its tokenizer."""
    target = comfyui_server.base / "models" / "text_encoders" / CLIP
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(dict(text_weights(CLIP_L)), target)
    yield CLIP
    target.unlink()


def run_on(server, graph):
    """What each node showed, by its number in the graph."""
    number = str(uuid.uuid4())
    answer = httpx.post(f"{server.url}/prompt", json={"prompt": graph, "prompt_id": number}, timeout=60)
    assert answer.status_code == 200, answer.text
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        entry = httpx.get(f"{server.url}/history/{number}", timeout=60).json().get(number)
        if entry:
            if entry["status"]["status_str"] != "success":
                raise RuntimeError(entry["status"]["messages"][-1][1]["exception_message"])
            return {node: output["text"] for node, output in entry["outputs"].items() if "text" in output}
        time.sleep(0.1)
    raise TimeoutError(server.log_text()[-2000:])


def shown(node, output):
    return {"class_type": "PreviewAny", "inputs": {"source": [node, output]}}


@pytest.mark.parametrize("dialect", Dialect, ids=[dialect.key for dialect in Dialect])
def test_the_prompt_and_its_length_are_the_same_with_a_real_clip(comfyui_server, clip_file, dialect, clip_words):
    inputs = INPUTS | {"dialect": dialect.value, "additions": LONG, "avoid": "hat, tie"}
    graph = {
        "clip": {"class_type": "CLIPLoader", "inputs": {"clip_name": clip_file, "type": "stable_diffusion"}},
        "with": {"class_type": "LikenessProfessionalPrompt", "inputs": inputs | {"clip": ["clip", 0]}},
        "without": {"class_type": "LikenessProfessionalPrompt", "inputs": inputs},
    }
    graph |= {f"{node}{output}": shown(node, output) for node in ("with", "without") for output in range(3)}
    texts = run_on(comfyui_server, graph)
    here = ProfessionalPrompt.execute(**inputs)
    assert texts["without0"] == [here.args[0]]
    assert texts["without1"] == [here.args[1]]
    asked, alone = (json.loads(texts[node][0]) for node in ("with2", "without2"))
    assert asked["length"]["counted_by"] == "the connected text encoder (l)"
    assert texts["with0"] == texts["without0"] or not dialect.has_negative
    if dialect.has_negative:
        ignored = {"counted_by"}
        for length in ("length", "negative_length"):
            assert {key: value for key, value in asked[length].items() if key not in ignored} == {
                key: value for key, value in alone[length].items() if key not in ignored
            }
        assert alone["length"]["chunks"] == 2
        assert alone["length"]["counted_by"] == "ComfyUI's CLIP vocabulary"
        assert asked["length"]["beyond_first_chunk"].rstrip(".").endswith("a lighthouse in the distance")
    assert texts["with"] != [""]
    assert "tokens" in texts["with"][0]


def test_the_token_on_a_server_is_the_token_here(comfyui_server, clip_file, clip_words):
    inputs = {"name": "Maria", "scheme": "Caesar cipher", "shift": 3, "class_noun": "person", "context": "in a garden"}
    graph = {
        "clip": {"class_type": "CLIPLoader", "inputs": {"clip_name": clip_file, "type": "stable_diffusion"}},
        "token": {"class_type": "LikenessSubjectToken", "inputs": inputs | {"clip": ["clip", 0]}},
        "prompt": {"class_type": "LikenessProfessionalPrompt", "inputs": INPUTS | {"subject": ["token", 1]}},
    }
    graph |= {f"token{output}": shown("token", output) for output in range(3)} | {"prompt0": shown("prompt", 0)}
    texts = run_on(comfyui_server, graph)
    here = SubjectToken.execute(**inputs)
    assert [texts["token0"][0], texts["token1"][0]] == list(here.args[:2])
    report, mine = json.loads(texts["token2"][0]), json.loads(here.args[2])
    assert report["pieces"] == mine["pieces"]
    assert report["connected_encoder"]["pieces"] == len(mine["pieces"])
    assert "of a pduld person in a garden" in texts["prompt0"][0]


def test_a_broken_preset_file_leaves_the_server_able_to_list_its_nodes(tmp_path, model_dir):
    folder = model_dir / "presets"
    folder.mkdir()
    broken, good = folder / "broken.toml", folder / "good.toml"
    process, server = start_comfyui(tmp_path / "comfyui")
    try:
        broken.write_text('[setting."our lobby"]\ntags = "lobby"\n')
        good.write_text('[setting."our terrace"]\nplace = "on"\nwords = "a terrace"\n')
        page = httpx.get(f"{server.url}/object_info/LikenessProfessionalPrompt", timeout=60).json()
        settings = page["LikenessProfessionalPrompt"]["input"]["required"]["setting"][1]["options"]
        assert "our terrace" in settings
        assert "our lobby" not in settings
        graph = {
            "prompt": {"class_type": "LikenessProfessionalPrompt", "inputs": INPUTS},
            "shown": shown("prompt", 0),
        }
        with pytest.raises(RuntimeError, match=r"broken\.toml, line 1, .*our lobby.* has no wording for SDXL"):
            run_on(server, graph)
        broken.unlink()
        graph["prompt"]["inputs"] = INPUTS | {"setting": "our terrace", "dialect": "SDXL sentences"}
        assert "On a terrace." in run_on(server, graph)["shown"][0]
    finally:
        process.terminate()
        process.wait(10)
