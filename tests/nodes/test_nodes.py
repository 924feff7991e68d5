"""What every node of the pack owes its users: names, tooltips, a help page, an example workflow, and a clean import."""

import inspect
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from likeness_studio.core.node_facts import Effect, NodeFacts
from likeness_studio.nodes.extension import node_classes
from likeness_studio.nodes.schema import newer

ROOT = Path(__file__).parents[2]
NODES = node_classes()
IDS = [node.GET_SCHEMA().node_id for node in NODES]


@pytest.mark.parametrize("node", NODES, ids=IDS)
def test_names_and_tooltips(node):
    schema = node.GET_SCHEMA()
    assert schema.node_id.startswith("Likeness")
    assert schema.display_name
    assert schema.category.startswith("Likeness Studio/")
    assert len(schema.description) > 30
    for socket in schema.inputs:
        assert socket.tooltip, f"{schema.node_id}.{socket.id} has no tooltip"
        assert socket.tooltip.endswith("."), f"{schema.node_id}.{socket.id}: a tooltip is a sentence"
    for socket in schema.outputs:
        assert socket.tooltip, f"{schema.node_id}.{socket.id} has no tooltip"
        assert socket.display_name, f"{schema.node_id}.{socket.id} has no name on the canvas"


@pytest.mark.parametrize("node", NODES, ids=IDS)
def test_other_words_find_it(node):
    """Each is a word of the field that the node's name does not have already."""
    schema = node.GET_SCHEMA()
    assert 2 <= len(schema.search_aliases) == len(set(schema.search_aliases))
    assert all(alias.lower() not in schema.display_name.lower() for alias in schema.search_aliases)


@pytest.mark.parametrize("node", NODES, ids=IDS)
def test_what_it_shows_is_told_again_from_a_cache(node):
    """ComfyUI tells what output nodes have shown, and of others what those that ask for it have."""
    schema = node.GET_SCHEMA()
    shows = bool(re.search(r"NodeOutput\([^#]*?\bui=", inspect.getsource(node)))
    assert shows is (schema.is_output_node or schema.has_intermediate_output)
    assert schema.has_intermediate_output is node.FACTS.shows


@pytest.mark.parametrize("node", NODES, ids=IDS)
def test_it_shows_the_same_keys_whatever_it_found(node):
    """For a list, ComfyUI joins what each call shows by the keys of the first, and fails where one is missing."""
    source = re.sub(r"\[\s*[^\[\]]*\]", "[]", inspect.getsource(node))
    assert not re.search(r'\|=? *\(?\{ *"\w+": (\[\]|\w+) *\} if ', source)


def test_fields_that_comfyui_lacks_are_left_out(monkeypatch):
    @dataclass
    class Old:
        node_id: str

    facts = NodeFacts(Effect.PASSES, shows=True)
    assert newer(facts, "word") == {"search_aliases": ["word"], "has_intermediate_output": True}
    monkeypatch.setattr("likeness_studio.nodes.schema.io.Schema", Old)
    assert newer(facts, "word") == {}


@pytest.mark.parametrize("node", NODES, ids=IDS)
def test_socket_names_are_unique(node):
    schema = node.GET_SCHEMA()
    names = [socket.id for socket in [*schema.inputs, *schema.outputs] if socket.id]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("node", NODES, ids=IDS)
def test_help_page_names_every_socket(node):
    schema = node.GET_SCHEMA()
    page = (ROOT / "web" / "docs" / f"{schema.node_id}.md").read_text()
    assert page.startswith(f"# {schema.display_name}\n")
    words = re.sub(r"[_\s]+", " ", page.lower())
    for socket in [*schema.inputs, *schema.outputs]:
        name = (socket.id or socket.display_name).lower()
        if not re.fullmatch(r"photos_[3-7]|(on|lora|strength|strength_model|strength_clip)_[2-7]", name):
            assert name.replace("_", " ") in words, f"{name} is not explained"
    assert "**example" in words
    assert "**limits" in words


@pytest.mark.parametrize("node", NODES, ids=IDS)
def test_defaults_lie_inside_their_limits(node):
    for socket in node.GET_SCHEMA().inputs:
        options = socket.options
        if "default" not in options:
            continue
        default = options["default"]
        assert options.get("min", default) <= default <= options.get("max", default)
        if isinstance(options.get("options"), list):
            assert default in options["options"]


def test_node_ids_are_unique_and_literal_in_the_source():
    source = "\n".join(path.read_text() for path in (ROOT / "nodes").rglob("*.py"))
    assert len(set(IDS)) == len(IDS)
    for node_id in IDS:
        assert source.count(f'node_id="{node_id}"') == 1
    assert not re.search(r"^\s*NODE_CLASS_MAPPINGS", source, re.MULTILINE)


def test_no_help_page_without_its_node():
    assert {path.stem for path in (ROOT / "web" / "docs").glob("*.md")} == set(IDS)


def test_every_node_is_used_by_a_workflow():
    used = set()
    for path in (ROOT / "workflows" / "api").glob("*.json"):
        used |= {node["class_type"] for node in json.loads(path.read_text()).values()}
    assert set(IDS) - used == set()


def test_importing_the_pack_is_light():
    code = (
        "import sys, likeness_studio; print([m for m in ('torch','numpy','onnxruntime','click') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_describing_the_nodes_imports_nothing_heavy():
    code = (
        "import sys; from likeness_studio.nodes.extension import node_classes;"
        "[node.GET_NODE_INFO_V1() for node in node_classes()];"
        "print([m for m in ('onnxruntime','insightface','skimage','scipy','httpx','rich','cv2') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_entry_point_gives_every_node():
    import asyncio

    import likeness_studio

    extension = asyncio.run(likeness_studio.comfy_entrypoint())
    assert asyncio.run(extension.get_node_list()) == NODES
    assert (ROOT / likeness_studio.WEB_DIRECTORY).is_dir()
