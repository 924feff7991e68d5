"""The pack inside a real ComfyUI: loaded cleanly and quickly, every node described as the stand-in describes it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from likeness_studio.nodes.extension import node_classes
from likeness_studio.tests.comfyui.descriptions import SINCE, described_here, described_there
from likeness_studio.tests.conftest import running_comfyui

pytestmark = pytest.mark.comfyui
ROOT = Path(__file__).parents[2]
NODES = node_classes()
TIMES, LIMIT_COMPILATIONS = 3, 6
"""The pack costs 3 to 4 times as much as compiling three modules, which is 0.1 s on a machine at rest."""


def test_the_pack_loads_without_a_warning(comfyui_server, object_info):
    log, _, _ = comfyui_server.log_text().partition("got prompt")
    assert "IMPORT FAILED" not in log
    assert not [line for line in log.splitlines() if "likeness" in line.lower() and "seconds:" not in line]


def test_with_the_pack_comfyui_warns_of_nothing_that_it_does_not_warn_of_without_it(
    comfyui_server, object_info, tmp_path
):
    with running_comfyui(tmp_path, "--disable-all-custom-nodes") as alone:
        pass
    assert warnings_in(comfyui_server) - warnings_in(alone) == set()


def warnings_in(server):
    """Lines of the start that warn or complain, without colours, folders and numbers."""
    log, _, _ = server.log_text().partition("got prompt")
    plain = re.sub(r"\x1b\[[\d;]*m", "", log.replace(str(server.base), ""))
    words = re.compile(r"warn|error|traceback|exception|deprecat|fail", re.IGNORECASE)
    return {re.sub(r"[\d.]+", "#", line) for line in plain.splitlines() if words.search(line)}


def test_the_import_is_quick(comfyui_server, object_info):
    """Measured beside a fixed piece of work: seconds say more of the machine than of the pack."""
    assert re.search(r"[\d.]+ seconds: .*likeness-studio", comfyui_server.log_text())
    python = os.environ.get("COMFYUI_PYTHON", sys.executable)
    command = [python, str(Path(__file__).with_name("import_cost.py")), os.environ["COMFYUI_PATH"], str(ROOT)]
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    costs = []
    for _ in range(TIMES):
        done = subprocess.run(command, env=surroundings, check=True, capture_output=True, text=True)
        costs.append(json.loads(done.stdout.splitlines()[-1]))
    print(costs)
    assert min(cost["pack"] / cost["standard"] for cost in costs) <= LIMIT_COMPILATIONS


@pytest.mark.parametrize("node", NODES, ids=[node.GET_SCHEMA().node_id for node in NODES])
def test_the_stand_in_describes_the_node_as_comfyui_does(node, object_info, version):
    real = object_info[node.GET_SCHEMA().node_id]
    assert real.get("python_module", "custom_nodes.").startswith("custom_nodes.")
    assert described_there(real) == described_here(node, version)


def test_what_nodes_show_and_by_which_words_they_are_found_reaches_newer_servers(object_info, version):
    ours = {name: real for name, real in object_info.items() if name.startswith("Likeness")}
    assert len(ours) == len(NODES)
    assert all(real.get("search_aliases") for real in ours.values()) is (version >= SINCE["search_aliases"])
    told = {name for name, real in ours.items() if real.get("has_intermediate_output")}
    shows = {node.GET_SCHEMA().node_id for node in NODES if vars(node)["FACTS"].shows}
    assert told == (shows if version >= SINCE["has_intermediate_output"] else set())


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
