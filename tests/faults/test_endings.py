"""How a job ends on a server, by recorded answers with one change: the error says which, whole, without a ComfyUI."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from PIL import Image

from likeness_studio.runner import errors
from likeness_studio.runner.backends import Folders
from likeness_studio.runner.backends.comfy import follow_prompt as job
from likeness_studio.tests.faults.graphs import Graph, run_on
from likeness_studio.tests.faults.pretend import RECORDED, RECORDED_ID, Pretend, graph


def ends(pretend: Pretend, kind: str, **values: Any) -> None:
    """The job's entry in the history says that it ended so."""
    entry = RECORDED["/history"][RECORDED_ID]
    status = {"status_str": "error", "completed": False, "messages": [[kind, values]]}
    pretend.bodies["/history"] = json.dumps({RECORDED_ID: entry | {"outputs": {}, "status": status}}).encode()


def fails(pretend: Pretend, kind: str, words: str) -> None:
    ends(pretend, "execution_error", node_id="1", exception_type=kind, exception_message=words)


def said(pretend: Pretend, folders: Folders, error: type[errors.RunnerError], nodes: Graph | None = None) -> str:
    with pytest.raises(error) as ended:
        run_on(pretend.url, nodes or graph(), folders)
    assert list(folders.output.iterdir()) == []
    return str(ended.value)


def test_a_run_that_was_stopped_there(pretend: Pretend, folders: Folders):
    ends(pretend, "execution_interrupted", node_id="1")
    words = said(pretend, folders, errors.InterruptedOnServer)
    assert words == f"The run was stopped on {pretend.url} before it finished."


def test_a_node_that_failed(pretend: Pretend, folders: Folders):
    fails(pretend, "builtins.IndexError", "index 9 is out of bounds\n")
    words = said(pretend, folders, errors.ServerExecutionError)
    assert words == "Blank (node 1) failed on the server: IndexError: index 9 is out of bounds"


def test_a_node_without_memory_is_tried_once_more(pretend: Pretend, folders: Folders):
    fails(pretend, "torch.OutOfMemoryError", "Allocation on device")
    assert said(pretend, folders, errors.ServerOutOfMemory) == (
        f"Blank (node 1) ran out of memory on {pretend.url}; use a smaller picture, a smaller batch or a smaller model."
    )
    assert len(pretend.seen("POST", "/prompt")) == 2
    assert len(pretend.seen("POST", "/free")) == 1


def test_a_gpu_that_needs_a_restart_is_not_asked_again(pretend: Pretend, folders: Folders):
    fails(pretend, "RuntimeError", "CUDA error: an illegal memory access was encountered\nmore")
    assert said(pretend, folders, errors.ServerBroken) == (
        f"The GPU of {pretend.url} is in a state that only a restart of ComfyUI ends (Blank failed with: "
        "CUDA error: an illegal memory access was encountered); restart it."
    )
    assert len(pretend.seen("POST", "/prompt")) == 1


def test_a_job_that_the_server_forgets_again_and_again(pretend: Pretend, folders: Folders, monkeypatch):
    monkeypatch.setattr(job, "ASK_LAST", 0.05)
    pretend.bodies["/history"] = b"{}"
    pretend.bodies["/queue"] = b'{"queue_running": [], "queue_pending": []}'
    words = said(pretend, folders, errors.JobLost)
    assert re.fullmatch(
        rf"{pretend.url} has lost the job \S+ 3 times; it was restarted or its queue was cleared\. "
        r"Look at its log, then run it again\.",
        words,
    )
    assert len(pretend.seen("POST", "/prompt")) == 3


@pytest.mark.parametrize(("limit", "takes"), [(2**20, "takes 1.0 MB at most"), (None, "takes less")])
def test_a_workflow_that_is_too_large(pretend: Pretend, folders: Folders, limit: int | None, takes: str):
    pretend.bodies["/features"] = json.dumps({"max_upload_size": limit}).encode()
    pretend.statuses["/prompt"] = 413
    nodes = graph()
    nodes["2"]["inputs"]["filename_prefix"] = "x" * 2_000_000
    assert said(pretend, folders, errors.TooLargeForServer, nodes) == (
        f"The workflow has 1.9 MB and {pretend.url} {takes}; make it smaller, or start the server with a larger "
        "--max-upload-size."
    )


def test_a_workflow_that_the_server_refuses(pretend: Pretend, folders: Folders):
    problem = {"message": "Value 0 smaller than min of 1", "details": "width"}
    refusal = {"error": {"type": "invalid"}, "node_errors": {"1": {"errors": [problem]}}}
    pretend.bodies["/prompt"], pretend.statuses["/prompt"] = json.dumps(refusal).encode(), 400
    assert said(pretend, folders, errors.WorkflowRejected).endswith(
        ": Blank (node 1): Value 0 smaller than min of 1 (width)."
    )


def test_a_black_picture(pretend: Pretend, folders: Folders):
    black = io.BytesIO()
    Image.new("RGB", (4, 4)).save(black, "PNG")
    pretend.bodies["/view"] = black.getvalue()
    assert re.fullmatch(
        r"pretend_\d+_\.png is completely black, which is what invalid numbers \(NaN\) become; use another model "
        r"precision \(such as --fp32-vae on the server\), or allow black pictures\.",
        said(pretend, folders, errors.OutputBlank),
    )
