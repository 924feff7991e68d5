"""Nodes 2.0, the canvas's newer way to draw nodes: our scripts work in it, and no node covers another."""

from __future__ import annotations

import json
import shutil
import struct
import tomllib
from itertools import combinations
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.comfyui, pytest.mark.browser, pytest.mark.models]
ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
LAYOUT = tomllib.loads(Path(__file__).with_name("workflows.toml").read_text("utf-8"))
SETTING, SINCE = "Comfy.VueNodes.Enabled", (1, 41)
LORA = "soft_light.safetensors"
RUN_SECONDS = 240
BOXES = """() => {
  const sound = (node) => node.type in LiteGraph.registered_node_types && !node.has_errors;
  return app.graph._nodes.filter(sound).map((node) => {
    const box = document.querySelector(`[data-node-id="${node.id}"]`).getBoundingClientRect();
    return [node.title, [box.left, box.top, box.right, box.bottom].map((edge) => edge / app.canvas.ds.scale)];
  });
}"""
TOUCH = 2
"""Pixels of the canvas by which two nodes may be nearer than beside each other: places are rounded."""


def empty_safetensors(file: Path) -> Path:
    """A file that the server lists, without a model in it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(struct.pack("<Q", 8) + b"{}      ")
    return file


@pytest.fixture
def named_models(comfyui_server):
    """Every model that a workflow names, as a file without a model: what lacks has a bar that says so."""
    nodes = (node for path in WORKFLOWS for node in json.loads(path.read_text("utf-8"))["nodes"])
    models = {(model["directory"], model["name"]) for node in nodes for model in node["properties"].get("models", ())}
    files = [empty_safetensors(comfyui_server.base / "models" / folder / name) for folder, name in sorted(models)]
    yield
    for file in files:
        file.unlink()


@pytest.fixture
def canvas(comfyui_server, canvas_module):
    """A canvas with Nodes 2.0 on; skips where the frontend is older. The server's setting is put back."""
    lora = empty_safetensors(comfyui_server.base / "models" / "loras" / LORA)
    address = f"{comfyui_server.url}/settings/{SETTING}"
    httpx.post(address, json=True).raise_for_status()
    try:
        with canvas_module.open_canvas(comfyui_server.url, 2560, 1440) as opened:
            version = opened.evaluate("() => window.__COMFYUI_FRONTEND_VERSION__ ?? '0.0'")
            if tuple(int(number) for number in version.split(".")[:2]) < SINCE:
                pytest.skip(f"frontend {version} is older than Nodes 2.0")
            yield opened
    finally:
        httpx.post(address, json=False).raise_for_status()
        lora.unlink()


def add(canvas, kind, name):
    """A new node as `window.NAME`, and what the page shows of it."""
    canvas.evaluate(
        "([kind, name]) => { window[name] = LiteGraph.createNode(kind); app.graph.add(window[name]); }", [kind, name]
    )
    shown = canvas.page.locator(f'[data-node-id="{canvas.evaluate(f"() => {name}.id")}"]')
    shown.wait_for(timeout=20_000)
    canvas.page.wait_for_timeout(500)
    return shown


def words(shown):
    """Lines of text that a node shows."""
    return {line.strip() for line in shown.inner_text().splitlines()}


def test_the_next_row_of_a_lora_stack_comes_when_a_file_is_chosen(canvas):
    stack = add(canvas, "LikenessLoadLoraStack", "stack")
    assert {"on_1", "lora_1", "strength_model_1", "strength_clip_1"} <= words(stack)
    assert "lora_2" not in words(stack)
    low = stack.bounding_box()["height"]
    stack.get_by_text("none", exact=True).first.click()
    canvas.page.get_by_text(LORA.removesuffix(".safetensors")).last.click()
    canvas.page.wait_for_timeout(1000)
    assert canvas.evaluate("() => stack.widgets.find((widget) => widget.name === 'lora_1').value") == LORA
    assert {"on_2", "lora_2", "strength_model_2", "strength_clip_2"} <= words(stack)
    assert "lora_3" not in words(stack)
    assert stack.bounding_box()["height"] > low
    assert canvas.errors == []


def test_photo_sockets_grow(canvas):
    enroll = add(canvas, "LikenessEnrollIdentity", "enroll")
    add(canvas, "LoadImage", "photo")
    assert "photos_2" in words(enroll)
    assert "photos_3" not in words(enroll)
    canvas.evaluate("() => { photo.connect(0, enroll, enroll.findInputSlot('photos_2')); }")
    canvas.page.wait_for_timeout(500)
    assert "photos_3" in words(enroll)
    assert canvas.errors == []


def test_studio_headshot_runs_and_says_its_verdict(canvas, comfyui_server, demo_on_server, tmp_path):
    canvas.open_template(ROOT / "workflows" / "studio_headshot.json")
    canvas.evaluate(
        "(name) => { app.graph._nodes.find((node) => node.title === 'Photo')"
        ".widgets.find((widget) => widget.name === 'image').value = name; }",
        demo_on_server,
    )
    canvas.press_run()
    number = canvas.evaluate("() => app.graph._nodes.find((node) => node.title === 'Likeness').id")
    said = canvas.page.locator(f'[data-node-id="{number}"] textarea')
    said.wait_for(timeout=RUN_SECONDS * 1000)
    canvas.page.wait_for_timeout(1000)
    assert "Picture 1: pass" in said.input_value()
    assert said.get_attribute("readonly") is not None
    canvas.fit_view()
    canvas.screenshot(tmp_path / "nodes2.png")
    print(f"screenshot: {tmp_path / 'nodes2.png'}")
    assert canvas.errors == []


def test_no_node_covers_another(named_models, canvas, comfyui_server):
    """But where more folded nodes stand side by side than Nodes 2.0 has room for on a small screen."""
    shutil.copy(ROOT / "runner" / "demo.jpg", comfyui_server.input / "photo.jpg")
    covered = []
    for path in WORKFLOWS:
        if LAYOUT[path.stem].get("narrow"):
            continue
        canvas.open_template(path)
        canvas.page.wait_for_timeout(1500)
        for (one, a), (two, b) in combinations(canvas.evaluate(BOXES), 2):
            across = min(a[2], b[2]) - max(a[0], b[0])
            down = min(a[3], b[3]) - max(a[1], b[1])
            if across > TOUCH and down > TOUCH:
                covered.append(f"{path.stem}: {one} and {two}, {across:.0f} x {down:.0f}")
    assert covered == [], "\n".join(covered)
