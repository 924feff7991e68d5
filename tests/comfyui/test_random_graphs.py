"""Random graphs are drawn on the real canvas, and our converter makes of each what the canvas sends."""

from __future__ import annotations

import json
import os

import pytest

from likeness_studio.benchmarks.conversion.verdicts import judge
from likeness_studio.runner.backends.comfy.catalog import ServerCatalog
from likeness_studio.runner.backends.comfy.server import ComfyServer
from likeness_studio.tests.comfyui.random_graphs import DRAW, OPEN

pytestmark = [pytest.mark.comfyui, pytest.mark.browser]
FIRST = int(os.environ.get("LIKENESS_FIRST_GRAPH", "1"))
COUNT = int(os.environ.get("LIKENESS_RANDOM_GRAPHS", "40"))
"""Set them to draw others, or more of them: a number is a graph."""

MOST_REFUSED = 0.15


def test_random_graphs_are_converted_as_the_canvas_does_it(comfyui_server, canvas_module):
    client = ComfyServer(comfyui_server.url)
    catalog = ServerCatalog(client)()
    client.close()
    wrong, refused = {}, {}
    with canvas_module.open_canvas(comfyui_server.url) as canvas:
        for number in range(FIRST, FIRST + COUNT):
            drawn = json.loads(canvas.evaluate(DRAW, number))
            sent = json.loads(canvas.evaluate(OPEN, [drawn, False]))
            by_name = json.loads(canvas.evaluate(OPEN, [drawn, True])) if "widgets_values_named" in str(drawn) else None
            word, why = judge(str(number), {"missing": [], "prompt": sent, "by_name": by_name}, drawn, catalog)
            if word == "refused":
                refused[number] = why
            elif word not in {"equal", "canvas at fault"}:
                wrong[number] = f"{word}: {why}"
    assert not wrong
    assert len(refused) <= MOST_REFUSED * COUNT, refused
