"""Answers that a real ComfyUI cannot be made to give on demand: a small server gives them."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from likeness_studio.nodes.errors import LikenessError
from likeness_studio.runner import errors
from likeness_studio.runner.server import job as server_job
from likeness_studio.runner.server.backend import ServerBackend
from likeness_studio.runner.server.transport import ComfyServer


class Broken(ThreadingHTTPServer):
    """Answers like ComfyUI except where `faults` says otherwise: a path's beginning to (status, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: dict[str, tuple[int, bytes]] = {}
        self.answers: dict[str, Any] = {
            "/system_stats": {},
            "/prompt": {"prompt_id": "x"},
            "/queue": {},
            "/history": {},
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        assert isinstance(self.server, Broken)
        for path, (status, body) in self.server.faults.items():
            if self.path.startswith(path):
                return self.answer(status, body)
        for path, body in self.server.answers.items():
            if self.path.startswith(path):
                return self.answer(200, json.dumps(body).encode())
        return self.answer(404, b"not found")

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args, **options):
        pass


@pytest.fixture
def server():
    broken = Broken()
    threading.Thread(target=broken.serve_forever, args=(0.02,), daemon=True).start()
    yield broken
    broken.shutdown()
    broken.server_close()


def hurry(monkeypatch):
    monkeypatch.setattr(server_job, "ASK_FIRST", 0.05)
    monkeypatch.setattr(server_job, "RECHECK_SECONDS", 0.02)


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        ((500, b"out of order"), r"answered GET /system_stats with 500.*out of order"),
        ((401, b""), r"401 Unauthorized: no reason given"),
        ((200, b"<html>a router's login page</html>"), r"is it a ComfyUI server\?"),
    ],
)
def test_a_server_that_refuses_is_quoted(server, fault, match):
    server.faults["/system_stats"] = fault
    with pytest.raises(errors.ServerRefused, match=match):
        ComfyServer(server.url).wait_ready()


def test_a_prompt_that_the_server_forgot_is_lost_not_done(server, workflow, invert, folders, monkeypatch):
    hurry(monkeypatch)
    with pytest.raises(errors.JobLost, match=r"has lost the job .* 3 times"):
        ServerBackend(server.url).run(workflow(invert), folders)


def test_a_result_whose_file_is_gone_is_named(server, folders):
    file = {"filename": "gone.png", "subfolder": "", "type": "output"}
    with pytest.raises(errors.OutputMissing, match=r"gone\.png any more \(it answered 404\)"):
        ComfyServer(server.url).download(file, folders.output / "gone.png")
    assert list(folders.output.iterdir()) == []


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b"\xff\xfe", b'{"a": [', b'"text"'])
@pytest.mark.parametrize("path", ["/system_stats", "/prompt", "/history", "/queue"])
def test_nonsense_is_an_error_of_ours_and_never_a_traceback(server, workflow, invert, folders, monkeypatch, path, body):
    hurry(monkeypatch)
    server.faults[path] = (200, body)
    with pytest.raises(LikenessError):
        ServerBackend(server.url).run(workflow(invert), folders)
