"""A state folder of the test's own, and a stand-in for ComfyUI, which stand_in.py explains."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from likeness_studio.runner import managed
from likeness_studio.runner.managed import Options
from likeness_studio.tests.runner.managed.servers import QUICK, free_port

STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture(autouse=True)
def state_folder(tmp_path, monkeypatch):
    """At the end of a test nothing that it started may run."""
    monkeypatch.setenv("LIKENESS_STATE", str(tmp_path / "state"))
    for name in ("COMFYUI_PATH", "COMFYUI_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path / "state"
    for known in managed.statuses():
        managed.Managed(known.name, "").stop()


@pytest.fixture
def comfyui(tmp_path):
    """A folder that passes for ComfyUI's, with comfy-cli as well; its main.py stands for the server."""
    folder = tmp_path / "ComfyUI"
    for name in ("comfy", "comfy_extras", "comfy_api"):
        (folder / name).mkdir(parents=True)
    shutil.copy(STAND_IN, folder / "main.py")
    for name in ("nodes.py", "execution.py", "folder_paths.py"):
        (folder / name).touch()
    return folder


@pytest.fixture
def options(comfyui, tmp_path):
    port = free_port()

    def make(*extra, limits=QUICK, **chosen):
        given = {"port": port, "cpu": True, "base": tmp_path / "base", "wait": 30.0, "python": Path(sys.executable)}
        return Options(comfyui=comfyui, extra=extra, limits=limits, **(given | chosen))

    return make
