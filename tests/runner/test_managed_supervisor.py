"""The supervisor of a managed server: crashes, hangs, recycling, and no orphan whatever dies.

ComfyUI is stood for by managed_comfyui.py here, which says why; the supervisor, its guard and all processes are real.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from likeness_studio.core.errors import Interrupted
from likeness_studio.runner import managed
from likeness_studio.runner.errors import NoManagedServer, PackNotInstalled, PortTaken, ServerStartFailed
from likeness_studio.runner.managed import Limits, Options, processes
from likeness_studio.runner.managed.options import Place
from likeness_studio.runner.managed.processes import ProcessId

PACK = Path(managed.__file__).resolve().parents[2]
STAND_IN = Path(__file__).with_name("managed_comfyui.py")
HTTP = httpx.Client(trust_env=False, timeout=5)
QUICK = Limits(hang=1.5, start=20, crashes=4, window=60, backoff=0.05, grace=1, probe=0.1, quiet=0.4)


@pytest.fixture(autouse=True)
def state_folder(tmp_path, monkeypatch):
    """A state folder of the test's own; at its end nothing that was started may run."""
    monkeypatch.setenv("LIKENESS_STATE", str(tmp_path / "state"))
    yield tmp_path / "state"
    for known in managed.statuses():
        managed.Managed(known.name, "").stop()


@pytest.fixture
def comfyui(tmp_path):
    """A folder that looks like ComfyUI's."""
    folder = tmp_path / "ComfyUI"
    folder.mkdir()
    shutil.copy(STAND_IN, folder / "main.py")
    for name in ("nodes.py", "execution.py", "folder_paths.py"):
        (folder / name).touch()
    return folder


@pytest.fixture
def options(comfyui, tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]

    def make(*extra, limits=QUICK, **chosen):
        given = {"port": port, "cpu": True, "base": tmp_path / "base", "wait": 30.0, "python": Path(sys.executable)}
        return Options(comfyui=comfyui, extra=extra, limits=limits, **(given | chosen))

    return make


def start(options, *more, **named) -> Any:
    """A managed server; untyped, because the tests know what its state has at which moment."""
    return managed.start(options, *more, **named)


def post(server, word):
    return HTTP.post(f"{server.url}/{word}").json()


def pid(server):
    return HTTP.get(f"{server.url}/pid").json()


