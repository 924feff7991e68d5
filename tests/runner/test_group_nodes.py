"""Group nodes, and marks in file names, as the canvas sends them."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from pathlib import Path

import pytest

from likeness_studio.runner import errors
from likeness_studio.runner.workflow import from_object_info, to_api
from likeness_studio.runner.workflow.canvas_texts import format_date, replace_marks

KEPT = json.loads((Path(__file__).parent / "canvas" / "subgraph_widget.json").read_text())
NODES = from_object_info(KEPT["nodes"])
INNER = [
    {
        "type": "ImageInvert",
        "inputs": [{"name": "image", "type": "IMAGE", "link": None}],
        "outputs": [{"name": "IMAGE", "type": "IMAGE"}],
    },
    {
        "type": "ImageScaleBy",
        "inputs": [{"name": "image", "type": "IMAGE", "link": None}],
        "outputs": [{"name": "IMAGE", "type": "IMAGE"}],
        "widgets_values": ["nearest-exact", 1],
    },
]
GROUP = {"nodes": INNER, "links": [[0, 0, 1, 0, 3, "IMAGE"]], "external": [[1, 0, "IMAGE"]]}


@pytest.fixture
def canvas():
    """EmptyImage(1) -> a group of ImageInvert and ImageScaleBy(2) -> SaveImage(3)."""
    return {
        "nodes": [
            {"id": 1, "type": "EmptyImage", "title": "Blank", "widgets_values": [64, 64, 1, 0], "inputs": []},
            {
                "id": 2,
                "type": "workflow>Mine",
                "inputs": [{"name": "image", "type": "IMAGE", "link": 1}],
                "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [2]}],
                "widgets_values": ["lanczos", 2.5],
            },
            {
                "id": 3,
                "type": "SaveImage",
                "inputs": [{"name": "images", "type": "IMAGE", "link": 2}],
                "widgets_values": ["%EmptyImage.width% x %Blank.height%"],
            },
        ],
        "links": [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"]],
        "extra": {"groupNodes": {"Mine": copy.deepcopy(GROUP)}},
    }


def test_a_group_is_the_nodes_in_it(canvas):
    graph = to_api(canvas, NODES, "test.json")
    assert graph["2:0"]["inputs"] == {"image": ["1", 0]}
    assert graph["2:1"]["inputs"] == {"upscale_method": "lanczos", "scale_by": 2.5, "image": ["2:0", 0]}
    assert graph["3"]["inputs"]["images"] == ["2:1", 0]
    canvas["nodes"][1]["mode"] = 4
    assert to_api(canvas, NODES, "test.json")["3"]["inputs"]["images"] == ["1", 0]


@pytest.mark.parametrize(
    "change",
    [
        lambda canvas: canvas["extra"].clear(),
        lambda canvas: canvas["extra"]["groupNodes"]["Mine"].update(config={"1": {"input": {}}}),
        lambda canvas: canvas["extra"]["groupNodes"]["Mine"]["nodes"][0].update(type="PrimitiveNode"),
        lambda canvas: canvas["nodes"][1]["widgets_values"].append(1),
        lambda canvas: canvas["nodes"][1]["widgets_values"].pop(),
        lambda canvas: canvas["nodes"][1]["inputs"].append({"name": "mask", "type": "MASK", "link": None}),
        lambda canvas: canvas["nodes"][1]["outputs"].clear(),
    ],
)
def test_a_group_that_was_changed_is_refused_by_name(canvas, change):
    change(canvas)
    with pytest.raises(errors.ConversionUnclear, match="workflow>Mine"):
        to_api(canvas, NODES, "test.json")


def test_marks_in_a_file_name_are_replaced(canvas):
    """By the name for search and replace if a node has one, else by its title."""
    assert prefix(canvas) == "%EmptyImage.width% x 64"
    canvas["nodes"][0]["properties"] = {"Node name for S&R": "EmptyImage"}
    assert prefix(canvas) == "64 x 64"


def prefix(canvas):
    return to_api(canvas, NODES, "test.json")["3"]["inputs"]["filename_prefix"]


NOW = datetime(2026, 3, 4, 5, 6, 7).astimezone()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%date:yyyy-MM-dd%/%date:hhmmss%", "2026-03-04/050607"),
        ("%date:d-M-yy h:m:s%", "4-3-26 5:6:7"),
        ("%date:d.M.yy% %date:d.M%", "4 %date:d.M%"),
        ("%date:yyy%", "yyy"),
        ("%A.b%", "a_b_c"),
        ("%A.off%, %A.whole%, %A.half%", "false, 2, 0.5"),
        ("%A.none% %B.b% %width% %year% %A.b.c% 100%", "%A.none% %B.b% %width% %year% %A.b.c% 100%"),
    ],
)
def test_marks(text, expected):
    values = {("A", "b"): "a/b:c", ("A", "off"): False, ("A", "whole"): 2.0, ("A", "half"): 0.5}
    assert replace_marks(text, lambda node, widget: values.get((node, widget)), NOW) == expected


def test_a_date_keeps_what_is_no_part_of_one():
    assert format_date("_-xyz", NOW) == "_-xyz"
