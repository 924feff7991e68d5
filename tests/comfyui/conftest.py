"""A real ComfyUI for these tests: its description of the nodes, the canvas, and checkpoints to generate with."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from likeness_studio.runner.backends.comfy.versions import Version, comfyui_version
from likeness_studio.tests.conftest import running_comfyui

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TRAINING_MINUTES = 20
SD15_NAMES = {"v1-5-pruned-emaonly-fp16.safetensors", "DreamShaper_8_pruned.safetensors"}
"""Checkpoints in our workflows that are of Stable Diffusion 1.5's architecture."""


def load_module(name: str, file: Path) -> ModuleType:
    """A module of these tests by its file: the folder is no package."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def object_info(comfyui_server: Any) -> dict[str, Any]:
    """What the server says of its nodes."""
    return httpx.get(f"{comfyui_server.url}/object_info", timeout=60).json()


@pytest.fixture(scope="session")
def version(comfyui_server: Any) -> Version:
    """The version of the server's ComfyUI."""
    return comfyui_version(httpx.get(f"{comfyui_server.url}/system_stats").json())


@pytest.fixture(scope="session")
def canvas_module() -> ModuleType:
    """The canvas driver; skips where Chromium or Playwright is missing."""
    pytest.importorskip("playwright", reason="install the canvas extra to drive ComfyUI's canvas")
    module = load_module("likeness_canvas", HERE / "canvas.py")
    if module.chromium() is None:
        pytest.skip("install Chromium to drive ComfyUI's canvas")
    return module


@pytest.fixture(scope="session")
def demo_on_server(comfyui_server: Any) -> str:
    """The demo photo in the server's input folder, by name."""
    shutil.copy(ROOT / "runner" / "demo.jpg", comfyui_server.input / "demo.jpg")
    return "demo.jpg"


@pytest.fixture(scope="session")
def random_weights() -> ModuleType:
    """The builder of checkpoints; skips without the packages that know the architectures."""
    for package in ("diffusers", "transformers"):
        pytest.importorskip(package, reason="install the generation extra to build checkpoints with random weights")
    return load_module("likeness_random_weights", HERE / "random_weights.py")


@pytest.fixture(scope="session")
def tiny_vae(random_weights: ModuleType) -> Path:
    """The trained tiny autoencoder from the cache, trained once from the photos in LIKENESS_PORTRAITS."""
    file = random_weights.cache_folder() / random_weights.TINY_VAE_NAME
    portraits = os.environ.get("LIKENESS_PORTRAITS")
    if not file.is_file() and not portraits:
        pytest.skip(
            f"no {file}: make it with likeness train tiny-vae, or set LIKENESS_PORTRAITS to a folder of a few hundred "
            f"portraits to have it trained here ({TRAINING_MINUTES} minutes)"
        )
    if not file.is_file():
        from click.testing import CliRunner

        from likeness_studio.runner.cli import main

        words = ["train", "tiny-vae", "--data", str(portraits), "-o", str(file), "--minutes", str(TRAINING_MINUTES)]
        outcome = CliRunner().invoke(main, words)
        assert outcome.exit_code == 0, outcome.output
    return file


@pytest.fixture(scope="session")
def sd15_checkpoint(random_weights: ModuleType, tiny_vae: Path) -> Path:
    """Stable Diffusion 1.5 with random weights and the trained tiny autoencoder, from the cache or built there."""
    return random_weights.sd15_checkpoint(random_weights.cache_folder(), tiny_vae)


@pytest.fixture(scope="session")
def generation_server(
    request: pytest.FixtureRequest, random_weights: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A real ComfyUI with every model file that our workflows name; those of SD 1.5 can generate.

    The others are small files without a model in them: enough for the server to accept a graph, not to run it.
    """
    if not os.environ.get("COMFYUI_PATH"):
        pytest.skip("set COMFYUI_PATH (and COMFYUI_PYTHON) to test against a real ComfyUI")
    checkpoint, vae = request.getfixturevalue("sd15_checkpoint"), request.getfixturevalue("tiny_vae")
    base = tmp_path_factory.mktemp("generation")
    for folder, name in {*_models_of_workflows(), ("vae", random_weights.TINY_VAE_NAME)}:
        target = base / "models" / folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name in SD15_NAMES:
            _same_file(checkpoint, target)
        elif name == random_weights.TINY_VAE_NAME:
            _same_file(vae, target)
        else:
            random_weights.placeholder(target)
    with running_comfyui(base) as server:
        shutil.copy(ROOT / "runner" / "demo.jpg", server.input / "demo.jpg")
        yield server
    shutil.rmtree(base / "temp", ignore_errors=True)
    shutil.rmtree(base / "models", ignore_errors=True)


def _models_of_workflows() -> set[tuple[str, str]]:
    """Folder and name of each model file that the workflows tell ComfyUI to fetch."""
    graphs = (json.loads(path.read_text("utf-8")) for path in (ROOT / "workflows" / "api").glob("*.json"))
    nodes = (node for graph in graphs for node in graph.values())
    return {(model["directory"], model["name"]) for node in nodes for model in node.get("_meta", {}).get("models", [])}


def _same_file(source: Path, target: Path) -> None:
    """A second name for a file of gigabytes; a copy where the folders are on two disks."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy(source, target)
