"""The comparing nodes on a real ComfyUI: one run for each value, one comparison, and stages that its cache keeps."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image

from likeness_studio.core.choices import DEFAULT_STRICTNESS
from likeness_studio.runner.client import Client
from likeness_studio.runner.compare import CompareOptions, compare
from likeness_studio.runner.errors import ServerExecutionError
from likeness_studio.runner.workflow import Workflow

pytestmark = [pytest.mark.comfyui, pytest.mark.models]

JUDGED = {"strictness": DEFAULT_STRICTNESS, "custom_threshold": 0.4, "several_faces": "refuse", "min_face": 48}
BLENDS = "0, 0.25, 0.5, 0.75, 1"


def node(class_type, title, **inputs):
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": title}}


def graph(values=BLENDS, *, sigma=9.0, prefix="plot"):
    """A photo that is blended with a blurred copy of itself, more and more."""
    return {
        "1": node("LoadImage", "Photo", image="demo.jpg"),
        "2": node(
            "LikenessEnrollIdentity", "Person", photos=["1", 0], several_faces="refuse", min_face=48,
            on_refused="stop", name="",
        ),
        "3": node("ImageBlur", "Blur", image=["1", 0], blur_radius=31, sigma=sigma),
        "4": node("LikenessTryStrengths", "Values", values=values, series=""),
        "5": node("LikenessStartMeasuring", "Start", value=["3", 0]),
        "6": node(
            "ImageBlend", "Blend", image1=["1", 0], image2=["5", 0], blend_factor=["4", 0], blend_mode="normal"
        ),
        "7": node("LikenessStopMeasuring", "Stop", value=["6", 0], stopwatch=["5", 1], name="blend"),
        "8": node(
            "LikenessCompareLikeness", "Compare", images=["7", 0], identity=["2", 0], axis="blend", labels=["4", 1],
            measured=["7", 1], **JUDGED,
        ),
        "9": node("SaveImage", "Save plot", images=["8", 1], filename_prefix=prefix),
    }  # fmt: skip


@pytest.fixture
def run(comfyui_server, demo_on_server, tmp_path):
    with Client(comfyui_server.url, keep_history=True, previews=True) as client:
        yield lambda made: client.run(Workflow.from_api("compare", made), output=tmp_path)


def test_likeness_falls_with_what_is_tried(run):
    result = run(graph())
    (report,) = result.comparisons
    pictures = report["pictures"]
    assert [picture["value"] for picture in pictures] == [0, 0.25, 0.5, 0.75, 1]
    cosines = [picture["cosine"] for picture in pictures if picture["cosine"] is not None]
    assert len(cosines) >= 4
    assert cosines == sorted(cosines, reverse=True)
    assert pictures[0]["passed"]
    assert not pictures[-1]["passed"]
    assert result.verdict is None, "a comparison is no verdict"
    (entry,) = result.measured
    assert entry["values"] == 5
    assert entry["seconds"] > 0
    assert entry["peak_memory_bytes"] > 2**27
    assert report["measured"][0]["seconds"] == entry["seconds"]
    (plot,) = result.outputs
    with Image.open(plot.path) as picture:
        assert picture.size == (1280, 760)
        assert np.asarray(picture.convert("RGB")).std() > 10
    shown = [file for file in result.previews if file.node == "8"]
    assert len(shown) == 2, "grid and plot on the node"


def test_what_follows_a_stage_leaves_it_cached(run):
    first = run(graph(sigma=8.0, prefix="a"))
    time.sleep(1.5)
    again = run(graph(sigma=8.0, prefix="b"))
    assert again.measured[0]["cached"] is True
    assert again.measured[0]["seconds"] == first.measured[0]["seconds"]


def test_a_changed_stage_is_measured_anew(run):
    run(graph(sigma=7.0))
    time.sleep(2.5)
    changed = run(graph("0.1, 0.2", sigma=7.0))
    (entry,) = changed.measured
    assert not entry["cached"]
    assert entry["values"] == 2
    assert 0 < entry["seconds"] < 2.5, "from this run's start, not from the one before"
    kept = {each.node for each in changed.times if each.cached}
    assert "5" not in kept
    assert "3" in kept, "what lies before the stage stays cached"


def test_a_stage_that_fails_is_an_error_and_the_next_one_is_measured(run):
    broken = graph(sigma=6.0)
    broken["4"]["inputs"]["values"] = "0.1, a lot"
    with pytest.raises(ServerExecutionError) as caught:
        run(broken)
    assert caught.value.as_dict()["code"] == "bad_numbers"
    assert run(graph(sigma=6.0)).measured[0]["seconds"] < 5


def test_prompts_that_are_queued_at_once_measure_their_own_stages(comfyui_server, demo_on_server, tmp_path):
    def go(number):
        with Client(comfyui_server.url) as client:
            asked = Workflow.from_api("compare", graph("0.5", sigma=5.0 + number, prefix=f"queued{number}"))
            return client.run(asked, output=tmp_path / str(number))

    with ThreadPoolExecutor(3) as pool:
        began = time.monotonic()
        results = list(pool.map(go, range(3)))
        took = time.monotonic() - began
    stages = [result.measured[0] for result in results]
    assert not any(stage["cached"] for stage in stages)
    assert all(stage["seconds"] is not None for stage in stages)
    assert sum(stage["seconds"] for stage in stages) < took, "none counts the time of another one"


def test_two_stages_from_one_beginning(run):
    two = graph("0.5", sigma=4.0)
    two["10"] = node("ImageInvert", "Invert", image=["7", 0])
    two["11"] = node("LikenessStopMeasuring", "Later", value=["10", 0], stopwatch=["5", 1], name="later")
    seconds = {entry["name"]: entry["seconds"] for entry in run(two).measured}
    assert seconds["later"] >= seconds["blend"] > 0
    two["11"]["inputs"]["name"] = "renamed"
    again = {entry["name"]: entry for entry in run(two).measured}
    assert set(again) == {"blend", "renamed"}
    assert all(entry["seconds"] is not None for entry in again.values()), "measured anew or kept, never torn apart"


def test_two_models_in_one_comparison(run):
    made = graph(sigma=5.0)
    made["4"]["inputs"]["series"] = "blur"
    made["11"] = node("ImageInvert", "Negative", image=["1", 0])
    made["12"] = node("LikenessTryStrengths", "Values 2", values="0, 0.1", series="negative")
    made["13"] = node("ImageBlend", "Blend 2", image1=["1", 0], image2=["11", 0], blend_factor=["12", 0],
                      blend_mode="normal")  # fmt: skip
    made["8"]["inputs"] |= {"images_2": ["13", 0], "labels_2": ["12", 1]}
    (report,) = run(made).comparisons
    assert [picture["series"] for picture in report["pictures"]] == ["blur"] * 5 + ["negative"] * 2


def test_the_command_on_a_server(comfyui_server, demo_on_server, tmp_path):
    """Every value in a run of its own: seconds and memory of each, likeness that falls."""
    made = graph()
    made["6"]["inputs"]["blend_factor"] = 0.5
    made["8"] = node("LikenessCheckLikeness", "Likeness", images=["7", 0], identity=["2", 0], **JUDGED)
    made["9"]["inputs"]["images"] = ["7", 0]
    del made["4"]
    file = tmp_path / "blend.json"
    file.write_text(json.dumps(made))
    before = len(httpx.get(f"{comfyui_server.url}/history").json())
    result = compare(
        CompareOptions(
            workflow=str(file),
            vary=("Blend.blend_factor=0,0.5,1", "Blur.sigma=3,10"),
            output=tmp_path / "out",
            photos=(comfyui_server.input / "demo.jpg",),
            servers=(comfyui_server.url,),
        )
    )
    assert result.failed == 0
    strong = [cell for cell in result.cells if cell.choices[1] == "10"]
    likeness = [cell.likeness for cell in strong if cell.likeness is not None]
    assert likeness == sorted(likeness, reverse=True)
    assert strong[0].confirmed == 1
    assert strong[-1].confirmed == 0
    for cell in result.cells:
        assert list(cell.stage_seconds()) == ["blend"], cell
        assert cell.peak_memory_bytes is not None
    assert "blend, s" in result.html.read_text("utf-8")
    assert len(httpx.get(f"{comfyui_server.url}/history").json()) == before, "the server's history is tidied"
