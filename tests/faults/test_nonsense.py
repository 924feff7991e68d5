"""Answers that no ComfyUI gives: each becomes an error of ours that quotes or names what came."""

from __future__ import annotations

import json
from typing import Any

import pytest

from likeness_studio.core.errors import LikenessError, UnsafePath
from likeness_studio.runner import errors
from likeness_studio.runner.backends import Folders
from likeness_studio.runner.backends.comfy import results
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


def announcing(pretend: Pretend, *files: dict[str, str]) -> None:
    """Let the server's history announce these files of the first saving node."""
    history = json.loads(pretend.bodies["/history"])
    for entry in history.values():
        entry["outputs"] = {"2": {"images": list(files)}}
    pretend.bodies["/history"] = json.dumps(history).encode()


def a_file(name: str, subfolder: str = "") -> dict[str, str]:
    return {"filename": name, "subfolder": subfolder, "type": "output"}


NO_PICTURES = {
    "a page": b"<html>the router's login page, with a password in it</html>",
    "nothing": b"",
    "a program": b"\x7fELF" + bytes(100),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "half a picture": png()[:-30],
}


@pytest.mark.parametrize("body", NO_PICTURES.values(), ids=NO_PICTURES)
@pytest.mark.parametrize("options", [{}, {"allow_black": True}])
def test_what_is_saved_as_a_picture_is_one(pretend: Pretend, folders: Folders, body: bytes, options: dict[str, Any]):
    pretend.bodies["/view"] = body
    with pytest.raises(errors.OutputDamaged, match=r"pretend_\d+_\.png came from the server as a picture"):
        run_on(pretend.url, graph(), folders, **options)
    assert list(folders.output.iterdir()) == []


PLANTED = [".bashrc", ".ssh/authorized_keys.txt", "sub/.hidden/x.png", ".x.png", "a\x1b[2Jb.png", "x" * 300 + ".png"]


@pytest.mark.parametrize("name", [*PLANTED, "/".join("x" * 400) + ".png"])
def test_a_server_cannot_plant_hidden_files_or_odd_names(pretend: Pretend, folders: Folders, name: str):
    announcing(pretend, a_file(name))
    with pytest.raises(UnsafePath, match=r"is no safe name|is too long"):
        run_on(pretend.url, graph(), folders)
    assert list(folders.output.iterdir()) == []


def test_files_that_a_system_or_browser_runs_stay_on_the_server(pretend: Pretend, folders: Folders):
    names = ["run.exe", "page.html", "drawing.svg", "macro.js", "start.bat", "noending", "app.desktop", "x.png.lnk"]
    announcing(pretend, *map(a_file, [*names, "good.PNG"]))
    result = run_on(pretend.url, graph(), folders)
    assert [file.path.name for file in result.outputs] == ["good.PNG"]
    assert [path.name for path in folders.output.iterdir()] == ["good.PNG"]
    (note,) = (note for note in result.notes if "Left on the server" in note)
    assert "run.exe, page.html" in note


def test_a_million_files_are_refused(pretend: Pretend, folders: Folders, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(results, "MOST_FILES", 50)
    announcing(pretend, *(a_file(f"{number}.png") for number in range(60)))
    with pytest.raises(errors.ServerRefused, match="more than 50 files"):
        run_on(pretend.url, graph(), folders)
    assert list(folders.output.iterdir()) == []


def test_a_part_that_is_a_link_is_not_written_through(tmp_path, pretend: Pretend):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    part = tmp_path / ".job.part"
    part.symlink_to(mine)
    ComfyServer(pretend.url).download(a_file("x.png"), part)
    assert mine.read_text() == "mine"
    assert part.read_bytes() == png()
    assert not part.is_symlink()


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
