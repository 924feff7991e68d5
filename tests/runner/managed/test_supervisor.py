"""The supervisor of a managed server: crashes, hangs, recycling, and no orphan whatever dies.

ComfyUI is stood for by stand_in.py here, which says why; the supervisor, its guard and all processes are real.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import httpx
import pytest

from likeness_studio.runner import managed
from likeness_studio.runner.errors import NoManagedServer, ServerStateDamaged
from likeness_studio.runner.managed import processes
from likeness_studio.runner.managed.options import Place
from likeness_studio.runner.managed.processes import ProcessId
from likeness_studio.tests.runner.managed.servers import (
    HTTP,
    QUICK,
    children_of,
    pid,
    post,
    ready_again,
    start,
    until,
)


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
    for guard in children_of(known.supervisor.pid) - {known.server.pid}:
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


@pytest.mark.parametrize("damage", ["", "{", '{"name": "default", "supervisor": null, "state": "stopped"}', None])
def test_a_damaged_state_file_loses_no_running_server(options, damage):
    server = start(options())
    before = server.status()
    file = Place(server.name).state
    if damage is None:
        file.unlink()
    else:
        file.write_text(damage)
    until(lambda: (found := managed.find()) is not None and found.status() == before)
    assert start(options()).already_running
    assert server.stop()
    assert not before.server.alive()


def test_a_server_whose_state_is_not_mended_is_named_with_its_process(options):
    server = start(options())
    known = server.status()
    os.kill(known.supervisor.pid, signal.SIGSTOP)
    try:
        Place(server.name).state.write_text("{")
        with pytest.raises(ServerStateDamaged, match=rf"process {known.supervisor.pid}, .*end that process"):
            managed.find()
    finally:
        os.kill(known.supervisor.pid, signal.SIGCONT)
    assert until(lambda: server.stop())
