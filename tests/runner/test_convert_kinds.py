"""Kinds of canvas files that were once read wrongly: each as small as it can be, with what the canvas sends of it."""

from __future__ import annotations

import pytest

from likeness_studio.runner import errors
from likeness_studio.runner.workflow import from_object_info, to_api
from likeness_studio.runner.workflow.canvas_graph import Unsure


def described(required, optional=None, outputs=("IMAGE",), module="nodes", **more):
    return {"input": {"required": required, "optional": optional or {}}, "output": list(outputs)} | {
        "python_module": module,
        **more,
    }


FOREIGN = "custom_nodes.pack"
NODES = from_object_info(
    {
        "Blank": described({"width": ["INT", {"default": 512}], "height": ["INT", {"default": 512}]}),
        "Words": described({"text": ["STRING", {}], "file": ["STRING", {"default": "none"}]}, outputs=["STRING"]),
        "Show": described({}, {"any": ["*"], "mask": ["MASK"]}, outputs=[]),
        "SaveImage": described({"images": ["IMAGE"], "filename_prefix": ["STRING", {"default": "out"}]}, outputs=[]),
        "CustomCombo": described({"choice": ["COMBO", {"options": []}]}, outputs=["STRING", "INT"]),
        "Resize": described(
            {
                "image": ["IMAGE"],
                "how": [
                    "COMFY_DYNAMICCOMBO_V3",
                    {
                        "options": [
                            {"key": "by", "inputs": {"required": {"factor": ["FLOAT", {"default": 2.0}]}}},
                            {
                                "key": "to",
                                "inputs": {"required": {"width": ["INT", {"default": 8}], "like": ["IMAGE", {}]}},
                            },
                        ]
                    },
                ],
                "method": ["COMBO", {"options": ["area", "lanczos"]}],
            }
        ),
        "Join": described({"images": ["COMFY_AUTOGROW_V3", {"template": {"prefix": "image", "min": 1}}]}),
        "Load3D": described({"model": ["STRING", {}], "image": ["LOAD_3D", {}]}),
        "Switch": described({"on": ["COMFY_MATCHTYPE_V3", {"template": {}}]}),
        "Preview3D": described({"viewport_state": ["LOAD_3D", {}]}, outputs=["LOAD3D_CAMERA"]),
        "Power Lora Loader (rgthree)": described({}, {"model": ["MODEL"]}, ["MODEL"], FOREIGN),
        "VHS_VideoCombine": described(
            {
                "images": ["IMAGE"],
                "frame_rate": ["FLOAT", {"default": 8}],
                "format": [
                    ["image/gif", "video/mp4"],
                    {"formats": {"video/mp4": [["pix_fmt", ["yuv420p"]], ["crf", "INT", {"default": 19}]]}},
                ],
                "save_output": ["BOOLEAN", {"default": True}],
            },
            module=FOREIGN,
        ),
        "Anything Everywhere": described({}, {"anything": ["*"]}, [], FOREIGN),
    }
)


def node(number, kind, values=(), inputs=(), **more):
    """`inputs` are name, type and link; a name with a star has a widget."""
    sockets = [
        {"name": name.rstrip("*"), "type": type_, "link": link}
        | ({"widget": {"name": name.rstrip("*")}} if name.endswith("*") else {})
        for name, type_, link in inputs
    ]
    values = list(values) if isinstance(values, tuple) else values
    return {"id": number, "type": kind, "inputs": sockets, "widgets_values": values} | more


def graph(*nodes, links=(), **more):
    return {"nodes": list(nodes), "links": [list(link) for link in links], "version": 0.4} | more


def sent(canvas):
    """What is sent of each node: its inputs, by id."""
    return {key: entry["inputs"] for key, entry in to_api(canvas, NODES, "test.json").items()}


def with_words(instance):
    """A subgraph that shows the text and the file name of one node, used by `instance`."""
    inner = node(3, "Words", ("inner", "inner.txt"), [("text*", "STRING", 1), ("file*", "STRING", 2)])
    links = [
        {"id": 1, "origin_id": -10, "origin_slot": 1, "target_id": 3, "target_slot": 0, "type": "STRING"},
        {"id": 2, "origin_id": -10, "origin_slot": 2, "target_id": 3, "target_slot": 1, "type": "STRING"},
    ]
    names = [{"name": "image", "linkIds": []}, {"name": "text", "linkIds": [1]}, {"name": "file", "linkIds": [2]}]
    definition = {"id": "sub", "nodes": [inner], "links": links, "inputs": names, "outputs": []}
    return graph(instance, definitions={"subgraphs": [definition]})


