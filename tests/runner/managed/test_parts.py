"""The parts of a managed server: ports, logs, names, states, processes, and its command line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from likeness_studio.core.host import state_dir
from likeness_studio.runner import managed
from likeness_studio.runner.errors import (
    BadServerName,
    NoManagedServer,
    OutputUnwritable,
    PortTaken,
)
from likeness_studio.runner.managed import options as places
from likeness_studio.runner.managed import options as ports
from likeness_studio.runner.managed import processes, state
from likeness_studio.runner.managed.child import Child, RotatingLog, follow, tail
from likeness_studio.runner.managed.options import Limits, Options, Place, command
from likeness_studio.runner.managed.processes import ProcessId
from likeness_studio.tests.runner.managed.servers import known_of


def process_of(pid) -> Any:
    return ProcessId.of(pid)


DAMAGED = [
    '{"name": "a", "command": 5}',
    '{"name": "a", "command": ["--port", "x"]}',
    '{"name": "a", "command": ["--port"]}',
    '{"name": "a", "options": {"limits": 5}}',
    '{"name": "a", "options": {"nobody": "knows"}}',
    '{"name": "a", "jobs": "many"}',
    '{"name": "a", "jobs": NaN}',
    '{"name": "a", "url": {}}',
    '{"name": "a", "state": "odd"}',
    '{"name": "b"}',
    '{"name": "a", "supervisor": {"pid": 1e999, "stamp": "x"}}',
    '{"name": "a", "server": {"pid": 99999999999999999999, "stamp": "x"}}',
    "[" * 100_000,
]
"""State files that no supervisor writes."""


HEAD = b"HTTP/1.1 200 OK\r\n"
ENDLESS = {
    "a body": lambda: (HEAD + b"\r\n", *repeat(bytes(1 << 16), 10_000)),
    "a length": lambda: (HEAD + b"Content-Length: 99999999999999\r\n\r\n", *repeat(bytes(1 << 16), 10_000)),
    "a chunk": lambda: (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n", *repeat(bytes(1 << 16), 10_000)),
    "going on": lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 10_000),
    "layers": lambda: (HEAD + b"Content-Length: 100000\r\n\r\n", b"[" * 100_000),
}


@pytest.mark.parametrize("parts", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_that_is_too_long_is_none(bare_server, monkeypatch, parts):
    monkeypatch.setattr(state, "_LARGEST_ANSWER", 1 << 20)

    def serve(connection):
        connection.recv(1 << 16)
        for part in parts():
            connection.sendall(part)
        connection.recv(1)

    began = time.monotonic()
    with pytest.raises((OSError, ValueError)):
        state.ask(bare_server(serve), "/queue")
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("begin", [b"", HEAD, HEAD + b"\r\n"], ids=["status", "headers", "body"])
def test_an_answer_that_trickles_is_given_up(bare_server, monkeypatch, begin):
    monkeypatch.setattr(state, "_ANSWER_SECONDS", 1.0)

    def serve(connection):
        connection.recv(1 << 16)
        connection.sendall(begin)
        for _ in range(80):
            connection.sendall(b"x")
            time.sleep(0.1)

    began = time.monotonic()
    with pytest.raises((OSError, ValueError)):
        state.ask(bare_server(serve), "/queue")
    assert time.monotonic() - began < 4


class TestPorts:
    def test_a_port_with_a_listener_is_not_free(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            assert not ports.is_free("127.0.0.1", port)
            assert not ports.is_free("0.0.0.0", port)
            assert not ports.wait_free("127.0.0.1", port, 0.2)
            with pytest.raises(PortTaken):
                ports.choose("127.0.0.1", port)
        assert ports.wait_free("127.0.0.1", port, 2)
        assert ports.choose("127.0.0.1", port) == port

    def test_a_port_given_to_another_is_passed_over(self):
        first = ports.choose("127.0.0.1", None)
        assert ports.choose("127.0.0.1", None, {first}) > first
        with pytest.raises(
            PortTaken, match=r"^No port from 8188 to 8387 is free on 127\.0\.0\.1; give one with --port\.$"
        ):
            ports.choose("127.0.0.1", None, range(8188, 8388))

    @pytest.mark.parametrize(
        ("listen", "loopback", "host"),
        [
            ("127.0.0.1", True, "127.0.0.1"),
            ("::1", True, "::1"),
            ("localhost", True, "localhost"),
            ("0.0.0.0", False, "127.0.0.1"),
            ("0.0.0.0,::", False, "127.0.0.1"),
            ("127.0.0.1,192.168.0.7", False, "127.0.0.1"),
            ("gpu-box", False, "gpu-box"),
        ],
    )
    def test_what_can_be_reached_from_outside(self, listen, loopback, host):
        assert ports.is_loopback(listen) is loopback
        assert ports.reachable_host(listen) == host


class TestLog:
    def test_the_tail_reaches_into_the_older_log_and_leaves_bars_out(self, tmp_path):
        log = RotatingLog(tmp_path / "a.log", 100)
        for number in range(30):
            log.write(f"line {number}\n".encode())
        log.write(b" 0%\r50%\r100%\nl\xc3\xa4st\xff\n")
        log.close()
        assert (tmp_path / "a.log").stat().st_size <= 100
        assert tail(tmp_path / "a.log", 3) == ["line 29", "100%", "läst\ufffd"]
        assert tail(tmp_path / "a.log", 14)[0] == "line 18"
        assert tail(tmp_path / "a.log", 0) == []
        assert tail(tmp_path / "none.log", 5) == []

    def test_long_logs_are_read_from_their_end(self, tmp_path):
        (tmp_path / "a.log").write_bytes(b"".join(b"%07d\n" % number for number in range(50_000)))
        assert tail(tmp_path / "a.log", 20_000) == [f"{number:07d}" for number in range(30_000, 50_000)]

    def test_a_rotation_that_fails_loses_words_and_nothing_else(self, tmp_path):
        """Else the reader of ComfyUI's output ends, and ComfyUI stops as soon as nobody reads it."""
        (tmp_path / "a.log.1" / "in the way").mkdir(parents=True)
        log = RotatingLog(tmp_path / "a.log", 10)
        for _ in range(3):
            log.write(b"12345678\n")
        (tmp_path / "a.log.1" / "in the way").rmdir()
        (tmp_path / "a.log.1").rmdir()
        log.write(b"again\n")
        log.close()
        assert tail(tmp_path / "a.log", 1) == ["again"]

    def test_following_goes_on_past_a_rotation(self, tmp_path):
        log = RotatingLog(tmp_path / "a.log", 50)
        log.write(b"before\n")
        ended = threading.Event()

        def write():
            for number in range(40):
                log.write(f"l\u00efne {number}\n".encode())
                time.sleep(0.05)
            ended.set()

        reader = follow(tmp_path / "a.log", ended.is_set)
        threading.Timer(0.3, write).start()
        text = "".join(reader)
        assert text.splitlines() == [f"l\u00efne {number}" for number in range(40)]


