"""Workflows that are small as files and endless in memory or in time end in one sentence."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner

from likeness_studio.runner.cli import main
from likeness_studio.runner.errors import WorkflowUnreadable
from likeness_studio.runner.workflow import Workflow


def nested(depth, inner: object = 1):
    for number in range(depth):
        inner = [inner] if number % 2 else {"a": inner}
    return inner


def graph_with(value):
    return {"1": {"class_type": "EmptyImage", "inputs": {"width": value}}}


@pytest.mark.parametrize("depth", [150, 900])
@pytest.mark.parametrize("make", [graph_with, lambda value: {"nodes": [{"widgets_values": [value]}], "links": []}])
def test_values_that_lie_hundreds_deep_are_one_sentence(tmp_path, depth, make):
    (tmp_path / "w.json").write_text(json.dumps(make(nested(depth))))
    with pytest.raises(WorkflowUnreadable, match="deep in one another"):
        Workflow.load(tmp_path / "w.json")
    for command in (["run"], ["inspect"], ["doctor"]):
        told = CliRunner().invoke(main, [*command, str(tmp_path / "w.json"), "--json"])
        assert '"workflow_unreadable"' in told.output, told.output
    if make is graph_with:
        with pytest.raises(WorkflowUnreadable):
            Workflow.from_api("w", make(nested(depth)))


def test_ten_thousand_nodes_are_too_many_and_a_chain_of_thousands_is_quick(tmp_path):
    chain = {str(n): {"class_type": "ImageInvert", "inputs": {"image": [str(n + 1), 0]}} for n in range(10_001)}
    with pytest.raises(WorkflowUnreadable, match="10,001 nodes"):
        Workflow.from_api("w", chain)
    del chain["10000"]
    began = time.process_time()
    workflow = Workflow.from_api("w", chain)
    assert len(workflow.copy().to_api()) == 10_000
    assert workflow.hash
    assert time.process_time() - began < 5


def test_a_file_of_gigabytes_is_not_read(tmp_path):
    with (tmp_path / "w.json").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(WorkflowUnreadable, match="64 MB"):
        Workflow.load(tmp_path / "w.json")
