"""Real servers for the fault tests, with nodes that fail on demand, and a proxy in front of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from likeness_studio.runner.backends import Folders
from likeness_studio.runner.backends.comfy import follow_prompt as job
from likeness_studio.tests.conftest import ComfyUIServer, free_port, start_comfyui
from likeness_studio.tests.faults.graphs import SecondClient, until
from likeness_studio.tests.faults.pretend import Pretend, png
from likeness_studio.tests.faults.proxy import Proxy

MAX_UPLOAD_MB = 1


class Mortal:
    """A real ComfyUI that a test can kill and start again at the same address."""

    def __init__(self, base: Path, *extra: str) -> None:
        self._extra = ("--disable-api-nodes", *extra)
        self._process: subprocess.Popen[bytes] | None = None
        self.base, self.port = base, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (base / "custom_nodes").mkdir(parents=True)
        shutil.copy(Path(__file__).with_name("nodes_on_server.py"), base / "custom_nodes" / "likeness_faults.py")

    def start(self) -> ComfyUIServer:
        """Start it and wait until it answers."""
        self._process, server = start_comfyui(self.base, *self._extra, port=self.port)
        return server

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it at once, as the kernel does when memory runs out."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None

    @property
    def alive(self) -> bool:
        return self._process is not None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyUIServer]:
    """A real ComfyUI for all fault tests; it takes requests of 1 MB at most."""
    mortal = Mortal(tmp_path_factory.mktemp("faults"), "--max-upload-size", str(MAX_UPLOAD_MB))
    yield mortal.start()
    mortal.kill()


@pytest.fixture(scope="session")
def _mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    if not os.environ.get("COMFYUI_PATH"):
        pytest.skip("set COMFYUI_PATH (and COMFYUI_PYTHON) to test against a real ComfyUI")
    mortal = Mortal(tmp_path_factory.mktemp("mortal"))
    yield mortal
    mortal.kill()


@pytest.fixture
def mortal(_mortal: Mortal) -> Mortal:
    """A second real ComfyUI, running, for tests that kill it."""
    if not _mortal.alive:
        _mortal.start()
    return _mortal


@pytest.fixture
def dead(_mortal: Mortal) -> Mortal:
    """The second real ComfyUI, not running, for tests that start it."""
    _mortal.kill()
    return _mortal


@pytest.fixture
def proxy(server: ComfyUIServer) -> Iterator[Proxy]:
    """A proxy in front of the real server."""
    between = Proxy(server.url)
    yield between
    between.close()


@pytest.fixture
def alone() -> Iterator[Proxy]:
    """A proxy with no server behind it: only its rules answer."""
    between = Proxy()
    yield between
    between.close()


@pytest.fixture
def second(server: ComfyUIServer) -> SecondClient:
    """Another client of the real server, whose queue is empty now."""
    client = SecondClient(server.url)
    until(lambda: not client.running() and not client.pending())
    return client


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    for folder in (made.input, made.output, made.temp):
        folder.mkdir()
    return made


@pytest.fixture
def new_folders(tmp_path: Path) -> Callable[[str], Folders]:
    """Folders for several clients in one test."""

    def made(name: str) -> Folders:
        found = Folders(*(tmp_path / name / kind for kind in ("input", "output", "temp")))
        for folder in (found.input, found.output, found.temp):
            folder.mkdir(parents=True)
        return found

    return made


@pytest.fixture
def pretend(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pretend]:
    """A server that needs no ComfyUI: it gives recorded answers, and a test changes one."""
    monkeypatch.setattr(job, "ASK_FIRST", 0.05)
    monkeypatch.setattr(job, "RECHECK_SECONDS", 0.02)
    (folders.input / "photo.png").write_bytes(png())
    server = Pretend()
    yield server
    server.close()