class TestState:
    @pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 65, "-x", "a\n"])
    def test_a_name_never_leaves_its_folder(self, name):
        with pytest.raises(BadServerName):
            Place(name)

    def test_what_is_written_is_read(self):
        gone = ProcessId(1, "of another boot")
        state.ServerState("a", url="http://x", state="stopped", supervisor=gone, jobs=3).write()
        known = known_of("a")
        assert (known.url, known.jobs, known.supervisor, known.state) == ("http://x", 3, gone, "stopped")
        stray = state_dir() / "servers" / "not a name"
        stray.mkdir()
        (stray / "server.json").write_text("{}")
        assert places.names() == ["a"]

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", "null", '{"name": 1, "supervisor": 5}', '{"supervisor": {}}', *DAMAGED]
    )
    def test_a_damaged_file_is_no_server(self, text):
        Place("a").make()
        Place("a").state.write_text(text)
        assert state.read("a") is None
        assert managed.find("a") is None

    def test_a_damaged_file_of_a_server_that_was_stopped_ends_nothing(self):
        state.ServerState("a", url="http://x", state="stopped").write()
        assert managed.Managed("a", "").stop() is False
        Place("a").state.write_text('{"name": "a", "command": 5}')
        with pytest.raises(NoManagedServer):
            managed.Managed("a", "").stop()
        assert managed.statuses() == []

    def test_a_state_folder_that_cannot_be_written_is_an_error(self, tmp_path, monkeypatch):
        (tmp_path / "file").touch()
        monkeypatch.setenv("LIKENESS_STATE", str(tmp_path / "file"))
        with pytest.raises(OutputUnwritable, match="LIKENESS_STATE"):
            managed.start(Options())

    def test_options_survive_the_state_file(self, tmp_path):
        options = Options("a", tmp_path, None, True, 5, "::1", 7, tmp_path, ("--x", "1"), 3.0, False, Limits(hang=9))
        assert Options.read(json.loads(json.dumps(options.as_dict()))) == options

    def test_the_state_folder_is_the_users(self, monkeypatch, tmp_path):
        monkeypatch.delenv("LIKENESS_STATE")
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        monkeypatch.setenv("HOME", str(tmp_path))
        assert state_dir().is_relative_to(tmp_path)
        assert state_dir().name == "likeness-studio"

    def test_an_unknown_name_is_an_error_and_a_url_is_not(self):
        with pytest.raises(
            NoManagedServer,
            match=r"^No managed server 'default' is running \(none is running\); start it: likeness server start\.$",
        ):
            managed.resolve("@default")
        assert managed.resolve("http://gpu-box:8188") == "http://gpu-box:8188"
        with pytest.raises(BadServerName):
            managed.resolve("@../default")


