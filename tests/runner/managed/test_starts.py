"""Starts of a managed server that fail, are broken off or lose their port; the pack, the log and the state file."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time

import pytest

from likeness_studio.core.errors import Interrupted
from likeness_studio.runner import managed
from likeness_studio.runner.errors import PackNotInstalled, PortTaken, ServerStartFailed
from likeness_studio.runner.managed import Limits
from likeness_studio.runner.managed.options import Place
from likeness_studio.tests.runner.managed.servers import (
    PACK,
    QUICK,
    pid,
    post,
    start,
    until,
)


def test_a_start_that_fails_has_the_log_and_a_hint(options):
    with pytest.raises(ServerStartFailed, match="exit code 3") as failed:
        start(options("--exit", "3"))
    assert failed.value.log[0] == "Torch not compiled with CUDA enabled"
    assert "--cpu" in str(failed.value)
    assert failed.value.as_dict()["code"] == "server_start_failed"
    (known,) = managed.statuses()
    assert known.state == "failed"
    assert known.server is None


def test_a_start_that_takes_too_long_is_taken_back(options):
    with pytest.raises(ServerStartFailed, match=r"0\.5 s"):
        start(options("--slow", "30", wait=0.5))
    (known,) = managed.statuses()
    assert known.state == "stopped"


def test_a_start_that_is_broken_off_is_taken_back(options):
    began = time.monotonic()
    seen = []

    def stopped():
        seen.extend(known.server for known in managed.statuses() if known.server)
        return bool(seen) and time.monotonic() - began > 0.5

    with pytest.raises(Interrupted):
        start(options("--slow", "30"), stopped=stopped)
    assert seen
    assert not seen[-1].alive()


def test_without_a_wait_it_comes_up_by_itself(options):
    server = start(options("--slow", "0.5", wait=0.0))
    assert server.status().state == "starting"
    until(lambda: server.status().state == "ready")


def test_a_restart_is_another_process_on_the_same_port(options):
    server = start(options(recycle_after=7, port=None))
    before = pid(server)
    again = server.restart()
    assert again.url == server.url
    assert pid(again) != before
    assert again.status().recycle_after == 7


def test_a_taken_port_is_refused_when_named_and_passed_over_when_not(options):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        with pytest.raises(PortTaken, match=str(taken)):
            start(options(port=taken))
    first = start(options(port=None))
    second = start(options(port=None, name="second"))
    assert first.url != second.url
    assert {known.name for known in managed.statuses()} == {"default", "second"}


def test_a_port_that_is_lost_while_comfyui_starts_is_given_up_for_another(options):
    server = start(options("--slow", "2", port=None, wait=0.0))
    first = server.status().port
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", first))
        listener.listen()
        again = start(options())
    assert again.already_running
    assert again.status().port not in {0, first}
    assert again.url.endswith(f":{again.status().port}")
    assert pid(again) == again.status().server.pid


def test_a_port_that_was_named_is_not_given_up_for_another(options):
    start(options("--slow", "2", wait=0.0))
    (known,) = managed.statuses()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", known.port))
        listener.listen()
        with pytest.raises(ServerStartFailed, match=r"address already in use|Address already in use"):
            start(options())


def test_somebody_elses_answer_on_the_port_does_not_count(options):
    """The port is taken between the choice and ComfyUI's own start: its answer must not be mistaken for ours."""
    mine = start(options())
    before = mine.status()
    known = start(options(port=None, name="other")).status()
    from likeness_studio.runner.managed.state import Probe

    probe = Probe(before.url, known.command[1:], 0.05, lambda: None)
    probe.start()
    time.sleep(0.5)
    probe.end()
    assert not probe.ready


def test_the_pack_is_linked_once_and_the_link_is_said(options, tmp_path):
    said = []
    start(options(), said.append).stop()
    link = tmp_path / "base" / "custom_nodes" / "likeness-studio"
    assert link.resolve() == PACK
    assert any(str(link.parent) in text for text in said)
    said.clear()
    start(options(), said.append)
    assert not any("Linked" in text for text in said)


def test_a_pack_that_is_there_twice_is_refused(options, tmp_path):
    folder = tmp_path / "base" / "custom_nodes"
    folder.mkdir(parents=True)
    for name in ("mine", "likeness-studio"):
        (folder / name).symlink_to(PACK)
    with pytest.raises(PackNotInstalled, match="twice"):
        start(options())
    assert managed.find() is None


def test_a_pack_that_comfyui_found_elsewhere_as_well_or_could_not_load_is_said(options, tmp_path):
    (tmp_path / "base").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.symlink_to(PACK)
    lines = [f"   0.1 seconds{' (IMPORT FAILED)' * bad}: {where}" for bad in (0, 1) for where in (PACK, elsewhere)]
    (tmp_path / "base" / "say.txt").write_text("\n".join(lines))
    said = []
    start(options(), said.append)
    assert any("loaded the pack 2 times" in text for text in said)
    assert any(f"could not load the pack from {elsewhere}" in text for text in said)


def test_what_earlier_starts_printed_is_not_taken_for_this_ones(options, tmp_path):
    (tmp_path / "base").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.symlink_to(PACK)
    (tmp_path / "base" / "say.txt").write_text(f"   0.1 seconds: {elsewhere}")
    server = start(options())
    (tmp_path / "base" / "say.txt").write_text(f"   0.1 seconds: {PACK}\n   0.1 seconds: {PACK}")
    said = []
    server.restart(said.append).stop()
    assert not any("loaded the pack" in text for text in said)
    with pytest.raises(ServerStartFailed) as failed:
        start(options("--exit", "3"))
    assert failed.value.log[0] == "Torch not compiled with CUDA enabled"
    assert str(PACK) not in str(failed.value)


def test_the_log_is_bounded(options):
    limits = Limits(**{**vars(QUICK), "log_bytes": 2000})
    server = start(options(limits=limits))
    for _ in range(200):
        post(server, "job")
    until(lambda: server.status().jobs == 200)
    log = Place("default").log
    assert log.stat().st_size <= 2000
    assert log.with_name("comfyui.log.1").stat().st_size <= 2000
    assert server.log(50) == ["Prompt executed in 0.01 seconds"] * 50


def test_listening_beyond_this_machine_is_said(options):
    said = []
    server = start(options(listen="0.0.0.0"), said.append)
    assert any("no password" in text for text in said)
    assert server.url.startswith("http://127.0.0.1:")


def test_the_state_file_is_whole_at_every_moment(options):
    server = start(options(recycle_after=1000))
    ended = threading.Event()

    def work():
        for _ in range(100):
            post(server, "job")
        ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    reads = 0
    while not ended.is_set():
        json.loads(Place("default").state.read_text())
        reads += 1
    thread.join()
    assert reads > 10


def test_a_python_that_is_gone_at_a_restart_is_a_crash_with_its_reason(options, tmp_path):
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    server = start(options(python=python))
    python.unlink()
    os.kill(pid(server), signal.SIGKILL)
    known = until(lambda: server.status() if server.status().state == "failed" else None)
    assert "No such file" in known.last_error


def test_a_relative_state_folder_is_the_same_for_the_supervisor(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIKENESS_STATE", "here")
    server = start(options())
    assert (tmp_path / "here" / "servers" / "default" / "server.json").is_file()
    server.stop()