def until(check, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return value


def ready_again(server, since):
    """Its state when it is ready as another process than `since`."""

    def check():
        known = server.status()
        return known if known.state == "ready" and known.server and known.server.pid != since else None

    return until(check)


def test_a_server_starts_says_where_and_stops(options, state_folder):
    server = start(options())
    known = server.status()
    assert (known.state, known.restarts, known.jobs) == ("ready", 0, 0)
    assert known.server.pid == pid(server)
    assert managed.resolve("@default") == server.url == known.url
    processes_of_it = [known.supervisor, known.server]
    assert all(process.alive() for process in processes_of_it)
    assert server.stop() is True
    assert not any(process.alive() for process in processes_of_it)
    assert server.status().state == "stopped"
    assert server.stop() is False
    assert managed.find("default") is None
    with pytest.raises(NoManagedServer, match="likeness server start"):
        managed.resolve("@default")


def test_the_state_is_for_this_user_only(options, state_folder):
    start(options())
    place = Place("default")
    assert place.state.stat().st_mode & 0o777 == 0o600
    assert place.log.stat().st_mode & 0o777 == 0o600
    assert place.folder.stat().st_mode & 0o777 == 0o700
    assert not list(place.folder.glob(".server.json.*"))


def test_a_second_start_finds_the_first(options):
    first = start(options())
    second = start(options(port=None))
    assert second.already_running
    assert not first.already_running
    assert (second.url, second.status().server) == (first.url, first.status().server)


def test_two_starts_at_once_start_one(options):
    servers = []
    threads = [threading.Thread(target=lambda: servers.append(start(options("--slow", "0.5")))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(server.already_running for server in servers) == [False, True]


def test_a_crash_is_mended_on_the_same_port(options):
    server = start(options())
    before = pid(server)
    os.kill(before, signal.SIGKILL)
    known = ready_again(server, before)
    assert (known.restarts, known.url) == (1, server.url)
    assert "SIGKILL" in known.last_error
    assert pid(server) != before


def test_a_hang_is_noticed_and_mended(options):
    server = start(options())
    before = pid(server)
    with pytest.raises(httpx.ReadTimeout):
        HTTP.post(f"{server.url}/hang", timeout=0.3)
    known = ready_again(server, before)
    assert known.restarts == 1
    assert "did not answer for" in known.last_error
    assert not ProcessId.of(before)


def test_after_too_many_crashes_it_gives_up_and_says_so(options):
    server = start(options("--crash-second-time"))
    os.kill(pid(server), signal.SIGKILL)
    known = until(lambda: server.status() if server.status().state == "failed" else None)
    assert known.last_error == (
        "Given up: ComfyUI crashed 4 times within 60 s. The last time: ComfyUI ended with exit code 7."
    )
    assert known.restarts == 3
    until(lambda: not known.supervisor.alive())
    assert managed.find("default") is None


def test_it_is_recycled_after_n_prompts_once_they_are_collected(options):
    server = start(options(recycle_after=3))
    before = pid(server)
    post(server, "history")
    post(server, "busy")
    for _ in range(3):
        post(server, "job")
    until(lambda: server.status().recycling)
    assert managed.is_managed(server.url)
    assert managed.being_recycled(server.url)
    assert not managed.is_managed("http://gpu-box:8188")
    assert not managed.being_recycled("http://gpu-box:8188")
    post(server, "job")
    time.sleep(0.8)
    assert pid(server) == before, "it was busy"
    post(server, "busy")
    post(server, "history")
    known = ready_again(server, before)
    assert (known.recycled, known.restarts, known.jobs, known.last_error) == (1, 0, 4, None)
    assert not managed.being_recycled(server.url)
    post(server, "job")
    until(lambda: server.status().jobs == 5)
    assert pid(server) == known.server.pid, "the count begins anew"


def test_results_that_nobody_collects_delay_a_recycling_and_no_more(options):
    server = start(options(recycle_after=1))
    before = pid(server)
    post(server, "history")
    began = time.monotonic()
    post(server, "job")
    assert ready_again(server, before).recycled == 1
    assert time.monotonic() - began > QUICK.quiet


def test_a_killed_supervisor_leaves_no_orphan(options):
    server = start(options())
    child = post(server, "spawn")
    known = server.status()
    os.kill(known.supervisor.pid, signal.SIGKILL)
    until(lambda: not known.server.alive())
    until(lambda: not ProcessId.of(child))
    assert server.status().state == "failed"
    assert "supervisor" in server.status().last_error
    again = start(options())
    assert not again.already_running
    assert again.status().state == "ready"


def test_what_the_guard_could_not_end_the_next_start_does(options):
    server = start(options())
    known = server.status()
    for guard in _children(known.supervisor.pid) - {known.server.pid}:
        os.kill(guard, signal.SIGKILL)
    os.kill(known.supervisor.pid, signal.SIGKILL)
    time.sleep(0.5)
    assert known.server.alive(), "nobody was left to end it"
    again = start(options())
    assert not known.server.alive()
    assert again.url == server.url


def test_an_unrelated_process_with_the_same_pid_is_left_alone(options, tmp_path):
    server = start(options())
    server.stop()
    stranger: Any = processes.detach(["sleep", "60"], tmp_path / "sleep.log")
    try:
        known = server.status()
        known.state = "ready"
        known.server = known.supervisor = ProcessId(stranger.pid, "some other start time")
        known.write()
        assert server.stop() is False
        assert start(options()).status().state == "ready"
        assert stranger.alive()
    finally:
        stranger.kill_tree()


def test_one_that_ignores_sigterm_is_killed_after_the_grace(options):
    server = start(options("--ignore", "yes"))
    known = server.status()
    began = time.monotonic()
    server.stop()
    assert QUICK.grace <= time.monotonic() - began < QUICK.grace + 3
    assert not known.server.alive()


def test_children_of_a_crashed_comfyui_are_ended_as_well(options):
    server = start(options())
    child, before = post(server, "spawn"), pid(server)
    assert ProcessId.of(child)
    os.kill(before, signal.SIGKILL)
    ready_again(server, before)
    assert not ProcessId.of(child)


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
    with pytest.raises(ServerStartFailed, match=r"not ready within 0\.5 s"):
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


def _children(parent):
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.add(int(folder.name))
    return found
