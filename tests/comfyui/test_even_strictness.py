"""Strictness that is even across groups on a real ComfyUI: its list offers it, and the verdict says whose it is."""

from __future__ import annotations

import httpx
import pytest

from likeness_studio.core.choices import DEFAULT_STRICTNESS, EVEN_STRICTNESS, STRICTNESS
from likeness_studio.core.identity import calibration_of
from likeness_studio.runner.client import Client
from likeness_studio.runner.workflow import Workflow

pytestmark = [pytest.mark.comfyui, pytest.mark.models]

JUDGING = ("LikenessCheckLikeness", "LikenessKeepBest", "LikenessGate", "LikenessCompareLikeness")


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


@pytest.mark.parametrize("name", JUDGING)
def test_the_server_offers_the_old_choices_and_the_even_ones(comfyui_server, name):
    info = httpx.get(f"{comfyui_server.url}/object_info/{name}", timeout=30).json()[name]
    kind, settings = info["input"]["required"]["strictness"]
    options = settings["options"] if kind == "COMBO" else kind
    assert options[: len(STRICTNESS)] == list(STRICTNESS)
    assert set(EVEN_STRICTNESS) < set(options)
    assert settings["default"] == DEFAULT_STRICTNESS


@pytest.mark.parametrize("strictness", EVEN_STRICTNESS)
def test_a_check_that_is_even_across_groups(comfyui_server, demo_on_server, tmp_path, strictness):
    judged = {"custom_threshold": 0.4, "several_faces": "refuse", "min_face": 48}
    graph = {
        "1": node("LoadImage", image="demo.jpg"),
        "2": node(
            "LikenessEnrollIdentity", photos=["1", 0], several_faces="refuse", min_face=48, on_refused="stop", name=""
        ),
        "3": node("LikenessCheckLikeness", images=["1", 0], identity=["2", 0], strictness=strictness, **judged),
    }
    with Client(comfyui_server.url, previews=True) as client:
        result = client.run(Workflow.from_api("even", graph), output=tmp_path)
    (report,) = result.ui["3"]["likeness"]
    point = calibration_of("yunet-sface").even_point(EVEN_STRICTNESS[strictness])
    assert (report["all_passed"], report["every_group"]) == (True, True)
    assert report["threshold"] == point.threshold
    assert f"{point.group}, {point.how}" in report["threshold_source"]