ONLY_FILE = [("image", "IMAGE", None), ("file*", "STRING", None)]
BOTH = [("image", "IMAGE", None), ("text*", "STRING", None), ("file*", "STRING", None)]


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        (node(9, "sub", ("a face", "b.txt"), ONLY_FILE), {"text": "a face", "file": "b.txt"}),
        (node(9, "sub", ("a face", "b.txt"), BOTH), {"text": "a face", "file": "b.txt"}),
        (
            node(9, "sub", ("b.txt", "a face"), ONLY_FILE, widgets_values_named={"file": "b.txt", "text": "a face"}),
            {"text": "a face", "file": "b.txt"},
        ),
        (node(9, "sub", (), ONLY_FILE, widgets_values_named={"file": "b.txt"}), {"text": "inner", "file": "b.txt"}),
        (node(9, "sub", ("b.txt",), ONLY_FILE), {"text": "inner", "file": "b.txt"}),
        (
            node(9, "sub", (), ONLY_FILE, properties={"proxyWidgets": [["3", "text"], ["3", "file"]]}),
            {"text": "inner", "file": "inner.txt"},
        ),
    ],
)  # fmt: skip
def test_a_promoted_widget_has_its_own_value(instance, expected):
    assert sent(with_words(instance)) == {"9:3": expected}


@pytest.mark.parametrize(
    "instance",
    [
        node(9, "sub", ("a", "b", "c"), BOTH),
        node(9, "sub", ("a", "b"), [BOTH[0], BOTH[2], BOTH[1]]),
        node(9, "sub", ("a", "b"), BOTH, properties={"proxyWidgets": [["3", "text"], ["3", "file"]]}),
    ],
)
def test_promoted_values_without_an_owner_are_not_guessed(instance):
    with pytest.raises(Unsure, match="promoted"):
        sent(with_words(instance))


def test_all_that_a_promoted_widget_leads_to_has_its_value():
    canvas = with_words(node(9, "sub", (), ONLY_FILE))
    (definition,) = canvas["definitions"]["subgraphs"]
    definition["nodes"].append(node(4, "Show", (), [("any", "*", 5)]))
    definition["links"].append(
        {"id": 5, "origin_id": -10, "origin_slot": 1, "target_id": 4, "target_slot": 0, "type": "*"}
    )
    definition["inputs"][1]["linkIds"].append(5)
    assert sent(canvas)["9:4"] == {"any": "inner"}


def test_a_dynamic_combo_brings_the_inputs_of_its_choice():
    canvas = graph(
        node(1, "Blank", (4, 4)),
        node(2, "Resize", ("to", 64, "lanczos"), [("image", "IMAGE", 1), ("how.like", "IMAGE", 2)]),
        node(3, "Resize", ("by", 0.5, "lanczos"), [("image", "IMAGE", 3)]),
        node(4, "Resize", None, [("image", "IMAGE", 4)]),
        links=[(1, 1, 0, 2, 0, "IMAGE"), (2, 1, 0, 2, 1, "IMAGE"), (3, 1, 0, 3, 0, "IMAGE"), (4, 1, 0, 4, 0, "IMAGE")],
    )
    found = sent(canvas)
    assert found["2"] == {"image": ["1", 0], "how": "to", "how.width": 64, "how.like": ["1", 0], "method": "lanczos"}
    assert found["3"] == {"image": ["1", 0], "how": "by", "how.factor": 0.5, "method": "lanczos"}
    assert found["4"] == {"image": ["1", 0], "how": "by", "how.factor": 2.0, "method": "area"}


def test_a_primitive_that_chooses_a_dynamic_combo_is_not_guessed():
    """The canvas puts the inputs of the choice back to their defaults, or does not, by its version."""
    canvas = graph(
        node(1, "PrimitiveNode", ("to", "fixed")),
        node(2, "Resize", ("to", 64, "lanczos"), [("how*", "COMFY_DYNAMICCOMBO_V3", 1)]),
        links=[(1, 1, 0, 2, 0, "COMFY_DYNAMICCOMBO_V3")],
    )
    with pytest.raises(Unsure, match="primitive"):
        sent(canvas)


def test_inputs_grow_with_their_links():
    canvas = graph(
        node(1, "Blank", (4, 4)),
        node(2, "Join", (), [(f"images.image{n}", "IMAGE", link) for n, link in enumerate((1, 2, None))]),
        links=[(1, 1, 0, 2, 0, "IMAGE"), (2, 1, 0, 2, 1, "IMAGE")],
    )  # fmt: skip
    assert sent(canvas)["2"] == {"images.image0": ["1", 0], "images.image1": ["1", 0]}


def test_a_type_that_is_settled_while_drawing_is_the_drawn_one():
    canvas = graph(
        node(1, "Blank", (4, 4)),
        node(2, "Resize", None, [("image", "IMAGE", 1)], mode=4, outputs=[{"type": "IMAGE"}]),
        node(3, "Switch", (), [("on", "IMAGE", 2)]),
        links=[(1, 1, 0, 2, 0, "IMAGE"), (2, 2, 0, 3, 0, "IMAGE")],
    )
    assert sent(canvas)["3"] == {"on": ["1", 0]}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (node(2, "Resize", ("newest", 1, "area")), "how cannot be 'newest'"),
        (node(2, "Join", (), [("layers.image0", "IMAGE", 1)]), "no input 'layers.image0'"),
    ],
)
def test_a_node_of_another_version_is_refused_by_name(changed, said):
    canvas = graph(node(1, "Blank", (4, 4)), changed, links=[(1, 1, 0, 2, 0, "IMAGE")])
    with pytest.raises(errors.NodeChanged, match=said):
        sent(canvas)


