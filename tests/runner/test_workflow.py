"""Workflows are loaded, found their way in by titles, and changed from the command line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness_studio.runner import errors
from likeness_studio.runner.backends import local_catalog
from likeness_studio.runner.workflow import Workflow, as_link, bundled, did_you_mean, from_object_info, load
from likeness_studio.runner.workflow import overrides as settings


def save(path, graph):
    path.write_text(json.dumps(graph), "utf-8")
    return path


def test_load_reads_titles_and_marks_optional_nodes(tmp_path, invert, make):
    invert["8"] = make("LoadImage", "Second photo (optional)", image="")
    invert["9"] = {"class_type": "LoadImage", "inputs": {"image": ""}, "_meta": {"title": "T", "optional": True}}
    graph = load(save(tmp_path / "negative.json", invert))
    assert graph.name == "negative"
    assert [node.title for node in graph][:3] == ["Blank", "Negative", "Save"]
    assert [node.id for node in graph if node.optional] == ["8", "9"]
    assert graph.to_api()["2"]["inputs"] == {"image": ["1", 0]}


def test_a_graph_inside_a_prompt_key_is_read(tmp_path, invert):
    assert load(save(tmp_path / "x.json", {"prompt": invert})).find("Blank").id == "1"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "3", "{}", '{"1": 5}', '{"1": {"inputs": {}}}', "\x00", '{"a": []}']
)
def test_what_is_no_workflow_is_refused(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_text(content, "utf-8")
    with pytest.raises(errors.WorkflowUnreadable, match=r"bad"):
        load(path)


def test_missing_workflow(tmp_path):
    with pytest.raises(
        errors.WorkflowMissing,
        match=r"^There is no workflow '.*nothing\.json': no such file; there are: 'check_id_photo', .*\.$",
    ):
        load(tmp_path / "nothing.json")


@pytest.mark.parametrize("name", bundled())
def test_bundled_workflows_load_by_name_and_our_nodes_are_known_here(name):
    graph = load(name)
    assert graph.name == name
    ours = {node.class_type for node in graph if node.class_type.startswith("Likeness")}
    assert ours
    assert ours <= set(local_catalog())


def test_workflows_that_need_no_server_are_known_here_whole():
    for name in ("studio_headshot", "check_likeness", "enroll_identity", "keep_the_best", "merge_loras"):
        assert {node.class_type for node in load(name)} <= set(local_catalog())


def test_hash_depends_on_the_graph_and_not_on_titles_or_photos(invert, make):
    invert["4"] = make("LoadImage", "Photo", image="a.png")
    first = Workflow.from_api("a", invert).hash
    invert["1"]["_meta"]["title"] = "Other"
    invert["4"]["inputs"]["image"] = "b.png"
    assert Workflow.from_api("b", dict(reversed(invert.items()))).hash == first
    invert["1"]["inputs"]["width"] = 17
    assert Workflow.from_api("a", invert).hash != first


def test_the_mark_of_an_optional_node_need_not_be_typed(workflow, make):
    graph = workflow({"1": make("LoadImage", "Second photo (optional)", image="x.png")})
    assert graph.find("second photo").id == graph.find("Second photo (optional)").id == "1"


def test_find_by_title_id_and_case(invert, workflow):
    graph = workflow(invert)
    assert graph.find("Blank").id == graph.find("1").id == graph.find("blank ").id == "1"
    with pytest.raises(errors.UnknownTitle, match=r"^No node of test is called 'Blnk'; did you mean 'Blank'\?$"):
        graph.find("Blnk")
    invert["2"]["_meta"]["title"] = "Blank"
    with pytest.raises(
        errors.AmbiguousTitle, match=r"^Several nodes are called 'Blank'; use one of their ids instead: 1, 2\.$"
    ):
        workflow(invert).find("Blank")


@pytest.mark.parametrize(
    ("value", "link"),
    [(["1", 0], ("1", 0)), ([1, 0], ("1", 0)), (["1", "0"], None), (["1", True], None), ("1", None), ([], None)],
)
def test_links(value, link):
    assert as_link(value) == link


def test_remove_takes_links_along(invert, workflow):
    graph = workflow(invert)
    graph.remove(["2"])
    assert graph.to_api()["3"]["inputs"] == {"filename_prefix": "negative"}


def change(graph, text):
    settings.apply_setting(graph, settings.parse_setting(text), local_catalog())
    return graph


def test_set_reads_values_by_the_inputs_type(invert, workflow):
    graph = workflow(invert)
    for text in ("Blank.width=32", "1.color=0xff8000", "Save.filename_prefix=a=b.c", " blank . height = 9 "):
        change(graph, text)
    assert graph.nodes["1"].inputs == {"width": 32, "height": 9, "batch_size": 1, "color": 0xFF8000}
    assert graph.nodes["3"].inputs["filename_prefix"] == "a=b.c"


def test_set_replaces_a_link_by_a_value(workflow, make):
    graph = workflow({"1": make("PrimitiveInt", value=5), "2": make("EmptyImage", "E", width=["1", 0])})
    assert change(graph, "E.width=7").nodes["2"].inputs["width"] == 7


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("Blank.width=big", errors.WrongType, "takes a whole number, not 'big'"),
        ("Blank.width=1.5", errors.WrongType, "whole number"),
        ("Blank.width=0", errors.OutOfRange, "at least 1"),
        ("Blank.widht=3", errors.UnknownInput, "did you mean 'width'"),
        ("Nothing.width=3", errors.UnknownTitle, "'Blank', 'Negative', 'Save'"),
        ("Negative.image=x", errors.UnknownInput, "takes a link"),
    ],
)
def test_set_says_what_is_wrong(invert, workflow, text, error, words):
    with pytest.raises(error, match=words):
        change(workflow(invert), text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("BOOLEAN", "Yes", True),
        ("BOOLEAN", "off", False),
        ("FLOAT", "1e-3", 0.001),
        ("INT", "-4", -4),
        ("STRING", " x ", " x "),
    ],
)
def test_words_become_values(kind, text, value):
    assert settings.read_value(kind, text, "x") == value


@pytest.mark.parametrize(
    ("kind", "text"), [("BOOLEAN", "maybe"), ("FLOAT", "nan"), ("FLOAT", "inf"), ("INT", "0x"), ("INT", "")]
)
def test_words_that_are_no_values(kind, text):
    with pytest.raises(errors.WrongType):
        settings.read_value(kind, text, "x")


def test_unknown_classes_take_values_like_the_one_they_have(workflow, make):
    graph = workflow({"1": make("KSampler", "Sampler", steps=20, cfg=7.5, sampler_name="euler", model=["2", 0])})
    for text in ("Sampler.steps=30", "Sampler.cfg=8", "Sampler.sampler_name=heun"):
        change(graph, text)
    assert graph.nodes["1"].inputs == {"steps": 30, "cfg": 8.0, "sampler_name": "heun", "model": ["2", 0]}
    with pytest.raises(
        errors.UnknownInput, match=r"^Sampler\.model is linked to another node and cannot be set to a value\.$"
    ):
        change(graph, "Sampler.model=x")
    with pytest.raises(errors.UnknownInput, match="did you mean 'steps'"):
        change(graph, "Sampler.step=3")


def test_options_keep_their_own_type(workflow, make):
    catalog = from_object_info(
        {"N": {"input": {"required": {"size": [[512, 1024]], "s": ["COMBO", {"options": ["a"]}]}}}}
    )
    graph = workflow({"1": make("N", size=512, s="a")})
    settings.apply_setting(graph, settings.parse_setting("N.size=1024"), catalog)
    assert graph.nodes["1"].inputs["size"] == 1024
    with pytest.raises(errors.NotAnOption, match=r"^N\.s cannot be 'b'; there are: 'a'\.$"):
        settings.apply_setting(graph, settings.parse_setting("N.s=b"), catalog)


PLAIN = (
    st.text(st.characters(exclude_characters="=.", exclude_categories=("Cs",)), min_size=1).map(str.strip).filter(bool)
)


@given(st.lists(PLAIN, min_size=1, max_size=3), PLAIN, st.text())
def test_parse_undoes_writing(title_parts, name, value):
    title = ".".join(title_parts)
    assert settings.parse_setting(f"{title}.{name}={value}") == settings.Setting(title, name, value)


@given(st.text())
def test_parse_never_breaks_otherwise(text):
    try:
        setting = settings.parse_setting(text)
    except ValueError:
        return
    assert setting.target
    assert setting.input
    assert text.endswith(setting.value)


@pytest.mark.parametrize(
    ("name", "known", "limit", "end"),
    [
        ("color", ["colour", "width"], 12, "; did you mean 'colour'?"),
        ("x", ["one", "two"], 12, "; there are: 'one', 'two'."),
        ("x", ["one", "two", "three"], 2, "; there are: 'one', 'two', ..."),
        ("x", [], 12, "."),
    ],
)
def test_hints_end_a_sentence(name, known, limit, end):
    assert did_you_mean(name, known, limit) == end
