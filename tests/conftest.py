"""What many tests share: a real photo, a place for a run, and a real ComfyUI server where there is one."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from likeness_studio.core import host
from likeness_studio.core.errors import LikenessError
from likeness_studio.runner.errors import registry
from likeness_studio.tests.raised_codes import RaisedCodes

REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 120


class RootIsAFolder:
    """Else pytest imports the pack's own `__init__.py` and cannot, where the folder is named likeness-studio."""

    @pytest.hookimpl
    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == REPOSITORY else None


def pytest_configure(config: pytest.Config) -> None:
    """A run of all tests proves that each error of the registry is raised."""
    config.pluginmanager.register(RootIsAFolder())
    if hasattr(config, "workerinput"):
        # A worker for each core: torch's threads would only wait for one another.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    rooms = [REPOSITORY / name for name in ("core", "nodes", "runner", "install.py")]
    own = [REPOSITORY / room / "errors" for room in ("core", "runner")]
    config.pluginmanager.register(RaisedCodes(LikenessError, known_codes, rooms, own), "raised_codes")


def known_codes() -> list[str]:
    """The codes of the pack's own errors: tests may define others."""
    return [code for code, cls in registry().items() if cls.__module__.startswith("likeness_studio.")]


@pytest.fixture(scope="session")
def astronaut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real photo of one person, 512 x 512, public domain (NASA, by way of scikit-image)."""
    import skimage
    from PIL import Image

    target = tmp_path_factory.mktemp("photos") / "astronaut.jpg"
    source = Path(skimage.__file__).parent / "data" / "astronaut.png"
    with Image.open(source) as picture:
        picture.convert("RGB").save(target, quality=95)
    return target


@pytest.fixture(scope="session")
def portraits() -> Path:
    """Official portraits of two people, by name; fetched once and kept in the per-user cache."""
    spec = importlib.util.spec_from_file_location("fetch_photos", REPOSITORY / "tests" / "fetch_photos.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.fetch()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[host.LocalHost]:
    """The surroundings of a run in this process, with folders of the test's own."""
    given, made, temp = (tmp_path / name for name in ("input", "output", "temp"))
    for folder in (given, made, temp):
        folder.mkdir()
    own = host.LocalHost(given, made, temp)
    with host.use(own):
        yield own


@pytest.fixture
def model_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty model folder of the test's own."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("LIKENESS_MODELS", str(folder))
    return folder


@dataclass(frozen=True)
class ComfyUIServer:
    """A running ComfyUI with this pack installed, and its folders."""

    url: str
    base: Path
    log: Path

    @property
    def input(self) -> Path:
        return self.base / "input"

    @property
    def output(self) -> Path:
        return self.base / "output"

    def log_text(self) -> str:
        return self.log.read_text("utf-8", "replace")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def skip_older_comfyui(workflow: str, url: str) -> None:
    """Skip where the server's ComfyUI is older than a bundled workflow's nodes."""
    from likeness_studio.runner.api.bundled import list_workflows
    from likeness_studio.runner.backends.comfy.versions import comfyui_version

    (needed,) = (each.comfyui for each in list_workflows() if each.name == workflow)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/system_stats") as answer:
        version = comfyui_version(json.load(answer))
    if needed and version < tuple(int(number) for number in needed.split(".")):
        pytest.skip(f"{workflow} needs ComfyUI {needed}, and this one is {'.'.join(map(str, version))}")


def start_comfyui(
    base: Path, *extra: str, port: int | None = None, python: str | None = None, link_pack: bool = True
) -> tuple[subprocess.Popen[bytes], ComfyUIServer]:
    """Start ComfyUI on a free port of this machine, with folders of its own under `base` and this pack linked.

    The pack is compiled beforehand, as it is from a user's second start on. COMFYUI_ARGUMENTS may hold more of
    ComfyUI's own arguments, such as another frontend. Skips without COMFYUI_PATH.
    """
    if not os.environ.get("COMFYUI_PATH"):
        pytest.skip("set COMFYUI_PATH (and COMFYUI_PYTHON) to test against a real ComfyUI")
    comfyui = Path(os.environ["COMFYUI_PATH"])
    python = python or os.environ.get("COMFYUI_PYTHON", sys.executable)
    for name in ("custom_nodes", "input", "output", "temp", "user", "models"):
        (base / name).mkdir(parents=True, exist_ok=True)
    link = base / "custom_nodes" / "likeness-studio"
    if link_pack and not link.exists():
        link.symlink_to(REPOSITORY)
    port, log = port or free_port(), base / "comfyui.log"
    folders = [
        word for name in ("input", "output", "temp", "user") for word in (f"--{name}-directory", str(base / name))
    ]
    command = [python, str(comfyui / "main.py"), "--cpu", "--listen", "127.0.0.1", "--port", str(port)]
    command += ["--base-directory", str(base), *folders, "--disable-auto-launch", *extra]
    command += shlex.split(os.environ.get("COMFYUI_ARGUMENTS", ""))
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    compiled = [
        python,
        "-m",
        "compileall",
        "-q",
        *(str(REPOSITORY / name) for name in ("core", "nodes", "__init__.py")),
    ]
    subprocess.run(compiled, env=surroundings, check=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, cwd=base, stdin=subprocess.DEVNULL, env=surroundings
        )
    server = ComfyUIServer(f"http://127.0.0.1:{port}", base, log)
    deadline = time.monotonic() + START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"ComfyUI did not start:\n{server.log_text()[-3000:]}")
        try:
            opener.open(f"{server.url}/system_stats", timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return process, server


@contextmanager
def running_comfyui(
    base: Path, *extra: str, python: str | None = None, link_pack: bool = True
) -> Iterator[ComfyUIServer]:
    """The ComfyUI that `start_comfyui` starts, until the end of the block."""
    process, server = start_comfyui(base, *extra, python=python, link_pack=link_pack)
    try:
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def comfyui_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyUIServer]:
    """A real ComfyUI server for the whole session; skips without COMFYUI_PATH."""
    base = tmp_path_factory.mktemp("comfyui")
    with running_comfyui(base) as server:
        yield server
    shutil.rmtree(base / "temp", ignore_errors=True)
