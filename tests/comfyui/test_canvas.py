"""Every workflow on the real canvas: it opens without a missing node of ours and converts to its API file; some run."""

from __future__ import annotations

import json
import time
import tomllib
from itertools import combinations
from pathlib import Path

import httpx
import pytest

from likeness_studio.runner.workflow import load
from likeness_studio.tests.conftest import skip_older_comfyui

pytestmark = [pytest.mark.comfyui, pytest.mark.browser, pytest.mark.models]
ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
RUN_SECONDS = 240
SMALL_SCREEN, LEAST_ZOOM = (1366, 768), 0.6
SAID = "(title) => app.graph._nodes.find((n) => n.title === title).widgets.find((w) => w.name === 'result').value"


def without_optional(name):
    """The API file as the canvas makes it: optional nodes are muted, stages that are off are muted or bypassed."""
    workflow = load(ROOT / "workflows" / "api" / name)
    workflow.remove([node.id for node in workflow if node.optional])
    return workflow.to_api()


def drop_later_inputs(prompt, expected, object_info):
    """Take out what the canvas adds to core's nodes of a newer version: optional inputs, at their defaults."""
    for key, node in prompt.items():
        optional = object_info[node["class_type"]]["input"].get("optional", {})
        for name in set(node["inputs"]) - set(expected[key]["inputs"]):
            assert not node["class_type"].startswith("Likeness")
            assert node["inputs"].pop(name) == optional[name][1]["default"]


def of_other_packs(name):
    """The classes of a workflow that neither core nor this pack has; they belong to stages that are off."""
    graph = json.loads((ROOT / "workflows" / "api" / name).read_text())
    found = [node for node in graph.values() if "cnr_id" in node["_meta"]]
    assert all(node["_meta"]["stage"]["on"] is False for node in found)
    return {node["class_type"] for node in found}


def choose_photo(canvas, title, name):
    canvas.evaluate(
        "([title, name]) => { app.graph._nodes.find((n) => n.title === title)"
        ".widgets.find((w) => w.name === 'image').value = name; }",
        [title, name],
    )


def wait_for(url, prompt_id):
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        history = httpx.get(f"{url}/history/{prompt_id}").json()
        if prompt_id in history:
            return history[prompt_id]
        time.sleep(0.5)
    raise AssertionError(f"The prompt {prompt_id} did not finish within {RUN_SECONDS} s.")


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_a_workflow_opens_and_converts_to_its_api_file(path, comfyui_server, canvas_module, object_info):
    skip_older_comfyui(path.stem, comfyui_server.url)
    with canvas_module.open_canvas(comfyui_server.url) as canvas:
        canvas.open_file(path)
        assert set(canvas.missing_nodes()) == of_other_packs(path.name)
        assert canvas.errors == []
        prompt = canvas.prompt()
    expected = without_optional(path.name)
    drop_later_inputs(prompt, expected, object_info)
    assert {key: (node["class_type"], node["inputs"]) for key, node in prompt.items()} == {
        key: (node["class_type"], node["inputs"]) for key, node in expected.items()
    }
    assert {key: node["_meta"]["title"] for key, node in prompt.items()} == {
        key: node["_meta"]["title"] for key, node in expected.items()
    }


def test_every_workflow_opens_readable_on_a_small_screen(comfyui_server, canvas_module):
    zooms = {}
    with canvas_module.open_canvas(comfyui_server.url, *SMALL_SCREEN) as canvas:
        for path in WORKFLOWS:
            canvas.open_template(path)
            zooms[path.stem] = canvas.zoom()
            assert not canvas.evaluate("() => app.canvas.low_quality"), f"{path.stem}: texts are left out"
            for (one, a), (two, b) in combinations(canvas.boxes().items(), 2):
                apart = a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1]
                assert apart, f"{path.stem}: {one} and {two}"
    print(zooms)
    assert {name: zoom for name, zoom in zooms.items() if zoom < LEAST_ZOOM} == {}


def test_the_template_browser_begins_with_the_studio_headshot(comfyui_server, canvas_module):
    with canvas_module.open_canvas(comfyui_server.url, *SMALL_SCREEN) as canvas:
        (ours,) = canvas.evaluate("async () => Object.values(await app.api.getWorkflowTemplates())")
    assert ours == list(tomllib.loads((ROOT / "workflows" / "about.toml").read_text()))


@pytest.mark.parametrize("name", ["img2img_headshot_sdxl", "edit_headshot", "edit_headshot_flux2_klein"])
def test_missing_models_are_offered(name, comfyui_server, canvas_module):
    skip_older_comfyui(name, comfyui_server.url)
    graph = json.loads((ROOT / "workflows" / "api" / f"{name}.json").read_text())
    models = [model for node in graph.values() for model in node["_meta"].get("models", ())]
    with canvas_module.open_canvas(comfyui_server.url) as canvas:
        canvas.open_file(ROOT / "workflows" / f"{name}.json")
        offered = canvas.offered_models()
    assert sorted(offered) == sorted(f"{model['directory']} / {model['name']}" for model in models)


