"""Names that no file system takes, and numbers that are none, end in an error of ours in every node that takes them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from likeness_studio.core import host
from likeness_studio.core.errors import LikenessError
from likeness_studio.core.identity import Identity
from likeness_studio.nodes.identity import LoadIdentity, LoadPhotos, SaveIdentity
from likeness_studio.nodes.print_sheet import PrintSheet
from likeness_studio.nodes.provenance import SaveWithProvenance
from likeness_studio.runner.backends.saved_files import save_images
from likeness_studio.runner.errors import OutOfRange
from likeness_studio.runner.workflow import Workflow, preflight
from likeness_studio.runner.workflow.object_info import catalog_here

PICTURE = torch.rand(1, 60, 60, 3)
LONG = {"long": "x" * 300, "wide": "ä" * 200, "longest": "y" * 100_000, "deep": "a/" * 5000 + "b", "zero": "a\0b"}


def sheet(name: str) -> None:
    asked = {"paper": "10x15cm", "dpi": "300", "count": 1, "orientation": "auto", "gap_mm": -1.0, "margin_mm": -1.0}
    sized = {"cut_marks": True, "caption": True, "width_mm": 30.0, "height_mm": 30.0, "filename_prefix": name}
    PrintSheet.execute(PICTURE, **asked, **sized)


def picture(name: str) -> None:
    defaults: dict[str, Any] = {
        each.id: each.default for each in SaveWithProvenance.define_schema().inputs if hasattr(each, "default")
    }
    SaveWithProvenance.execute(**(defaults | {"images": PICTURE, "filename_prefix": name}))


WRITERS = {
    "Save Identity": lambda name: SaveIdentity.execute(Identity(np.ones(4) / 2, (), 1, "e"), name),
    "Print Sheet": sheet,
    "Save with Provenance": picture,
    "Save Image": lambda name: save_images(PICTURE, name, host.output_dir()),
    "Load Identity": LoadIdentity.execute,
    "Load Photos": LoadPhotos.execute,
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("name", LONG.values(), ids=LONG)
def test_a_name_that_is_too_long_is_refused_in_a_sentence(write, name, local):
    with pytest.raises(LikenessError) as caught:
        write(name)
    assert len(str(caught.value)) < 1000
    assert list(local.output_dir.iterdir()) == []


FLOATS = [
    (name, socket.name)
    for name, spec in sorted(catalog_here().items())
    if name.startswith("Likeness")
    for socket in spec.inputs
    if socket.type == "FLOAT"
]


@pytest.mark.parametrize(("name", "socket"), FLOATS)
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused_before_the_run(name, socket, number):
    graph = json.loads(f'{{"1": {{"class_type": "{name}", "inputs": {{"{socket}": {number}}}}}}}')
    problems = preflight.examine(Workflow.from_api("w", graph), catalog_here(), strict=True).problems
    assert [each for each in problems if isinstance(each, OutOfRange) and socket in str(each)]
