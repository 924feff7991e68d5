"""The workflows for Stable Diffusion 1.5, run to pictures and reports on a real ComfyUI with random weights."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio.runner.api.workflows import run_once
from likeness_studio.runner.backends.comfy.backend import ServerBackend
from likeness_studio.runner.cli import main
from likeness_studio.runner.workflow import Given, Node, load
from likeness_studio.tests.core.lora import formats

pytestmark = [pytest.mark.comfyui, pytest.mark.models]
ROOT = Path(__file__).parents[2]
DEMO = ROOT / "runner" / "demo.jpg"
RUN_SECONDS = 400
FAST = {"Sampler.steps": 2, "Sampler.cfg": 1.0}
SMALL = {"Frame.width": 256, "Frame.height": 320}

SETTINGS = {
    "img2img_headshot_sd15": FAST | SMALL | {"Variants.amount": 2, "Sampler.denoise": 0.1},
    "lora_headshot": FAST | {"Size.width": 256, "Size.height": 320, "Size.batch_size": 1},
    "new_background_sd15": FAST | SMALL,
    "reference_profile": FAST | {"Frame reference.width": 256, "Frame reference.height": 320, "Sampler.denoise": 0.1},
    "compare_models": FAST | SMALL | {"Denoise.values": "0.1, 0.9"},
}
"""What makes each workflow small enough for a CPU. With random weights a small denoise is what keeps the face."""

SAVED = {
    "img2img_headshot_sd15": ["headshot"],
    "lora_headshot": ["headshot"],
    "new_background_sd15": ["headshot"],
    "reference_profile": ["profile"],
    "compare_models": ["comparison_grid", "comparison_plot"],
}
"""How the names of the saved pictures begin."""

PHOTOS = {"reference_profile": ["Photo", "Reference picture"]}


def small(name):
    workflow = load(name)
    for place, value in SETTINGS[name].items():
        workflow.set(place, value)
    return workflow


def given(name):
    return [Given(DEMO, title) for title in PHOTOS.get(name, ["Photo"])]


@pytest.mark.parametrize("name", SETTINGS)
def test_it_runs_from_the_command_line(name, generation_server, tmp_path):
    words = ["run", name, "--server", generation_server.url, "--output", str(tmp_path), "--json"]
    words += [word for place, value in SETTINGS[name].items() for word in ("--set", f"{place}={value}")]
    words += [word for title in PHOTOS.get(name, ["Photo"]) for word in ("--input", f"{title}={DEMO}")]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code in {0, 3}, shown.output
    result = json.loads(shown.stdout.strip().splitlines()[-1])
    saved = [Path(output["file"]).name for output in result["outputs"]]
    assert all(any(file.startswith(start) for file in saved) for start in SAVED[name]), saved
    assert (tmp_path / "report.html").is_file()
    assert (shown.exit_code == 3) == (result.get("verdict") is False)


@pytest.mark.browser
@pytest.mark.parametrize("name", SETTINGS)
def test_it_runs_from_the_run_button(name, generation_server, canvas_module):
    for file in ("photo.jpg", "reference.jpg"):
        shutil.copy(DEMO, generation_server.input / file)
    with canvas_module.open_canvas(generation_server.url, 2560, 1440) as canvas:
        canvas.open_file(ROOT / "workflows" / f"{name}.json")
        canvas.close_dialogs()
        for place, value in SETTINGS[name].items():
            title, _, widget = place.rpartition(".")
            canvas.evaluate(
                "([title, widget, value]) => { app.graph._nodes.find((n) => n.title === title)"
                ".widgets.find((w) => w.name === widget).value = value; }",
                [title, widget, value],
            )
        entry = wait_for(generation_server.url, canvas.press_run())
        assert canvas.errors == []
    assert entry["status"]["status_str"] == "success", entry["status"]
    saved = [image["filename"] for output in entry["outputs"].values() for image in output.get("images", ())]
    assert all(any(file.startswith(start) for file in saved) for start in SAVED[name]), saved


def wait_for(url, prompt_id):
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        history = httpx.get(f"{url}/history/{prompt_id}", timeout=30).json()
        if prompt_id in history:
            return history[prompt_id]
        time.sleep(0.5)
    raise AssertionError(f"The prompt {prompt_id} did not finish within {RUN_SECONDS} s.")


def tapped(workflow, *taps):
    """The workflow with further outputs saved: (title of the new node, what it saves)."""
    for number, (title, link) in enumerate(taps, 900):
        inputs = {"images": list(link), "filename_prefix": title}
        workflow.nodes[str(number)] = Node(str(number), "SaveImage", title, inputs)
    return workflow


def pixels(result, title):
    (saved,) = [output for output in result.outputs if output.title == title]
    return np.asarray(Image.open(saved.path).convert("RGB"), np.int16)


def test_a_new_background_leaves_the_protected_pixels_alone(generation_server, tmp_path):
    workflow = small("new_background_sd15")
    keep = Node("950", "MaskToImage", "Keep as picture", {"mask": [workflow.find("Protect").id, 1]})
    workflow.nodes["950"] = keep
    tapped(workflow, ("framed", (workflow.find("Frame").id, 0)), ("kept", ("950", 0)))
    result = run_once(workflow, ServerBackend(generation_server.url), tmp_path, given("new_background_sd15")).result
    before, after, mask = (pixels(result, title) for title in ("framed", "Save headshot", "kept"))
    hard = mask[..., 0] == 255
    assert hard.mean() > 0.2
    assert set(np.unique(mask)) <= {0, 255}
    difference = np.abs(after - before).max(-1)
    assert difference[hard].max() == 0
    assert np.median(difference[~hard]) > 10, "the surroundings are new"
    assert result.verdict is True


def test_reference_profile_says_how_long_each_stage_took(generation_server, tmp_path):
    finished = run_once(
        small("reference_profile"), ServerBackend(generation_server.url), tmp_path, given("reference_profile")
    )
    measured = finished.result.measured
    assert {entry["name"] for entry in measured} == {"description", "generation", "face"}
    assert all(entry["seconds"] >= 0 for entry in measured)
    (report,) = finished.result.likeness
    assert report["images"][0]["outcome"] == "pass", "the person's own face was put back"


def test_likeness_falls_with_denoise(generation_server, tmp_path):
    workflow = small("compare_models")
    result = run_once(workflow, ServerBackend(generation_server.url), tmp_path, given("compare_models")).result
    (report,) = result.comparisons
    low, high = report["pictures"]
    assert (low["label"], high["label"]) == ("model A · 0.1", "model A · 0.9")
    assert low["outcome"] == "pass"
    assert high["outcome"] != "pass"
    assert result.verdict is None, "a comparison is no verdict"


def test_a_lora_changes_the_picture_and_brings_its_trigger_words(generation_server, tmp_path):
    backend = ServerBackend(generation_server.url)
    loras = generation_server.base / "models" / "loras"
    made = formats.make("kohya", width=320)
    made.save(loras / "me.safetensors", {"modelspec.trigger_phrase": "zxqv person"})
    pictures = []
    for name in ("none", "me.safetensors"):
        workflow = small("lora_headshot")
        workflow.set("Subject and style LoRAs.lora_1", name)
        words = Node("960", "PreviewAny", "Words", {"source": [workflow.find("Prompt").id, 0]})
        workflow.nodes["960"] = words
        result = run_once(workflow, backend, tmp_path / name, given("lora_headshot")).result
        pictures.append(pixels(result, "Save headshots"))
        assert ("zxqv person" in result.ui["960"]["text"][0]) == (name != "none")
    assert np.abs(pictures[0] - pictures[1]).mean() > 1