def test_studio_headshot_runs_from_the_run_button(comfyui_server, canvas_module, demo_on_server, tmp_path):
    with canvas_module.open_canvas(comfyui_server.url, 2560, 1440) as canvas:
        canvas.open_file(ROOT / "workflows" / "studio_headshot.json")
        choose_photo(canvas, "Photo", demo_on_server)
        entry = wait_for(comfyui_server.url, canvas.press_run())
        canvas.page.wait_for_timeout(3000)
        assert "Apache-2.0" in canvas.evaluate(SAID, "Face engine")
        canvas.fit_view()
        canvas.screenshot(tmp_path / "studio_headshot.png")
        print(f"screenshot: {tmp_path / 'studio_headshot.png'}")
    assert entry["status"]["status_str"] == "success"
    (report,) = entry["outputs"]["10"]["likeness"]
    assert report["all_passed"] is True
    assert entry["outputs"]["11"]["images"][0]["filename"].startswith("headshot")
    names = {model["name"] for output in entry["outputs"].values() for model in output.get("models", [])}
    assert names == {"u2net", "modnet", "yunet", "sface", "face_mesh", "iris"}


def test_check_likeness_runs_from_the_run_button(comfyui_server, canvas_module, demo_on_server, tmp_path):
    with canvas_module.open_canvas(comfyui_server.url, 2560, 1440) as canvas:
        canvas.open_file(ROOT / "workflows" / "check_likeness.json")
        choose_photo(canvas, "Reference photo", demo_on_server)
        choose_photo(canvas, "Photo to check", demo_on_server)
        before = canvas.prompt()
        entry = wait_for(comfyui_server.url, canvas.press_run())
        canvas.page.wait_for_timeout(3000)
        assert "Picture 1: pass" in canvas.evaluate(SAID, "Likeness")
        assert canvas.prompt() == before, "what a node says is no input"
        canvas.fit_view()
        canvas.screenshot(tmp_path / "check_likeness.png")
        print(f"screenshot: {tmp_path / 'check_likeness.png'}")
    assert entry["status"]["status_str"] == "success"
    assert entry["outputs"]["6"]["likeness"][0]["images"][0]["outcome"] == "pass"


def test_photo_sockets_grow(comfyui_server, canvas_module):
    sockets = "(n) => n.inputs.map((i) => i.name).filter((name) => name.startsWith('photos'))"
    with canvas_module.open_canvas(comfyui_server.url) as canvas:
        canvas.evaluate(
            "() => { window.enroll = LiteGraph.createNode('LikenessEnrollIdentity'); app.graph.add(enroll);"
            "window.load = LiteGraph.createNode('LoadImage'); app.graph.add(load); }"
        )
        canvas.page.wait_for_timeout(500)
        assert canvas.evaluate(f"() => ({sockets})(enroll)") == ["photos", "photos_2"]
        canvas.evaluate("() => { load.connect(0, enroll, enroll.findInputSlot('photos_2')); }")
        assert canvas.evaluate(f"() => ({sockets})(enroll)") == ["photos", "photos_2", "photos_3"]
        canvas.evaluate("() => { enroll.disconnectInput(enroll.findInputSlot('photos_2')); }")
        assert canvas.evaluate(f"() => ({sockets})(enroll)") == ["photos", "photos_2"]


def test_branch_sockets_of_compare_likeness_grow_together(comfyui_server, canvas_module):
    sockets = "(() => compare.inputs.map((i) => i.name).filter((name) => /^(images|labels)/.test(name)).sort())()"
    own = ["images", "labels"]
    with canvas_module.open_canvas(comfyui_server.url) as canvas:
        canvas.evaluate(
            "() => { window.compare = LiteGraph.createNode('LikenessCompareLikeness'); app.graph.add(compare);"
            "window.load = LiteGraph.createNode('LoadImage'); app.graph.add(load);"
            "window.tries = LiteGraph.createNode('LikenessTryStrengths'); app.graph.add(tries);"
            "window.join = (from, slot, name) => from.connect(slot, compare, compare.findInputSlot(name)); }"
        )
        canvas.page.wait_for_timeout(500)
        assert canvas.evaluate(sockets) == sorted([*own, "images_2", "labels_2"])
        canvas.evaluate("join(load, 0, 'images_2')")
        assert canvas.evaluate(sockets) == sorted([*own, "images_2", "labels_2", "images_3", "labels_3"])
        canvas.evaluate("join(load, 0, 'images_3'); join(tries, 1, 'labels_2'); join(load, 0, 'images_4')")
        assert canvas.evaluate(sockets) == sorted([*own, *(f"{kind}_{n}" for kind in own for n in (2, 3, 4))])
        links = "compare.inputs.filter((i) => i.link != null).map((i) => i.name).sort()"
        assert canvas.evaluate(links) == ["images_2", "images_3", "images_4", "labels_2"]
        canvas.evaluate("compare.disconnectInput(compare.findInputSlot('images_4'))")
        canvas.evaluate("compare.disconnectInput(compare.findInputSlot('images_3'))")
        canvas.evaluate("compare.disconnectInput(compare.findInputSlot('images_2'))")
        assert canvas.evaluate(sockets) == sorted([*own, "images_2", "labels_2", "images_3", "labels_3"])
        canvas.evaluate("app.loadGraphData(app.graph.serialize())")
        canvas.page.wait_for_timeout(500)
        canvas.evaluate(
            "() => { window.compare = app.graph._nodes.find((n) => n.type === 'LikenessCompareLikeness'); }"
        )
        assert canvas.evaluate(links) == ["labels_2"]
        assert canvas.evaluate(sockets) == sorted([*own, "images_2", "labels_2", "images_3", "labels_3"])
        assert canvas.errors == []
