"""Fault 11, memory grows over long batches: a managed ComfyUI is recycled after N prompts, and loses none by it."""

from __future__ import annotations

import json
import os
import time
import uuid

import httpx
import pytest
from PIL import Image

from likeness_studio.runner import managed
from likeness_studio.runner.batch.job_records import BatchOptions
from likeness_studio.runner.batch.run import run_batch
from likeness_studio.runner.managed import Options

pytestmark = pytest.mark.comfyui
AFTER = 3
WAIT_SECONDS = 120


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A real ComfyUI that is recycled after a few prompts."""
    if not os.environ.get("COMFYUI_PATH"):
        pytest.skip("set COMFYUI_PATH (and COMFYUI_PYTHON) to test against a real ComfyUI")
    monkeypatch.setenv("LIKENESS_STATE", str(tmp_path / "state"))
    started = managed.start(Options(cpu=True, base=tmp_path / "base", recycle_after=AFTER))
    yield started
    started.stop()


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url, trust_env=False, timeout=20) as made:
        yield made


def run_on(client, colour):
    """Run a tiny graph of core nodes, fetch its picture, and delete its entry as our client does."""
    graph = {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": colour},
        },
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    prompt_id = str(uuid.uuid4())
    answer = client.post("/prompt", json={"prompt": graph, "prompt_id": prompt_id, "client_id": "fault-11"})
    assert answer.status_code == 200, answer.text
    entry = until(lambda: client.get(f"/history/{prompt_id}").json().get(prompt_id))
    assert entry["status"]["status_str"] == "success"
    (image,) = entry["outputs"]["2"]["images"]
    # ComfyUI empties its temporary folder at its start: a recycling before this request would lose the picture.
    assert client.get("/view", params=image).content.startswith(b"\x89PNG")
    client.post("/history", json={"delete": [prompt_id]})


def until(check):
    deadline = time.monotonic() + WAIT_SECONDS
    while not (value := check()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def test_fault_11_the_server_is_recycled_after_n_prompts_and_works_on(server, client):
    before = server.status()
    for colour in range(AFTER):
        run_on(client, colour)
    known = until(lambda: (now := server.status()).recycled == 1 and now.state == "ready" and now)
    assert known.jobs == AFTER
    assert known.restarts == 0
    assert known.last_error is None
    assert known.url == before.url
    assert known.server != before.server
    assert not before.server.alive()
    run_on(client, 0xFFFFFF)
    until(lambda: server.status().jobs == AFTER + 1)
    assert server.status().server == known.server, "the next recycling is not due yet"


def test_fault_11_a_batch_that_keeps_the_server_busy_lets_it_be_recycled(server, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4 * AFTER):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(photos / f"{number}.png")
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "x.png"}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "inverted"}},
    }
    workflow = tmp_path / "invert.json"
    workflow.write_text(json.dumps(graph), "utf-8")
    result = run_batch(BatchOptions(str(workflow), photos, tmp_path / "out", servers=("@default",)))
    assert result.counts.failed == 0
    assert result.counts.done == 4 * AFTER
    known = server.status()
    assert known.recycled >= 2
    assert known.restarts == 0
    assert known.jobs == 4 * AFTER, "none was lost and done again"


def test_fault_11_a_server_with_work_is_not_recycled(server, client):
    """Prompts wait in the queue when the number is reached: they are finished by the same process first."""
    before = server.status()
    graph = {"1": {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": 0}}}
    ids = [str(uuid.uuid4()) for _ in range(3 * AFTER)]
    for number, prompt_id in enumerate(ids):
        graph["2"] = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": f"n{number}"}}
        client.post("/prompt", json={"prompt": graph, "prompt_id": prompt_id, "client_id": "fault-11"})
    until(lambda: set(ids) <= set(client.get("/history").json()))
    assert server.status().server == before.server
    client.post("/history", json={"clear": True})
    until(lambda: server.status().recycled == 1)
    assert server.status().jobs == 3 * AFTER
