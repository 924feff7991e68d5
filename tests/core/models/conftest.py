"""A real HTTP server with every fault a download meets, and a manifest that points at it."""

import hashlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from likeness_studio.core.models import Model, UrlSource, manifest
from likeness_studio.core.models import http as reach

CONTENT = b"\x08\x07" + bytes(range(256)) * 4096
"""A megabyte that begins as ONNX does."""


@dataclass
class Page:
    """One address: what it sends and how it misbehaves."""

    body: bytes = CONTENT
    status: int = 200
    etag: str = '"one"'
    ranges: bool = True
    break_after: list[int] = field(default_factory=list)
    """Cut the connection after so many bytes, one entry for each request in turn."""
    statuses: list[int] = field(default_factory=list)
    """Answers to give before `status`, one for each request in turn."""
    location: str = ""
    pause: float = 0.0
    """Seconds between pieces of 16 KiB."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        site = self.server
        assert isinstance(site, Site)
        page = site.pages.get(self.path, Page(status=404, body=b"no such page"))
        site.requests.append((self.path, dict(self.headers)))
        status = page.statuses.pop(0) if page.statuses else page.status
        body, start = page.body, 0
        wanted = self.headers.get("Range")
        if wanted and page.ranges and status == 200 and self.headers.get("If-Range") in (None, page.etag):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            status = 206 if start < len(body) else 416
        self.send_response(status)
        if page.location:
            self.send_header("Location", page.location)
        if page.etag:
            self.send_header("ETag", page.etag)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        piece = b"" if status == 416 else body[start:]
        self.send_header("Content-Length", str(len(piece)))
        self.end_headers()
        cut = page.break_after.pop(0) if page.break_after else len(piece)
        for at in range(0, min(cut, len(piece)), 16384):
            self.wfile.write(piece[at : min(at + 16384, cut)])
            time.sleep(page.pause)

    def log_message(self, *args, **options):
        pass


class Site(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, Page] = {}
        self.requests: list[tuple[str, dict]] = []

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request, client_address):
        """A client that hangs up is part of the tests."""


@pytest.fixture
def site():
    server = Site()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty model folder, and no memory of hosts and verified files."""
    place = tmp_path / "models"
    monkeypatch.setenv("LIKENESS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LIKENESS_MODELS", str(place))
    monkeypatch.delenv("LIKENESS_OFFLINE", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("likeness_studio.core.models.http._PAUSE", 0.01)
    reach.forget_unreachable()
    return place


@pytest.fixture
def publish(monkeypatch):
    """``publish(name, *sources, content=...)`` makes that model the whole manifest's next entry."""
    known: dict[str, Model] = {}
    monkeypatch.setattr("likeness_studio.core.models.store.models", lambda: known)
    monkeypatch.setattr(manifest, "models", lambda: known)

    def add(name, *sources, content=CONTENT):
        known[name] = Model(
            name=name,
            file=f"{name}.onnx",
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            licence="MIT",
            commercial="yes",
            use="matte",
            about="For tests.",
            sources=tuple(UrlSource(source) if isinstance(source, str) else source for source in sources),
        )
        return known[name]

    return add


@pytest.fixture
def content():
    return CONTENT


@pytest.fixture
def page():
    return Page
