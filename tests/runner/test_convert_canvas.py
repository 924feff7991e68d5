"""Our converter against what the canvas made of graphs that were drawn on it (tests/comfyui/draw_conversions.py)."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness_studio.runner import errors
from likeness_studio.runner.backends import local_catalog, local_object_info
from likeness_studio.runner.workflow import comfy_cli, convert, from_object_info, load
from likeness_studio.runner.workflow.canvas_graph import Unsure
from likeness_studio.runner.workflow.widgets import widget_values

FILES = sorted((Path(__file__).parent / "canvas").glob("*.json"))
PLAIN = {path.stem: json.loads(path.read_text()) for path in FILES}


def plain(graph):
    """What counts in a graph in API format."""
    return {key: (node["class_type"], node["inputs"], node["_meta"]["title"]) for key, node in graph.items()}


def ours(kept, **options):
    return convert.to_api(kept["workflow"], from_object_info(kept["nodes"]), "test.json", **options)


@pytest.mark.parametrize("name", PLAIN)
def test_our_graph_is_the_canvas_own(name):
    assert plain(ours(PLAIN[name])) == plain(PLAIN[name]["prompt"])


def test_the_graphs_show_what_they_are_meant_to():
    """Each kind of thing that a canvas can do is in one of the files, and changes the result."""
    assert len(PLAIN) > 30
    assert "2" not in PLAIN["muted"]["prompt"]
    assert PLAIN["muted_value"]["prompt"]["5"]["inputs"]["steps"] == 20
    assert PLAIN["primitive"]["prompt"]["5"]["inputs"]["steps"] == 7
    assert PLAIN["subgraph_seed"]["prompt"]["9:5"]["inputs"] | {"model": 0} == PLAIN["sampler"]["prompt"]["5"][
        "inputs"
    ] | {"seed": 5, "steps": 6, "sampler_name": "heun", "model": 0}
    assert any(key.count(":") == 2 for key in PLAIN["subgraph_in_subgraph"]["prompt"])
    scales = {node["inputs"].get("scale_by") for node in PLAIN["subgraph_twice"]["prompt"].values()}
    assert {0.5, 0.25} <= scales


def test_a_subgraph_that_contains_itself_is_damaged():
    kept = copy.deepcopy(PLAIN["subgraph"])
    (definition,) = kept["workflow"]["definitions"]["subgraphs"]
    definition["nodes"][0]["type"] = definition["id"]
    with pytest.raises(errors.WorkflowUnreadable, match="contains itself"):
        ours(kept)


def test_subgraphs_of_subgraphs_are_bounded():
    """Thirty definitions that use the next one twice: a thousand million graphs in nine kilobytes."""

    def definition(index):
        inside = [{"id": number, "type": f"level {index + 1}", "inputs": [], "outputs": []} for number in (1, 2)]
        return {"id": f"level {index}", "nodes": inside, "links": [], "inputs": [], "outputs": []}

    canvas = {
        "nodes": [{"id": 1, "type": "level 0", "inputs": [], "outputs": []}],
        "links": [],
        "definitions": {"subgraphs": [definition(index) for index in range(30)]},
    }
    began = time.monotonic()
    with pytest.raises(errors.WorkflowUnreadable, match="subgraphs more than 2,000 times"):
        convert.to_api(canvas, {}, "test.json")
    assert time.monotonic() - began < 5


def test_choices_without_end_are_damaged():
    kept = copy.deepcopy(PLAIN["prompt_text"])
    kept["workflow"]["nodes"][1]["widgets_values"] = ["{" * 5000]
    kept["workflow"]["nodes"][2]["widgets_values"] = ["{" * 5000]
    with pytest.raises(errors.WorkflowUnreadable, match="RecursionError"):
        ours(kept)


def test_unknown_nodes_are_kept_when_a_server_will_be_asked():
    kept = copy.deepcopy(PLAIN["subgraph"])
    del kept["nodes"]["ImageInvert"]
    with pytest.raises(errors.NotConvertible, match="ImageInvert"):
        ours(kept)
    graph = ours(kept, keep_unknown=True)
    assert graph["5:2"]["inputs"] == {"image": ["1", 0]}


def test_custom_widgets_take_their_place_among_the_values():
    spec = from_object_info({"X": {"input": {"required": {"curve": ["SPLINE", {}], "n": ["INT", {}]}}}})["X"]
    assert widget_values(spec, ["c", 3], {"curve", "n"}) == {"curve": "c", "n": 3}
    assert widget_values(spec, [3]) == {"n": 3}


def left_open(kept):
    """A value more than the subgraph has widgets: nobody can say whose it is."""
    kept["workflow"]["nodes"][-1]["widgets_values"] = [0.5, 0.25]
    return kept


def test_what_a_file_leaves_open_needs_comfy_cli(monkeypatch, tmp_path):
    kept = left_open(copy.deepcopy(PLAIN["subgraph_widget"]))
    with pytest.raises(Unsure):
        ours(kept)
    path = tmp_path / "newer.json"
    path.write_text(json.dumps(kept["workflow"]))
    monkeypatch.setattr(comfy_cli, "program", lambda: None)
    with pytest.raises(errors.ComfyCliMissing, match="pip install comfy-cli"):
        load(path, lambda: from_object_info(kept["nodes"]))


needs_comfy_cli = pytest.mark.skipif(comfy_cli.program() is None, reason="comfy-cli is not installed")


@needs_comfy_cli
@pytest.mark.parametrize("name", ["subgraph_in_subgraph", "subgraph_seed", "subgraph_widget_linked", "bypassed_value"])
def test_comfy_cli_agrees(name):
    kept = PLAIN[name]
    graph = comfy_cli.to_api(kept["workflow"], kept["nodes"], "test.json", "a test")
    assert plain(graph) == plain(kept["prompt"])


@needs_comfy_cli
def test_comfy_cli_is_asked_for_what_is_left_open(tmp_path):
    kept = left_open(copy.deepcopy(PLAIN["subgraph_widget"]))
    path = tmp_path / "newer.json"
    path.write_text(json.dumps(kept["workflow"]))
    local = load(path, local_catalog_with(kept["nodes"]))
    assert {node.class_type for node in local} == {"EmptyImage", "ImageInvert", "ImageScaleBy", "SaveImage"}


class local_catalog_with:
    """A catalogue with a server behind it that knows these classes."""

    def __init__(self, nodes):
        self.nodes, self.server = nodes, self

    def __call__(self):
        return from_object_info(self.nodes)

    def object_info(self):
        return self.nodes


@pytest.mark.parametrize(
    "change",
    [
        lambda graph: graph.pop("2"),
        lambda graph: graph.update({"99": graph["2"]}),
        lambda graph: graph["2"].update(class_type="Other"),
        lambda graph: graph["1"]["inputs"].update(width=1),
    ],
)
def test_what_comfy_cli_says_is_held_against_what_is_certain(change):
    sure = ours(PLAIN["plain"])
    answer = copy.deepcopy(sure)
    comfy_cli.require_agreement(answer, sure | {"1": None}, "test.json")
    change(answer)
    with pytest.raises(errors.ComfyCliFailed, match=r"node \d+"):
        comfy_cli.require_agreement(answer, sure, "test.json")


@needs_comfy_cli
def test_comfy_cli_says_why_it_cannot():
    with pytest.raises(
        errors.ComfyCliFailed,
        match=r"^comfy-cli could not convert test\.json: .*; export it with 'Export \(API\)' in ComfyUI instead\.$",
    ):
        comfy_cli.to_api({"nodes": [{"id": 1}], "links": []}, {}, "test.json", "a test")


@pytest.mark.parametrize(
    "script",
    ["exit 3", "echo nonsense; exit 0", "echo '[]'", 'echo \'{"ok": true, "data": {"prompt": {}}}\'', "echo {} >&2"],
)
def test_whatever_comfy_cli_prints_is_borne(script, tmp_path, monkeypatch):
    program = tmp_path / "comfy"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(comfy_cli, "program", lambda: str(program))
    with pytest.raises(errors.ComfyCliFailed):
        comfy_cli.to_api(PLAIN["plain"]["workflow"], {}, "test.json", "a test")


def test_a_comfy_cli_that_hangs_is_ended(tmp_path, monkeypatch):
    program = tmp_path / "comfy"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(comfy_cli, "program", lambda: str(program))
    monkeypatch.setattr(comfy_cli, "SECONDS", 0.3)
    with pytest.raises(errors.ComfyCliFailed, match="could not be run"):
        comfy_cli.to_api(PLAIN["plain"]["workflow"], {}, "test.json", "a test")


def test_comfy_cli_is_run_without_telemetry_and_questions(tmp_path, monkeypatch):
    program, seen = tmp_path / "comfy", tmp_path / "seen"
    program.write_text(f'#!/bin/sh\necho "$@" "$DO_NOT_TRACK$COMFY_NO_TELEMETRY" > {seen}\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setattr(comfy_cli, "program", lambda: str(program))
    with pytest.raises(errors.ComfyCliFailed):
        comfy_cli.to_api(PLAIN["plain"]["workflow"], {}, "test.json", "a test")
    words = seen.read_text().split()
    assert words[:5] == ["--skip-prompt", "--json", "--where", "local", "run"]
    assert words[-1] == "11"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_file_is_one_error(data):
    """Any part of a file replaced by anything: a graph, or an error from the registry."""
    kept = copy.deepcopy(PLAIN[data.draw(st.sampled_from(["subgraph_in_subgraph", "subgraph_twice", "reroutes"]))])
    for _ in range(data.draw(st.integers(1, 3))):
        place = kept["workflow"]
        while isinstance(place, dict | list) and place:
            key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else list(range(len(place)))))
            if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.integers(0, 4)) == 0:
                place[key] = data.draw(st.sampled_from([None, -1, 0, 7, "", "x", [], {}, [1], {"id": 1}, True, 1e9]))
                break
            place = place[key]
    try:
        graph = ours(kept, keep_unknown=True)
    except (errors.WorkflowUnreadable, errors.NotConvertible, Unsure):
        return
    json.dumps(graph)


def test_local_description_can_be_given_to_comfy_cli():
    assert from_object_info(local_object_info()).keys() == local_catalog().keys()
