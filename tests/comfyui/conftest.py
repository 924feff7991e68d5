"""A real ComfyUI for these tests: its description of the nodes, and the canvas."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="session")
def object_info(comfyui_server: Any) -> dict[str, Any]:
    """What the server says of its nodes."""
    return httpx.get(f"{comfyui_server.url}/object_info", timeout=60).json()


@pytest.fixture(scope="session")
def canvas_module() -> ModuleType:
    """The canvas driver; skips where Chromium or Playwright is missing."""
    pytest.importorskip("playwright", reason="install the canvas extra to drive ComfyUI's canvas")
    spec = importlib.util.spec_from_file_location("likeness_canvas", HERE / "canvas.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    if module.chromium() is None:
        pytest.skip("install Chromium to drive ComfyUI's canvas")
    return module


@pytest.fixture(scope="session")
def demo_on_server(comfyui_server: Any) -> str:
    """The demo photo in the server's input folder, by name."""
    shutil.copy(ROOT / "runner" / "demo.jpg", comfyui_server.input / "demo.jpg")
    return "demo.jpg"
