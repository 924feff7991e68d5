"""The pack inside a real ComfyUI: loaded cleanly and quickly, every node described as the stand-in describes it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from likeness_studio.nodes.extension import node_classes

pytestmark = pytest.mark.comfyui
ROOT = Path(__file__).parents[2]
NODES = node_classes()
LIMIT_SECONDS = 0.3


def test_the_pack_loads_without_a_warning(comfyui_server, object_info):
    log, _, _ = comfyui_server.log_text().partition("got prompt")
    assert "IMPORT FAILED" not in log
    assert not [line for line in log.splitlines() if "likeness" in line.lower() and "seconds:" not in line]


def test_the_import_is_quick(comfyui_server, object_info):
    (seconds,) = re.findall(r"([\d.]+) seconds: .*likeness-studio", comfyui_server.log_text())
    assert float(seconds) <= LIMIT_SECONDS


@pytest.mark.parametrize("node", NODES, ids=[node.GET_SCHEMA().node_id for node in NODES])
def test_the_stand_in_describes_the_node_as_comfyui_does(node, object_info):
    mine = json.loads(json.dumps(node.GET_NODE_INFO_V1()))
    real = object_info[mine["name"]]
    assert real.pop("python_module", "").startswith("custom_nodes.") or "python_module" not in real
    mine.pop("python_module")
    assert {key: real.get(key) for key in mine} == mine, "newer servers say more, and nothing else"


def test_every_help_page_and_script_is_served(comfyui_server, object_info):
    for node in NODES:
        name = node.GET_SCHEMA().node_id
        page = httpx.get(f"{comfyui_server.url}/extensions/likeness-studio/docs/{name}.md")
        assert page.text.startswith("# ")
    scripts = httpx.get(f"{comfyui_server.url}/extensions").json()
    assert {"/extensions/likeness-studio/grow.js", "/extensions/likeness-studio/text.js"} <= set(scripts)


def test_the_template_browser_lists_every_workflow(comfyui_server, object_info):
    templates = httpx.get(f"{comfyui_server.url}/workflow_templates").json()["likeness-studio"]
    assert set(templates) == {path.stem for path in (ROOT / "workflows").glob("*.json")}
    for name in templates:
        for suffix in ("json", "jpg"):
            page = httpx.get(f"{comfyui_server.url}/api/workflow_templates/likeness-studio/{name}.{suffix}")
            assert page.status_code == 200, f"{name}.{suffix}"
