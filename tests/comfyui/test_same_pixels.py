"""One workflow, two places: the local engine and a real ComfyUI server give the same pixels and the same verdict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness_studio.runner.api.workflows import run_once
from likeness_studio.runner.backends import LocalEngine
from likeness_studio.runner.backends.comfy.backend import ServerBackend
from likeness_studio.runner.workflow import Given, load

pytestmark = [pytest.mark.comfyui, pytest.mark.models]
DEMO = Path(__file__).parents[2] / "runner" / "demo.jpg"

LARGEST = 2
"""Largest difference of a pixel, of 255: two versions of torch and of onnxruntime sum in different orders, and the
8-bit rounding of the saved PNG can turn that into a step."""

CHANGED = 0.01
"""Largest fraction of pixels that may differ at all."""


@pytest.fixture(scope="module")
def headshots(comfyui_server, tmp_path_factory):
    runs = {}
    for name, backend in (("here", LocalEngine()), ("server", ServerBackend(comfyui_server.url))):
        folder = tmp_path_factory.mktemp(name)
        runs[name] = run_once(load("studio_headshot"), backend, folder, [Given(DEMO)])
    return runs


def pixels(finished):
    (saved,) = finished.result.outputs
    return np.asarray(Image.open(saved.path).convert("RGB"), np.int16)


def test_same_pixels(headshots):
    difference = np.abs(pixels(headshots["here"]) - pixels(headshots["server"]))
    print(f"largest difference {difference.max()} of 255, {(difference.max(-1) > 0).mean():.4%} of pixels differ")
    assert difference.max() <= LARGEST
    assert (difference.max(-1) > 0).mean() <= CHANGED


def test_same_verdict(headshots):
    here, server = (headshots[name].result.likeness[0] for name in ("here", "server"))
    assert here["all_passed"] is server["all_passed"] is True
    assert here["threshold"] == server["threshold"]
    assert here["best"] == pytest.approx(server["best"], abs=1e-3)


def test_same_models_and_report(headshots):
    here, server = (headshots[name] for name in ("here", "server"))
    assert sorted(model["name"] for model in here.result.models) == sorted(
        model["name"] for model in server.result.models
    )
    for finished in (here, server):
        page = finished.html.read_text()
        assert "same person" in page.lower()
        assert "u2net" in page
