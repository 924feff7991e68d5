"""A managed server with a real ComfyUI: up, with the pack, back after a crash, and gone without a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest

from likeness_studio.nodes.extension import node_classes
from likeness_studio.runner import managed
from likeness_studio.runner.errors import ServerStartFailed
from likeness_studio.runner.managed import Limits, Options
from likeness_studio.runner.managed import installation as pack
from likeness_studio.runner.managed.options import Place

pytestmark = pytest.mark.comfyui
LIKENESS = [sys.executable, "-P", "-c", "from likeness_studio.runner.cli import main; main(prog_name='likeness')"]


@pytest.fixture(autouse=True)
def state_folder(tmp_path, monkeypatch):
    if not os.environ.get("COMFYUI_PATH"):
        pytest.skip("set COMFYUI_PATH (and COMFYUI_PYTHON) to test against a real ComfyUI")
    monkeypatch.setenv("LIKENESS_STATE", str(tmp_path / "state"))
    yield
    for known in managed.statuses():
        managed.Managed(known.name, "").stop()


def get(url):
    with httpx.Client(trust_env=False, timeout=10) as client:
        return client.get(url).json()


def test_up_with_the_pack_back_after_kill_9_and_gone_after_stop(tmp_path):
    base = tmp_path / "base"
    words = ["server", "start", "--cpu", "--base", str(base), "--name", "real"]
    started = subprocess.run([*LIKENESS, *words], capture_output=True, text=True, check=False, timeout=200)
    assert started.returncode == 0, started.stderr
    server: Any = managed.find("real")
    assert server.url in started.stdout
    assert get(f"{server.url}/system_stats")["devices"][0]["type"] == "cpu"

    info = get(f"{server.url}/object_info")
    assert {node.GET_SCHEMA().node_id for node in node_classes()} <= set(info)
    good, bad = pack.loaded("\n".join(server.log(pack.LOG_LINES)))
    assert (good, bad) == ([str(base / "custom_nodes" / "likeness-studio")], [])

    before = server.status()
    os.kill(before.server.pid, signal.SIGKILL)
    deadline = time.monotonic() + 120
    while (known := server.status()).state != "ready" or known.server.pid == before.server.pid:
        assert known.state != "failed", known.last_error
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert known.restarts == 1
    assert known.url == before.url
    assert get(f"{server.url}/queue") == {"queue_running": [], "queue_pending": []}

    assert server.stop()
    assert not known.server.alive()
    assert not known.supervisor.alive()
    assert not Place("real").temp.exists()
    with pytest.raises(httpx.ConnectError):
        get(f"{server.url}/queue")


def test_what_comfyui_does_not_know_fails_at_once_with_its_own_words(tmp_path):
    began = time.monotonic()
    with pytest.raises(ServerStartFailed, match="--no-such-option"):
        managed.start(Options(cpu=True, base=tmp_path / "base", extra=("--no-such-option",), limits=Limits()))
    assert time.monotonic() - began < 60
