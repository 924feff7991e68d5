"""Canvas format becomes the API format that the canvas itself would send."""

from __future__ import annotations

import json

import pytest

from likeness_studio.runner import errors
from likeness_studio.runner.backends import local_catalog
from likeness_studio.runner.workflow import from_object_info, load, to_api, widget_values


def canvas_node(number, kind, *, widgets=(), inputs=(), mode=0, **more):
    sockets = [{"name": name, "type": type_, "link": link} for name, type_, link in inputs]
    return {"id": number, "type": kind, "mode": mode, "inputs": sockets, "widgets_values": list(widgets)} | more


@pytest.fixture
def canvas():
    """EmptyImage(1) -> Reroute(2) -> ImageInvert(3) -> SaveImage(4), with a note."""
    return {
        "nodes": [
            canvas_node(1, "EmptyImage", widgets=[16, 8, 1, 255], title="Blank"),
            canvas_node(2, "Reroute", inputs=[("", "*", 11)]),
            canvas_node(3, "ImageInvert", inputs=[("image", "IMAGE", 12)]),
            canvas_node(4, "SaveImage", widgets=["out"], inputs=[("images", "IMAGE", 13)]),
            canvas_node(5, "MarkdownNote", widgets=["hello"]),
        ],
        "links": [[11, 1, 0, 2, 0, "IMAGE"], [12, 2, 0, 3, 0, "IMAGE"], [13, 3, 0, 4, 0, "IMAGE"]],
        "version": 0.4,
    }


def convert(canvas):
    return to_api(canvas, local_catalog(), "test.json")


def test_plain_graph_with_reroute_and_note(canvas):
    assert convert(canvas) == {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 16, "height": 8, "batch_size": 1, "color": 255},
            "_meta": {"title": "Blank"},
        },
        "3": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}, "_meta": {"title": "Invert Image Colors"}},
        "4": {
            "class_type": "SaveImage",
            "inputs": {"filename_prefix": "out", "images": ["3", 0]},
            "_meta": {"title": "Save Image"},
        },
    }


def test_bypassed_node_passes_its_input_on(canvas):
    canvas["nodes"][2]["mode"] = 4
    assert convert(canvas)["4"]["inputs"]["images"] == ["1", 0]


def test_muted_node_takes_its_links_away(canvas):
    canvas["nodes"][2]["mode"] = 2
    graph = convert(canvas)
    assert "3" not in graph
    assert "images" not in graph["4"]["inputs"]


def test_primitive_gives_its_value(canvas):
    canvas["nodes"][0]["inputs"] = [{"name": "width", "type": "INT", "link": 14, "widget": {"name": "width"}}]
    canvas["nodes"].append(canvas_node(6, "PrimitiveNode", widgets=[99, "fixed"]))
    canvas["links"].append([14, 6, 0, 1, 0, "INT"])
    assert convert(canvas)["1"]["inputs"]["width"] == 99


def test_nodes_that_packs_add_to_the_canvas_only_are_followed(canvas):
    canvas["nodes"][1]["type"] = "Reroute (rgthree)"
    canvas["nodes"] += [
        canvas_node(6, "SetNode", widgets=["negative"], inputs=[("IMAGE", "IMAGE", 14)]),
        canvas_node(7, "GetNode", widgets=["negative"]),
        canvas_node(8, "Fast Groups Muter (rgthree)"),
        canvas_node(9, "GetNode", widgets=["nothing"]),
    ]
    canvas["links"][2:] = [[14, 3, 0, 6, 0, "IMAGE"], [13, 7, 0, 4, 0, "IMAGE"]]
    graph = convert(canvas)
    assert set(graph) == {"1", "3", "4"}
    assert graph["3"]["inputs"]["image"] == ["1", 0]
    assert graph["4"]["inputs"]["images"] == ["3", 0]
    canvas["links"][3] = [13, 9, 0, 4, 0, "IMAGE"]
    assert "images" not in convert(canvas)["4"]["inputs"]


def test_links_written_as_objects(canvas):
    canvas["links"] = [
        {"id": n, "origin_id": a, "origin_slot": s, "target_id": b, "target_slot": t, "type": k}
        for n, a, s, b, t, k in canvas["links"]
    ]
    assert convert(canvas)["3"]["inputs"]["image"] == ["1", 0]


def test_reroutes_in_a_circle_end(canvas):
    canvas["links"][0] = [11, 2, 0, 2, 0, "IMAGE"]
    assert "image" not in convert(canvas)["3"]["inputs"]


def test_unknown_nodes_are_named_with_what_to_do(canvas):
    canvas["nodes"].append(canvas_node(7, "KSampler"))
    with pytest.raises(
        errors.NotConvertible,
        match=r"^test\.json is in canvas format and has nodes that are not known here "
        r"\(KSampler\); export it with 'Export \(API\)' .*\.$",
    ):
        convert(canvas)
    canvas["nodes"][-1]["mode"] = 2
    assert "7" not in convert(canvas)


def test_damaged_canvas_is_one_error(canvas):
    del canvas["nodes"][0]["id"]
    with pytest.raises(errors.WorkflowUnreadable):
        convert(canvas)


SAMPLER = from_object_info(
    {
        "S": {
            "input": {
                "required": {
                    "model": ["MODEL"],
                    "seed": ["INT", {"control_after_generate": True}],
                    "steps": ["INT", {}],
                    "name": [["euler", "heun"]],
                },
                "optional": {
                    "words": ["STRING", {"forceInput": True}],
                    "list": ["COMBO", {"options": [], "default": 1}],
                },
            }
        }
    }
)["S"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7, "randomize", 20, "heun"], {"seed": 7, "steps": 20, "name": "heun"}),
        ([7, True, 20, "heun"], {"seed": 7, "steps": 20, "name": "heun"}),
        ([7, 20, "heun"], {"seed": 7, "steps": 20, "name": "heun"}),
        (
            [7, "fixed", 20, "heun", "of an old file", ["a"]],
            {"seed": 7, "steps": 20, "name": "heun", "list": {"__value__": ["a"]}},
        ),
        ({"steps": 3, "other": 4}, {"steps": 3}),
        ([], {}),
    ],
)  # fmt: skip
def test_widget_values_get_names(values, expected):
    new = {"seed": 0, "steps": 0, "name": "euler", "list": 1}
    assert widget_values(SAMPLER, values) == new | expected


def test_upload_button_of_load_image_is_passed_over():
    assert widget_values(local_catalog()["LoadImage"], ["me.png", "image"]) == {"image": "me.png"}


def test_load_converts_and_keeps_the_canvas(tmp_path, canvas, engine, folders):
    path = tmp_path / "drawn.json"
    path.write_text(json.dumps(canvas), "utf-8")
    graph = load(path)
    assert graph.canvas == canvas
    assert engine.run(graph, folders).outputs[0].path.is_file()
