"""The workflow loader on anything: a workflow that all else can work with, or an error of the registry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from likeness_studio.core.errors import LikenessError
from likeness_studio.runner.backends import local_catalog, local_classes, plan
from likeness_studio.runner.errors import AmbiguousTitle
from likeness_studio.runner.workflow import BUNDLED, Workflow, comfy_cli, load
from likeness_studio.tests.fuzz.mutations import QUICK, VALUES, damaged_bytes, damaged_tree, explained

FILES = sorted([*BUNDLED.glob("*.json"), *(BUNDLED / "api").glob("*.json")])
CONTENTS = [path.read_bytes() for path in FILES]
TREES = [json.loads(content) for content in CONTENTS]


@pytest.fixture(autouse=True, scope="module")
def no_comfy_cli():
    """comfy-cli is asked about canvas files beyond our converter: a process of a second for each would be too many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comfy_cli, "program", lambda: None)
        yield


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "workflow.json"


def loads_or_says_why(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    try:
        workflow = load(file)
    except LikenessError as error:
        explained(error)
        return
    works(workflow)


def works(workflow: Workflow) -> None:
    """What was accepted can be sent, hashed, copied, looked into and checked."""
    again = Workflow.from_api("again", json.loads(json.dumps(workflow.to_api())))
    assert again.hash == workflow.copy().hash
    workflow.file_nodes()
    for node in workflow:
        assert workflow.nodes[node.id] is node
        try:
            workflow.find(node.title)
        except AmbiguousTitle as error:
            explained(error)
    try:
        plan(workflow, local_classes(), local_catalog())
    except LikenessError as error:
        explained(error)


@QUICK
@given(content=st.binary(max_size=200))
@example(content=b"\xff\xfe{\x00}\x00")
@example(content=b"[" * 100_000)
@example(content=b"\xef\xbb\xbf{}")
@example(content=b'{"1": {"class_type": "X", "inputs": {"a": ' + b"9" * 5000 + b"}}}")
def test_any_bytes(file: Path, content: bytes):
    loads_or_says_why(file, content)


@QUICK
@given(tree=VALUES)
def test_any_json(file: Path, tree: object):
    loads_or_says_why(file, json.dumps(tree).encode())


@QUICK
@given(nodes=st.dictionaries(st.text(max_size=4), st.fixed_dictionaries({"class_type": VALUES, "inputs": VALUES})))
@example(nodes={"1": {"class_type": "X", "inputs": {"a": ["1", 0]}}})
def test_any_nodes(file: Path, nodes: object):
    loads_or_says_why(file, json.dumps(nodes).encode())


@QUICK
@given(content=st.sampled_from(CONTENTS).flatmap(damaged_bytes))
def test_a_damaged_file(file: Path, content: bytes):
    loads_or_says_why(file, content)


@QUICK
@given(tree=st.sampled_from(TREES).flatmap(damaged_tree))
def test_a_file_with_other_contents(file: Path, tree: object):
    loads_or_says_why(file, json.dumps(tree).encode())
