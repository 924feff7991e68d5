"""ComfyUI's own templates, as a user finds them: converted as the canvas does it, and without a false alarm."""

from __future__ import annotations

import json

import httpx
import pytest

from likeness_studio.benchmarks.conversion.canvas_truth import ASK
from likeness_studio.benchmarks.conversion.verdicts import judge
from likeness_studio.runner.backends.comfy import catalog as comfy_catalog
from likeness_studio.runner.backends.comfy.server import ComfyServer
from likeness_studio.runner.errors import NotConvertible
from likeness_studio.runner.workflow import Workflow, preflight, to_api
from likeness_studio.runner.workflow.canvas_graph import Unsure

pytestmark = pytest.mark.comfyui
EVERY = 6
"""One template in so many; benchmarks/conversion does them all."""

MISSING = {"model_file_missing", "node_class_missing"}
OUTDATED = {
    "api_moonvalley_video_to_video_motion_transfer",
    "api_moonvalley_video_to_video_pose_control",
    "api_rodin_gen2",
}
"""Templates that the server of 0.3.64 refuses too: their nodes have other inputs now."""


@pytest.fixture(scope="module")
def templates(comfyui_server):
    """Canvas graphs by name."""
    with httpx.Client(base_url=f"{comfyui_server.url}/templates", timeout=30) as client:
        index = client.get("/index.json")
        if index.status_code != 200:
            pytest.skip("this ComfyUI has no templates installed")
        names = [entry["name"] for group in index.json() for entry in group["templates"]]
        return {name: client.get(f"/{name}.json").json() for name in sorted(set(names))[::EVERY]}


@pytest.fixture(scope="module")
def catalog(comfyui_server):
    client = ComfyServer(comfyui_server.url)
    yield comfy_catalog.ServerCatalog(client)()
    client.close()


def test_nothing_but_missing_models_and_nodes_is_found(templates, catalog):
    assert len(templates) > 20
    for name, canvas in templates.items():
        try:
            graph = to_api(canvas, catalog, name, keep_unknown=True)
        except (NotConvertible, Unsure):
            continue
        workflow = Workflow.from_api(name, graph)
        workflow.canvas = canvas
        wrong = [str(p) for p in preflight.check(workflow, catalog) if p.code not in MISSING]
        assert not wrong or name in OUTDATED, f"{name}: {wrong}"


@pytest.mark.browser
def test_templates_are_converted_as_the_canvas_does_it(comfyui_server, canvas_module, templates, catalog):
    verdicts = {}
    with canvas_module.open_canvas(comfyui_server.url) as canvas:
        for name, graph in templates.items():
            sent = json.loads(canvas.evaluate(ASK, graph))
            verdicts[name] = judge(name, sent, graph, catalog)
    assert not {name: why for name, (word, why) in verdicts.items() if word == "wrong"}
    assert sum(word == "equal" for word, _ in verdicts.values()) > 0.9 * len(verdicts)
