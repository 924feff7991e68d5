"""Answers that no ComfyUI gives: each becomes an error of ours that quotes or names what came."""

from __future__ import annotations

import pytest

from likeness_studio.core.errors import LikenessError
from likeness_studio.runner import errors
from likeness_studio.runner.backends import Folders
from likeness_studio.runner.backends.comfy.server import ComfyServer
from likeness_studio.tests.faults.graphs import run_on
from likeness_studio.tests.faults.pretend import Pretend, graph, png


def test_the_recorded_answers_are_a_finished_job(pretend: Pretend, folders: Folders):
    result = run_on(pretend.url, graph(), folders)
    assert [file.path.read_bytes() for file in result.outputs] == [png(), png()]


@pytest.mark.parametrize(
    ("status", "body", "match"),
    [
        (500, b"out of order", r"answered GET /system_stats with 500.*out of order"),
        (401, b"", r"401 Answer: no reason given"),
        (200, b"<html>a router's login page</html>", r"is it a ComfyUI server\?"),
    ],
)
def test_a_server_that_refuses_is_quoted(pretend: Pretend, status: int, body: bytes, match: str):
    pretend.bodies["/system_stats"], pretend.statuses["/system_stats"] = body, status
    server = ComfyServer(pretend.url)
    with pytest.raises(errors.ServerRefused, match=match):
        server.wait_ready()
    server.close()


def test_a_result_whose_file_is_gone_is_named(pretend: Pretend, folders: Folders):
    pretend.statuses["/view"] = 404
    with pytest.raises(errors.OutputMissing, match=r"pretend_\d+_\.png.*404"):
        run_on(pretend.url, graph(), folders)
    assert list(folders.output.iterdir()) == []


NONSENSE = [b"", b"null", b"[]", b"7", b"\xff\xfe", b'{"a": [', b'"text"', b"[" * 100_000]
NEEDED = ["/system_stats", "/object_info", "/upload/image", "/prompt", "/history"]


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: repr(body[:12]))
@pytest.mark.parametrize("path", NEEDED)
def test_nonsense_is_an_error_of_ours_and_never_a_traceback(pretend: Pretend, folders: Folders, path: str, body: bytes):
    pretend.bodies[path] = body
    with pytest.raises(LikenessError):
        run_on(pretend.url, graph(), folders, outage_seconds=0.1)
    assert list(folders.output.iterdir()) == []


@pytest.mark.parametrize("status", [301, 400, 403, 404, 418, 500, 599])
@pytest.mark.parametrize("path", NEEDED)
def test_a_refusal_is_an_error_of_ours_and_never_a_traceback(
    pretend: Pretend, folders: Folders, path: str, status: int
):
    pretend.statuses[path] = status
    with pytest.raises(LikenessError, match=pretend.url):
        run_on(pretend.url, graph(), folders, outage_seconds=0.1, wait_seconds=0.1)
