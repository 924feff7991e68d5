"""Requests as they go over the wire: base paths, logins, redirects, proxies, certificates, broken connections."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from likeness_studio.runner.backends.comfy.events import Listener
from likeness_studio.runner.backends.comfy.http import Broken, Http, NoConnection
from likeness_studio.runner.backends.comfy.server import ComfyServer
from likeness_studio.runner.errors import BadServerAddress, ServerRefused, ServerUnreachable


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Recording(ThreadingHTTPServer):
    """Answers as `answer` says, and notes what it was asked."""

    daemon_threads = True

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Recorder)
        self.answer, self.seen, self.accepted, self.url = answer, [], 0, ""

    def get_request(self):
        self.accepted += 1
        return super().get_request()


class Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        assert isinstance(self.server, Recording)
        length = int(self.headers.get("Content-Length") or 0)
        self.server.seen.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
        status, headers, body = self.server.answer(self.path)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args, **options):
        pass


@pytest.fixture
def start():
    """Starts small servers that note what they were asked."""
    running = []

    def begin(answer=lambda path: (200, {}, b"{}"), context=None):
        server = Recording(answer)
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        running.append(server)
        return server

    yield begin
    for server in running:
        server.shutdown()
        server.server_close()


def test_a_base_path_a_login_and_headers_go_with_every_request(start):
    there = start()
    server = ComfyServer(f"{there.url.replace('//', '//me:s%40cret@')}/comfy/", {"X-Token": "t"})
    server.system_stats()
    server.free()
    assert [path for _, path, _, _ in there.seen] == ["/comfy/system_stats", "/comfy/free"]
    for _, _, headers, _ in there.seen:
        assert headers["Authorization"] == "Basic " + base64.b64encode(b"me:s@cret").decode()
        assert headers["X-Token"] == "t"
    assert "s@cret" not in server.url
    assert json.loads(there.seen[1][3]) == {"unload_models": True, "free_memory": True}


def test_connections_are_kept(start):
    there = start()
    server = ComfyServer(there.url)
    for _ in range(5):
        server.system_stats()
    assert there.accepted == 1


def test_a_connection_that_the_server_closed_meanwhile_is_no_error(start):
    there = start(lambda path: (200, {"Connection": "close"}, b"{}"))
    server = ComfyServer(there.url)
    for _ in range(3):
        server.system_stats()
    assert len(there.seen) == 3


def test_a_question_is_sent_on_within_the_servers_own_origin(start):
    there = start(lambda path: (302, {"Location": "/comfy/x"}, b"") if path == "/system_stats" else (200, {}, b"{}"))
    ComfyServer(there.url.replace("//", "//me:secret@"), {"X-Token": "t"}).system_stats()
    assert [path for _, path, _, _ in there.seen] == ["/system_stats", "/comfy/x"]
    assert there.seen[1][2]["X-Token"] == "t"


ELSEWHERE = {
    "another host": "http://localhost:{port}/there",
    "another port": "http://127.0.0.1:{port}/there",
    "another scheme": "https://127.0.0.1:{own}/there",
    "no scheme": "//127.0.0.1:{port}/there",
    "two hosts": "http://localhost:{port}\\@127.0.0.1:{own}/there",
    "two hosts in no scheme": "//localhost:{port}\\@127.0.0.1:{own}/there",
    "a blank within": "http://localhost:{port} @127.0.0.1:{own}/there",
    "a tab within": "/\t/localhost:{port}/there",
    "a host in another spelling": "http://0x7f.1:{port}/there",
    "no http": "file:///etc/passwd",
    "no address": "http://[::1/there",
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ELSEWHERE.values(), ids=ELSEWHERE)
def test_nothing_goes_to_another_origin(start, tmp_path, status, location):
    other = start()
    there = start()
    onward = location.format(port=other.server_port, own=there.server_port)
    there.answer = lambda path: (status, {"Location": onward}, b"")
    server = ComfyServer(there.url.replace("//", "//me:secret@"), {"X-Token": "t"})
    (tmp_path / "me.jpg").write_bytes(b"a photo")
    asked = [
        server.system_stats,
        lambda: server.submit({"prompt": {}}),
        lambda: server.upload(tmp_path / "me.jpg", "me.jpg", "x"),
        lambda: server.download({"filename": "a.png"}, tmp_path / "a.png"),
    ]
    for ask in asked:
        with pytest.raises((ServerRefused, ServerUnreachable)):
            ask()
    assert not other.seen
    assert not (tmp_path / "a.png").exists() or not (tmp_path / "a.png").read_bytes()


def test_what_is_sent_is_not_sent_on_even_within_the_origin(start, tmp_path):
    there = start(lambda path: (307, {"Location": "/elsewhere"}, b""))
    (tmp_path / "me.jpg").write_bytes(b"a photo")
    with pytest.raises(
        ServerRefused, match=r"/upload/image is not taken: it sends that on to http://127.0.0.1"
    ) as told:
        ComfyServer(there.url).upload(tmp_path / "me.jpg", "me.jpg", "x")
    assert told.value.status == 307
    assert len(there.seen) == 1


def test_a_login_does_not_follow_the_socket_to_another_host(start):
    other = start()
    there = start(lambda path: (302, {"Location": f"ws://localhost:{other.server_port}/ws"}, b""))
    listener = Listener(ComfyServer(there.url.replace("//", "//me:secret@")))
    listener.start()
    until(lambda: there.seen)
    listener.close()
    assert listener._thread
    listener._thread.join(5)
    assert not other.seen


def test_a_socket_that_is_closed_at_once_is_opened_ever_more_rarely():
    with socket.create_server(("127.0.0.1", 0)) as there:
        times = []

        def shake_hands_and_close():
            with suppress(OSError):
                while True:
                    connection = there.accept()[0]
                    with connection:
                        times.append(time.monotonic())
                        asked = connection.recv(1 << 16).decode()
                        key = asked.partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]
                        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
                        connection.sendall(
                            b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
                        )

        threading.Thread(target=shake_hands_and_close, daemon=True).start()
        listener = Listener(ComfyServer(f"http://127.0.0.1:{there.getsockname()[1]}"))
        listener.start()
        time.sleep(3)
        listener.close()
        assert 3 <= len(times) <= 8, f"{len(times)} connections in 3 s"


def test_a_header_with_a_line_end_is_cleaned_and_its_value_never_shown(start):
    there = start()
    ComfyServer(there.url, {"Authorization": "Bearer secret\n"}).system_stats()
    assert there.seen[0][2]["Authorization"] == "Bearer secret"
    with pytest.raises(ServerUnreachable, match="header") as caught:
        ComfyServer(there.url, {"Authorization": "Bearer\nsecret"}).system_stats()
    assert "secret" not in str(caught.value)


def test_a_bad_address_is_named_without_its_login():
    with pytest.raises(
        BadServerAddress,
        match=r"^'gpu:99999' is not a server's address; write it like http://127\.0\.0\.1:8188, or @NAME\.$",
    ) as caught:
        ComfyServer("http://me:secret@gpu:99999")
    assert "secret" not in str(caught.value)


def test_a_proxy_of_another_kind_is_named(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://me:secret@127.0.0.1:1080")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ServerUnreachable, match=r"kind 'socks5'.*NO_PROXY") as caught:
        ComfyServer("http://gpu.example:8188")
    assert "secret" not in str(caught.value)
    ComfyServer("http://127.0.0.1:8188").close()


def test_a_circle_of_redirects_ends(start):
    there = start(lambda path: (302, {"Location": path}, b""))
    with pytest.raises(ServerRefused, match="more than 5 times"):
        ComfyServer(there.url).system_stats()
    assert len(there.seen) == 5


def test_the_environments_proxy_is_asked_for_other_hosts_and_not_for_this_machine(start, monkeypatch):
    proxy, there = start(), start()
    monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//user:pass@"))
    monkeypatch.delenv("no_proxy", raising=False)
    ComfyServer("http://gpu.example:8188").system_stats()
    method, target, headers, _ = proxy.seen[0]
    assert (method, target) == ("GET", "http://gpu.example:8188/system_stats")
    assert headers["proxy-authorization"] == "Basic " + base64.b64encode(b"user:pass").decode()
    ComfyServer(there.url).system_stats()
    assert len(proxy.seen) == 1
    monkeypatch.setenv("no_proxy", "gpu.example")
    with pytest.raises(ServerUnreachable):
        ComfyServer("http://gpu.example:8188").system_stats(timeout=1)
    assert len(proxy.seen) == 1


def test_an_upload_is_a_form_with_the_photos_own_bytes(start, tmp_path):
    there = start(lambda path: (200, {}, b'{"name": "a.jpg", "subfolder": "x"}'))
    photo = tmp_path / "a.jpg"
    photo.write_bytes(bytes(range(256)) * 10)
    assert ComfyServer(there.url).upload(photo, 'a "b".jpg', "x") == "x/a.jpg"
    _, path, headers, body = there.seen[0]
    assert path == "/upload/image"
    assert headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert photo.read_bytes() in body
    assert b'name="subfolder"' in body


@pytest.fixture
def certificate(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2"]
    subprocess.run(
        [*words, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert


def test_https_with_a_certificate_of_the_users_own(start, certificate, monkeypatch):
    from likeness_studio.core.models import http as web

    context, cert = certificate
    there = start(context=context)
    with pytest.raises(ServerUnreachable, match=r"certificate verify failed") as caught:
        ComfyServer(there.url).system_stats()
    assert caught.value.sent is False
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    web.trust.cache_clear()
    try:
        ComfyServer(there.url).system_stats()
    finally:
        web.trust.cache_clear()
    assert there.seen[0][1] == "/system_stats"


def test_what_was_sent_and_what_was_not_are_told_apart():
    """A prompt that may have arrived is asked for before it is sent again; one that cannot have arrived is not."""
    with pytest.raises(NoConnection, match="refused"):
        Http("http://127.0.0.1:9", {}, 2, proxied=False).request("GET", "/")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up():
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(Broken):
            Http(f"http://127.0.0.1:{listener.getsockname()[1]}", {}, 2, proxied=False).request("POST", "/", json={})


def test_a_silent_server_is_a_bounded_wait():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = ComfyServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(ServerUnreachable, match="timed out") as caught:
            server.system_stats(timeout=0.2)
    assert caught.value.sent is True


def test_an_answer_that_ends_early_is_a_broken_connection(start):
    there = start(lambda path: (200, {"Content-Length": "100", "Connection": "close"}, b"short"))
    with pytest.raises(ServerUnreachable):
        ComfyServer(there.url).system_stats()


def test_a_refusal_is_quoted_and_its_connection_can_be_used_again(start):
    there = start(lambda path: (500, {}, b"out of order") if "stats" in path else (200, {}, b"{}"))
    server = ComfyServer(there.url)
    with pytest.raises(
        ServerRefused,
        match=r"^The ComfyUI server at \S+ answered GET /system_stats with 500 Internal Server Error: out of order\.$",
    ) as caught:
        server.system_stats()
    assert caught.value.status == 500
    assert server.object_info() == {}


def test_newer_servers_cancel_in_one_step_and_older_ones_in_two(start):
    """What ComfyUI 0.3.64 lacks: it is asked for once, and not again where it is not there."""
    newer, older = start(), start(lambda path: (404 if "jobs" in path else 200, {}, b"{}"))
    for there, expected in (
        (newer, ["/api/jobs/a/cancel", "/api/jobs/b/cancel"]),
        (older, ["/api/jobs/a/cancel", "/queue", "/interrupt", "/queue", "/queue", "/interrupt", "/queue"]),
    ):
        server = ComfyServer(there.url)
        server.cancel("a")
        server.cancel("b")
        assert [path for _, path, _, _ in there.seen] == expected
    posted = [json.loads(body) for method, _, _, body in older.seen if method == "POST" and body]
    assert posted == [{"delete": ["a"]}, {"prompt_id": "a"}, {"delete": ["b"]}, {"prompt_id": "b"}]
