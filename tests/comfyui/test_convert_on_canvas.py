"""The kept graphs are still what the canvas makes of them, and comfy-cli converts them through the real server too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from likeness_studio.benchmarks.conversion.verdicts import with_their_ids
from likeness_studio.runner.backends.comfy.catalog import ServerCatalog
from likeness_studio.runner.backends.comfy.server import ComfyServer
from likeness_studio.runner.workflow import comfy_cli
from likeness_studio.runner.workflow.convert import convert

pytestmark = [pytest.mark.comfyui]
FILES = sorted((Path(__file__).parents[1] / "runner" / "canvas").glob("*.json"))
UNLIKE_COMFY_CLI = {"muted_value", "primitive", "prompt_text", "prompt_text_of_primitive"}
"""comfy-cli 1.23 leaves the value of a primitive out, and comments and choices in a text as they are."""

OLD_CANVAS = {"muted_value"}
"""A widget that is linked to a muted node: canvases before 1.40 left it out, which no server takes."""


def plain(graph):
    """Without titles: those that a file does not have are words of the canvas's version."""
    return {key: (node["class_type"], node["inputs"]) for key, node in graph.items()}


@pytest.mark.browser
def test_the_canvas_makes_of_each_file_what_is_kept(comfyui_server, canvas_module):
    client = ComfyServer(comfyui_server.url)
    catalog = ServerCatalog(client)
    wrong = []
    with canvas_module.open_canvas(comfyui_server.url) as canvas:
        for path in FILES:
            kept = json.loads(path.read_text())
            canvas.evaluate("async (graph) => { await app.loadGraphData(graph); }", kept["workflow"])
            sent = canvas.prompt()
            ours = convert(kept["workflow"], catalog, path.name)
            same = [with_their_ids(graph, sent) for graph in (kept["prompt"], ours)]
            if path.stem in OLD_CANVAS and "steps" not in sent["5"]["inputs"]:
                continue
            wrong += [path.stem] if any(plain(graph) != plain(sent) for graph in same) else []
            if path.stem == "titles":
                assert {"Negative", "Blank"} <= {node["_meta"]["title"] for node in sent.values()}
    client.close()
    assert not wrong


@pytest.mark.skipif(comfy_cli.program() is None, reason="comfy-cli is not installed")
def test_comfy_cli_makes_the_same(comfyui_server):
    client = ComfyServer(comfyui_server.url)
    described = client.object_info()
    client.close()
    wrong = []
    for path in FILES:
        if path.stem in UNLIKE_COMFY_CLI:
            continue
        kept = json.loads(path.read_text())
        graph = comfy_cli.to_api(kept["workflow"], described, path.name, "a test")
        if plain(graph) != plain(kept["prompt"]):
            wrong.append(path.stem)
    assert not wrong
