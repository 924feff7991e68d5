"""A server that is not there yet, goes away, comes back, forgets, or stays dead."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from likeness_studio.runner import errors
from likeness_studio.runner.backends import Folders, RunResult
from likeness_studio.runner.backends.comfy import follow_prompt as job
from likeness_studio.runner.backends.comfy import server as transport
from likeness_studio.tests.faults.conftest import Mortal
from likeness_studio.tests.faults.graphs import SecondClient, colour, colour_of, picture, run_on, until, waiting
from likeness_studio.tests.faults.proxy import Exchange, Proxy
from likeness_studio.tests.faults.wrongs import answer, cut_before

pytestmark = pytest.mark.comfyui


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def start(
    pool: ThreadPoolExecutor, url: str, folders: Folders, seconds: float, rgb: int, outage_seconds: float = 60.0
) -> Future[RunResult]:
    """Run a waiting job in the background."""
    return pool.submit(run_on, url, waiting(seconds, rgb), folders, wait_seconds=60.0, outage_seconds=outage_seconds)


def test_fault_08_server_is_killed_and_restarted_mid_job(
    mortal: Mortal, folders: Folders, background: ThreadPoolExecutor
):
    rgb = colour()
    run = start(background, mortal.url, folders, 1.5, rgb)
    until(SecondClient(mortal.url).running)
    mortal.kill()
    time.sleep(0.5)
    assert not run.done(), "a dead server is not the end of the job"
    mortal.start()
    result = run.result(30)
    assert [colour_of(file.path) for file in result.outputs] == [rgb]
    assert [file.path for file in result.outputs] == list(folders.output.iterdir())
    assert any("again" in note for note in result.notes), result.notes


def test_fault_08_server_stays_dead_mid_job(mortal: Mortal, folders: Folders, background: ThreadPoolExecutor):
    run = start(background, mortal.url, folders, 20.0, colour(), outage_seconds=1.5)
    until(SecondClient(mortal.url).running)
    mortal.kill()
    began = time.monotonic()
    with pytest.raises(errors.ServerUnreachable, match=mortal.url):
        run.result(15)
    assert time.monotonic() - began < 8
    assert list(folders.output.iterdir()) == []


def test_fault_08_prompt_forgotten_while_the_server_lives(
    proxy: Proxy, folders: Folders, background: ThreadPoolExecutor, second: SecondClient
):
    """Somebody clears the queue: our waiting job is gone without a word, and is submitted again."""
    blocker = second.submit(waiting(2.0))
    until(lambda: blocker in second.running())
    rgb = colour()
    run = start(background, proxy.url, folders, 0.0, rgb)
    until(second.pending)
    second.http.post("/queue", json={"clear": True})
    result = run.result(30)
    assert [colour_of(file.path) for file in result.outputs] == [rgb]
    assert len(proxy.seen("POST", "/prompt")) == 2


def test_fault_08_prompt_that_is_always_forgotten_is_lost_not_done(
    proxy: Proxy, folders: Folders, monkeypatch: pytest.MonkeyPatch
):
    """The server says yes and never has the job: the first submission and two more, then an error."""
    monkeypatch.setattr(job, "ASK_FIRST", 0.3)
    proxy.on(
        "POST",
        "/prompt",
        lambda exchange: exchange.answer(
            200, b'{"prompt_id": "%s", "node_errors": {}}' % exchange.request.json()["prompt_id"].encode()
        ),
    )
    with pytest.raises(errors.JobLost, match=proxy.url):
        run_on(proxy.url, picture(colour()), folders)
    assert len(proxy.seen("POST", "/prompt")) == 3
    assert list(folders.output.iterdir()) == []


def test_fault_09_server_is_slow_to_start(dead: Mortal, folders: Folders, background: ThreadPoolExecutor):
    rgb = colour()
    run = start(background, dead.url, folders, 0.0, rgb)
    dead.start()
    assert [colour_of(file.path) for file in run.result(30).outputs] == [rgb]


def test_fault_09_server_is_dead_from_the_start(folders: Folders):
    began = time.monotonic()
    with pytest.raises(errors.ServerUnreachable, match=r"http://127\.0\.0\.1:9\b.*waited 1 s"):
        run_on("127.0.0.1:9", picture(colour()), folders, wait_seconds=1.0)
    assert time.monotonic() - began < 3


def test_fault_09_server_accepts_and_never_answers(folders: Folders):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(errors.ServerUnreachable, match=url):
            run_on(url, picture(colour()), folders, wait_seconds=1.0)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("status", [502, 503])
def test_fault_09_gateway_answers_for_a_server_that_starts(proxy: Proxy, folders: Folders, status: int):
    """What a web server before ComfyUI says while ComfyUI starts."""
    proxy.on(None, "/", answer(status, b"<html>Bad Gateway</html>", "text/html"), times=3)
    rgb = colour()
    result = run_on(proxy.url, picture(rgb), folders)
    assert [colour_of(file.path) for file in result.outputs] == [rgb]


def test_fault_09_something_else_answers_there(alone: Proxy, folders: Folders):
    alone.on(None, "/", answer(200, b"<html>a router's login page</html>", "text/html"))
    with pytest.raises(errors.ServerRefused, match=alone.url):
        run_on(alone.url, picture(colour()), folders, wait_seconds=1.0)


def test_fault_23_refused_connections_mid_job_are_waited_out(
    proxy: Proxy, folders: Folders, background: ThreadPoolExecutor, second: SecondClient
):
    rgb = colour()
    run = start(background, proxy.url, folders, 1.0, rgb)
    until(second.running)
    proxy.down()
    time.sleep(2.0)
    proxy.up()
    assert [colour_of(file.path) for file in run.result(30).outputs] == [rgb]
    assert len(proxy.seen("POST", "/prompt")) == 1, "the server still had the job"


def test_fault_23_back_off_grows_and_is_not_in_step(
    proxy: Proxy, folders: Folders, background: ThreadPoolExecutor, second: SecondClient
):
    """While every connection is cut for four seconds, two clients ask ever more rarely, at times of their own."""
    clients = ("one", "two")
    runs = [background.submit(run_on, proxy.url, waiting(1.0), folders, headers={"X-Client": name}) for name in clients]
    until(lambda: len(second.running() + second.pending()) == 2)
    cut_from = time.monotonic()
    proxy.on(None, "/", cut_before)
    time.sleep(4.0)
    proxy.rules.clear()
    for run in runs:
        assert run.result(30).outputs
    pauses = {}
    for name in clients:
        mine = [r for r in proxy.requests if r.headers.get("x-client") == name and r.path != "/ws"]
        times = [r.at for r in mine if cut_from < r.at < cut_from + 4.0]
        pauses[name] = [late - early for early, late in itertools.pairwise(times)]
        assert 3 <= len(times) <= 16, f"{len(times)} requests in 4 s"
        assert max(pauses[name]) > 3 * min(pauses[name]), "no growth"
        sockets = [r for r in proxy.seen("GET", "/ws") if r.headers.get("x-client") == name]
        assert len([r for r in sockets if cut_from < r.at < cut_from + 4.0]) <= 10
    assert pauses["one"] != pytest.approx(pauses["two"], rel=0.02), "no jitter"


def test_fault_23_hanging_request_does_not_hang_the_run(
    proxy: Proxy, folders: Folders, monkeypatch: pytest.MonkeyPatch
):
    """One answer that never comes is given up and asked for again."""
    monkeypatch.setattr(transport, "REQUEST_SECONDS", 1.0)
    let_go = threading.Event()

    def hang(exchange: Exchange) -> None:
        let_go.wait(60)

    proxy.on("GET", "/history", hang, times=1)
    rgb = colour()
    began = time.monotonic()
    result = run_on(proxy.url, picture(rgb), folders)
    assert [colour_of(file.path) for file in result.outputs] == [rgb]
    assert time.monotonic() - began < 10
    let_go.set()
