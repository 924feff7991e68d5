"""Preflight without a server: what is said, what is grouped, and what must not be a false alarm."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likeness_studio.core.errors import PhotoMissing
from likeness_studio.runner import errors
from likeness_studio.runner.backends.comfy import catalog as comfy_catalog
from likeness_studio.runner.backends.comfy import catalog as server_module
from likeness_studio.runner.backends.comfy.server import ComfyServer
from likeness_studio.runner.workflow import Workflow, from_object_info, preflight
from likeness_studio.runner.workflow import preflight as sources


def described(module="nodes", *, output_node=True, output=("IMAGE",), optional=None, **required):
    """A node class as ``/object_info`` describes it."""
    return {
        "input": {"required": required, "optional": optional or {}},
        "output": list(output),
        "output_node": output_node,
        "python_module": module,
    }


INFO = {
    "Source": described(output=("IMAGE", "MASK"), output_node=False),
    "Loader": described(ckpt_name=[["a.safetensors", "sub\\b.safetensors"], {}], output=("MODEL",)),
    "Lora": described(lora_name=[[], {}], model=["MODEL", {}]),
    "Photo": described(image=[["x.png"], {"image_upload": True}]),
    "LoadImage": described(image=[["x.png"], {"image_upload": True}]),
    "LoadLatent": described(latent=[[]]),
}


def graph_of(class_type, **inputs):
    return Workflow.from_api(
        "test", {"1": {"class_type": class_type, "inputs": inputs}, "2": {"class_type": "Source", "inputs": {}}}
    )


def examine(info, workflow, **options):
    return preflight.examine(workflow, from_object_info(INFO | info), **options)


UNSURE = [
    ("a photo's name", {}, graph_of("LoadImage", image="mine.jpg")),
    ("an uploaded file", {}, graph_of("Photo", image="folder/mine.jpg")),
    ("a file that only the class looks up", {}, graph_of("LoadLatent", latent="mine.latent")),
    ("a link with forceInput", {"X": described(text=["STRING", {"forceInput": True}])}, graph_of("X", text="words")),
    ("several values", {"X": described(tags=["COMBO", {"multiselect": True, "options": ["a"]}])},
     graph_of("X", tags={"__value__": ["a", "b"]})),
    ("several values, old form", {"X": described(tags=[["a"], {"multi_select": {"chip": True}}])},
     graph_of("X", tags={"__value__": ["a", "b"]})),
    ("a list from elsewhere", {"X": described(name=["COMBO", {"remote": {"route": "/x"}}])}, graph_of("X", name="y")),
    ("a list from elsewhere, with options", {"X": described(name=["COMBO", {"remote": {}, "options": ["z"]}])},
     graph_of("X", name="y")),
    ("a dynamic list", {"X": described(mode=["COMFY_DYNAMICCOMBO_V3", {"options": []}])},
     graph_of("X", **{"mode.inner": 3})),
    ("inputs that grow", {"X": described(images=["COMFY_AUTOGROW_V3", {"template": {}}])},
     graph_of("X", **{"images.image0": ["2", 0]})),
    ("a type settled while drawing", {"X": described(any=["COMFY_MATCHTYPE_V3", {}])}, graph_of("X", any=["2", 0])),
    ("any type", {"X": described(any=["*", {}])}, graph_of("X", any=["2", 1])),
    ("any type as a value", {"X": described(any=["*", {}])}, graph_of("X", any={"a": 1})),
    ("one of several types", {"X": described(any=["MASK,IMAGE", {}])}, graph_of("X", any=["2", 0])),
    ("a widget of a type of its own", {"X": described(curve=["CURVE", {}])},
     graph_of("X", curve={"__value__": [0.5, 0.5, 1]})),
    ("an input that nobody knows", {"X": described()}, graph_of("X", extra=["77", 0])),
    ("null for an optional picture", {"X": described(optional={"image": ["IMAGE", {}]})}, graph_of("X", image=None)),
    ("hidden inputs", {"X": described() | {"input": {"hidden": {"unique_id": "UNIQUE_ID"}}}}, graph_of("X")),
    ("words for truth", {"X": described(on=["BOOLEAN", {}])}, graph_of("X", on="enable")),
    ("a number as words", {"X": described(n=["INT", {"min": 0, "max": 9}])}, graph_of("X", n="5")),
    ("a description that is not known here", {"X": described(new={"type": "INT"})}, graph_of("X", new=5)),
    ("a type that is no word", {"X": described(new=[{"kind": "INT"}, None])}, graph_of("X", new=5)),
]  # fmt: skip


@pytest.mark.parametrize(("info", "workflow"), [case[1:] for case in UNSURE], ids=[case[0] for case in UNSURE])
def test_what_is_not_known_for_sure_raises_no_alarm(info, workflow):
    assert examine(info, workflow).problems == []


COMBO = [
    "COMFY_DYNAMICCOMBO_V3",
    {
        "options": [
            {"key": "by", "inputs": {"required": {"factor": ["FLOAT", {"min": 0.1, "max": 8.0}]}}},
            {
                "key": "to",
                "inputs": {
                    "required": {
                        "width": ["INT", {"min": 8}],
                        "like": ["IMAGE", {}],
                        "fit": [
                            "COMFY_DYNAMICCOMBO_V3",
                            {"options": [{"key": "crop", "inputs": {"required": {"at": [["left", "right"], {}]}}}]},
                        ],
                    }
                },
            },
        ]
    },
]
WRONG = [
    ({"how": "by", "how.factor": 99.0}, ["out_of_range"]),
    ({"how": "by", "how.factor": "much"}, ["wrong_type"]),
    ({"how": "by"}, ["input_required"]),
    ({"how": "by", "how.factor": ["77", 0]}, ["bad_link"]),
    (
        {"how": "to", "how.width": 4, "how.like": 5, "how.fit": "crop", "how.fit.at": "top"},
        ["not_an_option", "out_of_range", "wrong_type"],
    ),
    ({"how": "at", "how.factor": 1.0}, ["not_an_option"]),
    ({}, ["input_required"]),
    ({"how": "by", "how.factor": 1.0}, []),
    ({"how": "by", "how.factor": 1.0, "how.width": -5}, []),
    ({"how": ["2", 0]}, []),
]


@pytest.mark.parametrize(("inputs", "codes"), WRONG)
def test_what_a_choice_brings_is_checked_as_ordinary_inputs_are(inputs, codes):
    found = examine({"X": described(how=COMBO)}, graph_of("X", **inputs))
    assert sorted(problem.code for problem in found.problems) == codes


FOREIGN = {"X": described("custom_nodes.pack", mode=[["a"], {}], n=["INT", {"max": 5}], image=["IMAGE", {}])}


def test_a_foreign_node_may_take_more_than_it_says():
    found = examine(FOREIGN, graph_of("X", mode="b", n=9, image=["2", 1]))
    assert found.problems == []
    assert [doubt.code for doubt in found.doubts] == ["not_an_option", "out_of_range", "wrong_type"]


def test_what_a_server_always_checks_is_sure_for_foreign_nodes_too():
    found = examine(FOREIGN, graph_of("X", n="many", image=["77", 0]))
    assert sorted(problem.code for problem in found.problems) == ["bad_link", "input_required", "wrong_type"]


def test_a_missing_model_is_named_once_with_all_who_name_it():
    graph = {
        str(number): {"class_type": "Loader", "inputs": {"ckpt_name": "c.safetensors"}, "_meta": {"title": title}}
        for number, title in enumerate(("One", "Two"))
    }
    (problem,) = examine({}, Workflow.from_api("test", graph)).problems
    assert isinstance(problem, errors.ModelFileMissing)
    assert problem.inputs == ["One.ckpt_name", "Two.ckpt_name"]
    assert "models/checkpoints" in str(problem)
    assert problem.as_dict()["model"] == {"name": "c.safetensors", "directory": "checkpoints"}


def test_a_model_in_another_folder_is_pointed_at():
    (problem,) = examine({}, graph_of("Loader", ckpt_name="b.safetensors")).problems
    assert "it has 'sub\\\\b.safetensors': choose that one" in str(problem)


def test_an_empty_list_is_known_to_be_empty():
    (problem,) = examine({}, graph_of("Lora", lora_name="x.safetensors", model=["9", 0])).problems[:1]
    assert isinstance(problem, errors.ModelFileMissing | errors.BadLink)
    assert {p.code for p in examine({}, graph_of("Lora", lora_name="x.safetensors", model=["9", 0])).problems} == {
        "model_file_missing",
        "bad_link",
    }


def test_a_model_of_our_manifest_comes_with_its_url_and_hash():
    from likeness_studio.core.models import models

    known = models()["u2net"]
    info = {"X": described("custom_nodes.pack", model=[["other.onnx"], {}])}
    (problem,) = examine(info, graph_of("X", model="u2net.onnx")).problems
    assert isinstance(problem, errors.ModelFileMissing)
    assert problem.model["hash"] == known.sha256
    assert problem.model["url"] in str(problem)


def test_photos_are_looked_up_when_none_will_follow():
    assert examine({}, graph_of("LoadImage", image="x.png"), files_follow=False).problems == []
    for there_perhaps in ("sub/mine.jpg", "mine.jpg [output]"):
        assert examine({}, graph_of("LoadImage", image=there_perhaps), files_follow=False).problems == []
    (problem,) = examine({}, graph_of("LoadImage", image="mine.jpg"), files_follow=False).problems
    assert isinstance(problem, PhotoMissing)


def test_only_what_an_output_needs_is_checked():
    workflow = graph_of("Source")
    assert [problem.code for problem in examine({}, workflow).problems] == ["nothing_to_run"]
    info = {"Dead": described(output_node=False, n=["INT", {}]), "Out": described()}
    workflow = Workflow.from_api(
        "test", {"1": {"class_type": "Dead", "inputs": {}}, "2": {"class_type": "Out", "inputs": {}}}
    )
    assert examine(info, workflow).problems == []


def test_a_class_is_said_to_be_cores_a_packs_or_anybodys():
    graph = Workflow.from_api(
        "test",
        {str(n): {"class_type": name, "inputs": {}} for n, name in enumerate(("New", "Packed", "Loader2", "Cloned"))},
    )
    graph.canvas = {
        "nodes": [
            {"type": "New", "properties": {"cnr_id": "comfy-core", "ver": "0.9.9"}},
            {"type": "Packed", "properties": {"cnr_id": "some-pack", "ver": "1.2.3"}},
            {"type": "Cloned", "properties": {"aux_id": "who/what", "ver": "abcdef"}},
        ]
    }
    problems = examine({}, graph).problems
    found = {problem.class_type: str(problem) for problem in problems if isinstance(problem, errors.NodeClassMissing)}
    assert len(found) == len(problems) == 4
    assert "it is part of ComfyUI 0.9.9; update ComfyUI there" in found["New"]
    assert "the pack some-pack 1.2.3" in found["Packed"]
    assert "comfy node install some-pack" in found["Packed"]
    assert "git clone https://github.com/who/what" in found["Cloned"]
    assert "did you mean 'Loader'?" in found["Loader2"]


@pytest.mark.parametrize(
    "properties",
    [
        {"cnr_id": "x; rm -rf /"},
        {"cnr_id": "$(reboot)"},
        {"cnr_id": "-e"},
        {"aux_id": "who/what && reboot"},
        {"aux_id": "../../x"},
        {"cnr_id": 5, "aux_id": ["a"]},
        "text",
        None,
    ],
)
def test_no_command_is_made_of_strange_names(properties):
    assert sources.read({"nodes": [{"type": "X", "properties": properties}]}).pack("X") == {}


def test_control_characters_and_other_addresses_are_left_out():
    canvas = {"models": [{"name": "m.pt", "url": "javascript:alert(1)", "directory": "a\x1b[31mb"}]}
    assert sources.read(canvas).model("m.pt", "X", "x") == {"name": "m.pt", "directory": "a[31mb"}


def test_models_and_packs_inside_subgraphs_are_found():
    node = {"type": "X", "properties": {"cnr_id": "p", "models": [{"name": "m.pt", "url": "https://e.org/m.pt"}]}}
    canvas = {"nodes": [], "definitions": {"subgraphs": [{"nodes": [node]}]}}
    assert sources.read(canvas).pack("X")["id"] == "p"
    assert sources.read(canvas).model("m.pt", "X", "x")["url"] == "https://e.org/m.pt"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["nodes", "properties", "models", "name", "url", "type", "cnr_id", "aux_id", "definitions", "subgraphs",
             "input", "required", "optional", "output", "options", "min", "max", "python_module", "X"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(JUNK, JUNK)
def test_nonsense_from_files_and_servers_is_borne(canvas, info):
    workflow = graph_of("X", required=3, X=["2", 0])
    workflow.canvas = canvas if isinstance(canvas, dict) else {"nodes": canvas}
    catalog = from_object_info({"X": info} if not isinstance(info, dict) else info | {"X": info})
    assert all(isinstance(problem, errors.RunnerError) for problem in preflight.check(workflow, catalog))


class Recorder:
    """A server that only describes itself, as a real one would after an update that a test cannot make happen."""

    def __init__(self):
        self.version, self.info, self.asked = "1", dict(INFO), Counter()
        recorder = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self):
                path = unquote(self.path)
                recorder.asked[path] += 1
                if path == "/system_stats":
                    answer = {"system": {"comfyui_version": recorder.version}}
                elif path == "/object_info":
                    answer = recorder.info
                else:
                    name = path.rpartition("/")[2]
                    answer = {name: recorder.info[name]} if name in recorder.info else {}
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format, *_):  # noqa: A002
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def recorder():
    made = Recorder()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def remote(recorder):
    client = ComfyServer(f"http://127.0.0.1:{recorder.http.server_address[1]}")
    yield client
    client.close()


def test_a_small_workflow_asks_for_its_classes_once(recorder, remote):
    workflow = graph_of("Loader", ckpt_name="a.safetensors")
    for _ in range(3):
        comfy_catalog.require(workflow, remote)
    assert recorder.asked == {"/system_stats": 1, "/object_info/Loader": 1, "/object_info/Source": 1}


def test_a_large_workflow_asks_for_everything_at_once(recorder, remote):
    recorder.info |= {f"N{number}": described() for number in range(30)}
    graph = {str(number): {"class_type": f"N{number}", "inputs": {}} for number in range(30)}
    comfy_catalog.require(Workflow.from_api("large", graph), remote)
    assert recorder.asked == {"/system_stats": 1, "/object_info": 1}


def test_another_version_is_asked_again(recorder, remote, monkeypatch):
    kept = comfy_catalog.ServerCatalog(remote)
    assert "Fresh" not in kept()
    recorder.info["Fresh"] = described()
    assert "Fresh" not in kept()
    monkeypatch.setattr(server_module, "TRUST_SECONDS", 0.0)
    assert "Fresh" not in kept()
    recorder.version = "2"
    assert "Fresh" in kept()
    assert kept.version.startswith("2")
    assert recorder.asked["/object_info"] == 2


def test_refresh_asks_again(recorder, remote):
    kept = comfy_catalog.ServerCatalog(remote)
    kept()
    recorder.info["Fresh"] = described()
    assert "Fresh" in kept.refresh()


def test_a_problem_is_confirmed_before_it_is_reported(recorder, remote):
    workflow = graph_of("Loader", ckpt_name="new.safetensors")
    with pytest.raises(errors.ModelFileMissing):
        comfy_catalog.require(workflow, remote)
    recorder.info["Loader"] = described(ckpt_name=[["new.safetensors"], {}], output=("MODEL",))
    comfy_catalog.require(workflow, remote)


def test_two_catalogues_of_one_client_share_what_they_know(recorder, remote):
    comfy_catalog.ServerCatalog(remote)()
    comfy_catalog.ServerCatalog(remote)()
    assert recorder.asked["/object_info"] == 1
