"""ComfyUI's own templates, as a user finds them: converted as the canvas does it, and without a false alarm."""

from __future__ import annotations

import httpx
import pytest

from likeness_studio.runner.backends.comfy import catalog as comfy_catalog
from likeness_studio.runner.backends.comfy.server import ComfyServer
from likeness_studio.runner.workflow import Workflow, preflight, to_api

pytestmark = pytest.mark.comfyui
EVERY = 6
"""One template in so many; all 172 of ComfyUI 0.3.64 were seen to pass."""

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
        workflow = Workflow.from_api(name, to_api(canvas, catalog, name, keep_unknown=True))
        workflow.canvas = canvas
        wrong = [str(p) for p in preflight.check(workflow, catalog) if p.code not in MISSING]
        assert not wrong or name in OUTDATED, f"{name}: {wrong}"


@pytest.mark.browser
def test_templates_are_converted_as_the_canvas_does_it(comfyui_server, canvas_module, templates, catalog):
    def plain(graph):
        """Without the inputs that only the canvas has, and without titles, which it translates."""
        return {
            key: (node["class_type"], {n: v for n, v in node["inputs"].items() if n in catalog[kind].by_name})
            for key, node in graph.items()
            if (kind := node["class_type"]) in catalog
        }

    with canvas_module.open_canvas(comfyui_server.url) as canvas:
        for name, graph in templates.items():
            drawn = to_api(graph, catalog, name, keep_unknown=True)
            if any(entry["class_type"] not in catalog for entry in drawn.values()):
                continue
            canvas.evaluate("async (graph) => { await app.loadGraphData(graph); }", graph)
            assert plain(drawn) == plain(canvas.prompt()), name
