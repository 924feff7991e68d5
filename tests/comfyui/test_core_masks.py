"""Masks of core's own nodes as Matte Person's: they are what the matte is made of, on a real ComfyUI."""

from __future__ import annotations

import json
import struct
import time

import httpx
import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.comfyui, pytest.mark.models]
RUN_SECONDS = 240
MODEL = "placeholder.safetensors"


def graph(source: dict[str, dict], socket: str) -> dict[str, dict]:
    """A photo matted with the mask that other nodes make, and the matte saved."""
    matte = {"image": ["1", 0], "model": "modnet", "device": "cpu", "mask": [socket, 0], "check": False}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": "demo.jpg"}},
        "2": {"class_type": "LikenessMattePerson", "inputs": matte},
        "3": {"class_type": "MaskToImage", "inputs": {"mask": ["2", 0]}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "core_mask"}},
        **source,
    }


def run(url: str, prompt: dict[str, dict]) -> dict:
    """What the server's history says of a graph that it took."""
    answer = httpx.post(f"{url}/prompt", json={"prompt": prompt}, timeout=60)
    assert answer.status_code == 200, answer.text
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        history = httpx.get(f"{url}/history/{answer.json()['prompt_id']}").json()
        if history:
            return next(iter(history.values()))
        time.sleep(0.3)
    raise AssertionError(f"not done within {RUN_SECONDS} s")


def test_a_mask_that_core_draws_is_the_matte(comfyui_server, object_info, demo_on_server):
    """Half of the picture, of another size than the photo."""
    source = {
        "10": {"class_type": "SolidMask", "inputs": {"value": 0.0, "width": 640, "height": 640}},
        "11": {"class_type": "SolidMask", "inputs": {"value": 1.0, "width": 320, "height": 640}},
        "12": {
            "class_type": "MaskComposite",
            "inputs": {"destination": ["10", 0], "source": ["11", 0], "x": 0, "y": 0, "operation": "add"},
        },
    }
    entry = run(comfyui_server.url, graph(source, "12"))
    assert entry["status"]["status_str"] == "success", entry["status"]
    (saved,) = entry["outputs"]["4"]["images"]
    with Image.open(comfyui_server.output / saved["filename"]) as picture:
        matte = np.asarray(picture.convert("L"), dtype=float) / 255
    with Image.open(comfyui_server.input / demo_on_server) as photo:
        assert matte.shape == (photo.height, photo.width)
    edge = matte.shape[1] // 2
    assert matte[:, : edge - 8].min() > 0.98
    assert matte[:, edge + 8 :].max() < 0.02


def test_cores_background_removal_fits_the_mask_socket(comfyui_server, object_info, demo_on_server):
    """The server takes the graph, and what stops it is only that the placeholder holds no network."""
    if "RemoveBackground" not in object_info:
        pytest.skip("this ComfyUI has no background removal")
    folder = comfyui_server.base / "models" / "background_removal"
    folder.mkdir(parents=True, exist_ok=True)
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / MODEL).write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    source = {
        "10": {"class_type": "LoadBackgroundRemovalModel", "inputs": {"bg_removal_name": MODEL}},
        "11": {"class_type": "RemoveBackground", "inputs": {"bg_removal_model": ["10", 0], "image": ["1", 0]}},
    }
    entry = run(comfyui_server.url, graph(source, "11"))
    (error,) = [said for kind, said in entry["status"]["messages"] if kind == "execution_error"]
    assert error["node_type"] == "LoadBackgroundRemovalModel"
    assert "background" in error["exception_message"]
