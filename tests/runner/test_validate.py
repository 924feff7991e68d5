"""Whatever is wrong with a graph is found before anything runs, all of it, in words that help."""

from __future__ import annotations

import pytest

from likeness_studio.runner import errors

CASES = [
    ("1", {"width": 0}, errors.OutOfRange, r"Blank.width must be at least 1, not 0"),
    ("1", {"width": 99999}, errors.OutOfRange, r"Blank.width must be at most 16384, not 99999"),
    ("1", {"width": "wide"}, errors.WrongType, r"Blank.width takes INT, not 'wide'"),
    ("1", {"width": None}, errors.WrongType, r"Blank.width takes INT"),
    ("2", {"image": 5}, errors.WrongType, r"Negative.image takes a link \(IMAGE\), not the value 5"),
    ("2", {"image": ["1"]}, errors.BadLink, r"not \[node id, output number\]"),
    ("2", {"image": ["77", 0]}, errors.BadLink, r"node 77, which is not in the workflow"),
    ("2", {"image": ["1", 3]}, errors.BadLink, r"output 3 of Blank, which has 1"),
    ("2", {"image": ["1", -1]}, errors.BadLink, r"output -1 of Blank"),
]


@pytest.mark.parametrize(("node_id", "inputs", "error", "words"), CASES)
def test_each_problem_has_its_own_error(engine, workflow, invert, folders, node_id, inputs, error, words):
    invert[node_id]["inputs"].update(inputs)
    with pytest.raises(error, match=words):
        engine.run(workflow(invert), folders)
    assert not list(folders.output.iterdir())


def test_all_problems_are_reported_at_once(engine, workflow, invert, folders):
    invert["1"]["inputs"] |= {"width": 0, "color": "red"}
    del invert["3"]["inputs"]["filename_prefix"]
    with pytest.raises(errors.WorkflowInvalid, match="3 problems") as caught:
        engine.run(workflow(invert), folders)
    codes = [problem["code"] for problem in caught.value.as_dict()["problems"]]
    assert codes == ["out_of_range", "wrong_type", "input_required"]


def test_missing_link_says_what_to_link(engine, workflow, invert, folders):
    del invert["2"]["inputs"]["image"]
    with pytest.raises(
        errors.InputRequired, match=r"^Negative\.image is required and not there; link it to a node that gives IMAGE\.$"
    ):
        engine.run(workflow(invert), folders)


def test_wrong_option(engine, workflow, invert, folders, make):
    invert["4"] = make("ImageToMask", "Channel", image=["1", 0], channel="rad")
    invert["5"] = make("MaskToImage", mask=["4", 0])
    invert["6"] = make("PreviewImage", images=["5", 0])
    with pytest.raises(errors.NotAnOption, match="did you mean 'red'"):
        engine.run(workflow(invert), folders)


def test_wrong_type_of_link(engine, workflow, invert, folders, make):
    invert["4"] = make("ImageToMask", "Channel", image=["1", 0], channel="red")
    invert["2"]["inputs"]["image"] = ["4", 0]
    with pytest.raises(errors.WrongType, match=r"^Negative\.image takes IMAGE, but Channel gives MASK\.$"):
        engine.run(workflow(invert), folders)


def test_circle_is_named(engine, workflow, folders, make):
    graph = {
        "1": make("ImageInvert", "A", image=["2", 0]),
        "2": make("ImageInvert", "B", image=["1", 0]),
        "3": make("PreviewImage", images=["2", 0]),
    }
    with pytest.raises(
        errors.GraphCycle,
        match=r"^The nodes are linked in a circle: A \(1\) -> B \(2\) -> A \(1\); remove one of the links\.$",
    ):
        engine.run(workflow(graph), folders)


def test_nodes_that_need_a_server_are_all_named(engine, workflow, invert, folders, make):
    invert["7"] = make("KSampler", "Sampler")
    invert["8"] = make("VAEDecode")
    with pytest.raises(
        errors.NeedsServer,
        match=r"^test has nodes that only a ComfyUI server can run: Sampler \(KSampler\), "
        r"VAEDecode; give one with --server, .*\.$",
    ):
        engine.run(workflow(invert), folders)


def test_nothing_to_run(engine, workflow, folders, make):
    with pytest.raises(errors.NothingToRun):
        engine.run(workflow({"1": make("EmptyImage", width=1, height=1, batch_size=1, color=0)}), folders)


def test_nodes_own_check_is_asked(test_engine, workflow, folders, make):
    with pytest.raises(errors.InputRefused, match=r"^TestPicky cannot run: 'now' is not polite\.$"):
        test_engine.run(workflow({"1": make("TestPicky", word="now")}), folders)
