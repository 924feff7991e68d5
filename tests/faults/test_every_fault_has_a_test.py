"""The fault matrix: every fault that a runner must survive has a test named after it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

FAULTS = {
    1: "the WebSocket drops, the job finishes",
    2: "the WebSocket is open and silent for ever",
    3: "success is announced before the history is written",
    4: "the WebSocket connects after the submission",
    5: "a fully cached prompt sends no `executed`",
    6: "a cached output was deleted on the server",
    7: "temporary pictures are among the results",
    8: "the server restarts mid-job and forgets the prompt",
    9: "the server is slow to start, or dead",
    10: "out of memory, then a poisoned CUDA context",
    11: "memory of the server grows over long batches",
    12: "the server's history grows",
    13: "two jobs write the same filename",
    14: "outputs in subfolders and of several types",
    15: "an interrupted run",
    16: "a cancelled run, beside another client's",
    17: "node classes or models are missing",
    18: "NaN gives a black picture and success",
    19: "an upload over the server's size limit",
    20: "hostile filenames from the server",
    21: "foreign, malformed or disordered WebSocket messages",
    22: "Ctrl-C and SIGTERM at any moment",
    23: "reconnecting without back-off",
    24: "HTTP 200 with node_errors",
    25: "the connection is lost while submitting",
    26: "the runner is killed during a batch and started again",
    27: "one of several servers dies during a batch",
    28: "the disk is full or the output folder read-only",
    29: "broken and unusual photos in the input folder",
}


def sources() -> str:
    return "\n".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py") if path != Path(__file__))


@pytest.mark.parametrize("number", FAULTS, ids=lambda number: f"{number:02}")
def test_a_test_is_named_after_the_fault(number: int):
    name = rf"^\s*(?:async )?def (test_fault_{number:02}_\w+)\("
    assert re.findall(name, sources(), re.MULTILINE), f"no test for: {FAULTS[number]}"


def test_no_test_is_named_after_a_fault_that_is_not_listed():
    named = {int(number) for number in re.findall(r"def test_fault_(\d\d)_", sources())}
    assert named <= set(FAULTS)