class TestProcesses:
    def test_a_process_is_told_from_another_with_its_pid(self):
        me = process_of(os.getpid())
        assert me.alive()
        assert not ProcessId(me.pid, me.stamp + "0").alive()

    def test_one_that_ended_and_was_not_collected_is_gone(self):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        known = process_of(child.pid)
        assert known.alive()
        child.kill()
        assert known.wait_gone(10)
        assert ProcessId.of(child.pid) is None
        child.wait()

    def test_psutil_tells_the_same_as_proc(self):
        """What macOS and Windows use works here as well."""
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        stamp = processes._stamp_elsewhere(child.pid)
        assert stamp
        assert stamp == processes._stamp_elsewhere(child.pid)
        child.kill()
        time.sleep(0.2)
        assert processes._stamp_elsewhere(child.pid) == ""
        child.wait()
        assert processes._stamp_elsewhere(child.pid) == ""


class TestAnotherPython:
    """ComfyUI's Python has modules of its own; ours would be found before them, and it would not start."""

    def test_comfyui_does_not_get_where_our_python_finds_its_modules(self, tmp_path, monkeypatch):
        for name in processes.OF_OUR_PYTHON:
            monkeypatch.setenv(name, str(tmp_path / "ours"))
        monkeypatch.setenv("HF_HOME", "kept")
        ended = threading.Event()
        says = "import os, sys; print(sorted(os.environ), os.environ['HF_HOME'], sys.path)"
        log = RotatingLog(tmp_path / "log")
        child = Child([sys.executable, "-c", says], tmp_path, log, lambda jobs: None, ended.set)
        assert ended.wait(30)
        (said,) = tail(tmp_path / "log", 9)
        assert "'PYTHONUNBUFFERED'" in said
        assert "kept" in said
        assert str(tmp_path / "ours") not in said
        assert not [name for name in processes.OF_OUR_PYTHON if f"'{name}'" in said]
        assert child.exit_code() in {0, None}


SECRETS = [
    "C2PA_KEY",
    "LIKENESS_C2PA_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "GITHUB_TOKEN",
]
SECRETS += [
    "OPENAI_API_KEY",
    "PIP_INDEX_URL",
    "UV_INDEX_URL",
    "CUDA_API_KEY",
    "XDG_TOKEN",
    "DATABASE_URL",
    "SSH_AUTH_SOCK",
]


def test_comfyui_does_not_get_the_users_keys_and_tokens(monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(name, "secret")
    for name in ("CUDA_VISIBLE_DEVICES", "HF_HOME", "https_proxy", "LC_ALL", "LIKENESS_MODELS"):
        monkeypatch.setenv(name, "kept")
    passed = processes.for_another_python(PYTHONUNBUFFERED="1")
    assert "secret" not in passed.values()
    assert list(passed.values()).count("kept") == 5
    assert {"PATH", "PYTHONUNBUFFERED"} <= set(passed)
    monkeypatch.setenv(processes.MORE_VARIABLES, "HF_TOKEN, LIKENESS_C2PA_KEY")
    also = processes.for_another_python()
    assert {name for name in SECRETS if name in also} == {"HF_TOKEN", "LIKENESS_C2PA_KEY"}


WORDS = ["Prompt executed in 0.01 seconds", "\x1b[32m[INFO]\x1b[0m \x1b[32mPrompt executed in 0.01 seconds\x1b[0m"]
"""How ComfyUI 0.3.64 and 0.33.0 say that a prompt is done."""


@pytest.mark.parametrize("words", WORDS, ids=["0.3.64", "0.33.0"])
def test_finished_prompts_are_counted_by_comfyuis_own_words(tmp_path, words):
    ended, jobs = threading.Event(), []
    says = f"print('got prompt: Prompt executed in a title'); print({words!r}); print({words!r})"
    Child([sys.executable, "-c", says], tmp_path, RotatingLog(tmp_path / "log"), jobs.append, ended.set)
    assert ended.wait(30)
    assert sum(jobs) == 2
    assert tail(tmp_path / "log", 1)[0].endswith("Prompt executed in 0.01 seconds"), "no colours where errors show it"


def test_the_command_line_keeps_to_this_machine_and_to_its_own_temporary_files(tmp_path):
    words = command(Options("a", cpu=True, extra=("--lowvram",)), tmp_path, Path("python"), 8199)
    assert words[:6] == ["python", str(tmp_path / "main.py"), "--listen", "127.0.0.1", "--port", "8199"]
    assert words[words.index("--temp-directory") + 1] == str(Place("a").temp)
    assert words[-1] == "--lowvram"
    words = command(Options("a", extra=("--temp-directory", "/x")), tmp_path, Path("python"), 8199)
    assert words.count("--temp-directory") == 1
    assert "--cpu" not in words
