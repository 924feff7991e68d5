"""Workflows that are small as files and endless in memory or in time end in one sentence."""

from __future__ import annotations

import io
import json
import time
import zlib

import pytest
from click.testing import CliRunner
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from likeness_studio.core.imaging import files
from likeness_studio.runner.api import run
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


def test_a_picture_with_a_workflow_in_it_is_as_large_as_a_photo_may_be(tmp_path, monkeypatch):
    chunks = PngInfo()
    chunks.add_text("prompt", json.dumps(graph_with(1)))
    Image.new("1", (400, 400)).save(tmp_path / "w.png", pnginfo=chunks)
    assert "1" in Workflow.load(tmp_path / "w.png").nodes
    monkeypatch.setattr(files, "MAX_PIXELS", 100_000)
    with pytest.raises(WorkflowUnreadable, match="400 x 400"):
        Workflow.load(tmp_path / "w.png")


@pytest.mark.parametrize("size", [(16_000, 16_000), (1, 100_000_000)])
def test_a_picture_that_cannot_be_decoded_safely_is_no_workflow(tmp_path, size):
    small = io.BytesIO()
    Image.new("1", (1, 1)).save(small, "PNG")
    data = bytearray(small.getvalue())
    data[16:24] = size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (tmp_path / "w.png").write_bytes(bytes(data))
    with pytest.raises(WorkflowUnreadable, match="pixels"):
        Workflow.load(tmp_path / "w.png")


def test_a_chain_of_hundreds_of_nodes_runs_here_in_a_moment(tmp_path):
    graph = {str(n): {"class_type": "ImageInvert", "inputs": {"image": [str(n - 1), 0]}} for n in range(1, 401)}
    graph["0"] = {"class_type": "LoadImage", "inputs": {"image": "x"}}
    graph["save"] = {"class_type": "SaveImage", "inputs": {"images": ["400", 0], "filename_prefix": "p"}}
    (tmp_path / "w.json").write_text(json.dumps(graph))
    Image.new("RGB", (8, 8), "red").save(tmp_path / "me.png")
    began = time.process_time()
    run(tmp_path / "w.json", [tmp_path / "me.png"], tmp_path / "out")
    assert time.process_time() - began < 20
    (made,) = (tmp_path / "out").glob("*.png")
    with Image.open(made) as picture:
        assert picture.getpixel((0, 0)) == (255, 0, 0)