def test_a_scene_that_the_browser_renders_is_refused_by_name():
    with pytest.raises(errors.CanvasNeeded, match="Load3D"):
        sent(graph(node(1, "Load3D", ("a.glb", ""))))


def test_a_view_that_is_used_is_refused_by_name():
    """A scene that is only shown needs no view."""
    shown = graph(node(1, "Preview3D", ("",)), node(2, "Show", (), [("any", "*", None)]))
    assert sent(shown)["1"] == {"viewport_state": ""}
    shown["links"] = [[1, 1, 0, 2, 0, "LOAD3D_CAMERA"]]
    shown["nodes"][1]["inputs"][0]["link"] = 1
    with pytest.raises(errors.CanvasNeeded, match="Preview3D"):
        sent(shown)


def test_a_custom_combo_has_its_options_and_its_place():
    expected = {"choice": "b", "index": 1, "option1": "a", "option2": "b", "option3": ""}
    assert sent(graph(node(1, "CustomCombo", ("b", 1, "a", "b", "")))) == {"1": expected}
    assert sent(graph(node(1, "CustomCombo", (), widgets_values_named=expected))) == {"1": expected}
    with pytest.raises(Unsure, match="CustomCombo"):
        sent(graph(node(1, "CustomCombo", ("b", "a", "b", ""))))


@pytest.mark.parametrize(
    ("properties", "second"),
    [({"Show Strengths": "Single Strength"}, {}), ({"Show Strengths": "Separate Model & Clip"}, {"strengthTwo": 1})],
)
def test_power_lora_loader_keeps_its_rows(properties, second):
    rows = [{"on": on, "lora": name, "strength": 0.5, "strengthTwo": None} for on, name in ((True, "a"), (False, "b"))]
    kind = "Power Lora Loader (rgthree)"
    found = sent(graph(node(1, kind, ({}, {"type": "header"}, *rows, {}, ""), properties=properties)))["1"]
    assert found["lora_1"] == {"on": True, "lora": "a", "strength": 0.5} | second
    assert found["lora_2"] == {"on": False, "lora": "b", "strength": 0.5} | second


def test_video_combine_keeps_what_its_format_brings():
    values = {"frame_rate": 12, "format": "video/mp4", "pix_fmt": "yuv420p", "crf": 45, "videopreview": {"hidden": 1}}
    found = sent(graph(node(1, "VHS_VideoCombine", values)))["1"]
    assert found == {"frame_rate": 12, "format": "video/mp4", "save_output": True, "pix_fmt": "yuv420p", "crf": 45}


def test_video_combine_of_an_older_file_has_what_its_format_brings_today():
    found = sent(graph(node(1, "VHS_VideoCombine", {"format": "video/mp4", "crf": 45})))["1"]
    assert (found["pix_fmt"], found["crf"]) == ("yuv420p", 45)
    with pytest.raises(Unsure, match="no names"):
        sent(graph(node(1, "VHS_VideoCombine", (8, "video/mp4", True))))


def test_a_get_inside_a_subgraph_finds_the_set_around_it():
    inner = [node(3, "GetNode", ("M",)), node(4, "Show", (), [("mask", "MASK", 1)])]
    link = {"id": 1, "origin_id": 3, "origin_slot": 0, "target_id": 4, "target_slot": 0, "type": "MASK"}
    definition = {"id": "sub", "nodes": inner, "links": [link], "inputs": [], "outputs": []}
    canvas = graph(
        node(1, "Blank", (4, 4)),
        node(2, "SetNode", ("M",), [("MASK", "MASK", 7)]),
        node(9, "sub"),
        links=[(7, 1, 0, 2, 0, "MASK")],
        definitions={"subgraphs": [definition]},
    )
    assert sent(canvas)["9:4"] == {"mask": ["1", 0]}
    inner[0]["widgets_values"] = ["nowhere"]
    assert sent(canvas)["9:4"] == {}
    canvas["definitions"]["subgraphs"].append(
        definition | {"id": "other", "nodes": [node(5, "SetNode", ("nowhere",))], "links": []}
    )
    canvas["nodes"].append(node(10, "other"))
    with pytest.raises(Unsure, match="another subgraph"):
        sent(canvas)


def test_everywhere_links_are_those_that_the_file_lists():
    everywhere = node(3, "Anything Everywhere", (), [("anything", "*", 1)])
    nodes = (node(1, "Blank", (4, 4)), node(2, "SaveImage", ("ue",), [("images", "IMAGE", None)]), everywhere)
    listed = {"downstream": "2", "downstream_slot": 0, "upstream": "1", "upstream_slot": 0, "controller": "3"}
    canvas = graph(*nodes, links=[(1, 1, 0, 3, 0, "*")], extra={"ue_links": [listed]})
    assert sent(canvas)["2"] == {"filename_prefix": "ue", "images": ["1", 0]}
    canvas["extra"] = {}
    with pytest.raises(errors.ConversionUnclear, match="Anything Everywhere"):
        sent(canvas)
