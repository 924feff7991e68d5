"""What the provenance tests share: certificates made for the run, the demo photo, and a graph run in this process."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from likeness_studio.core.imaging import from_pil
from likeness_studio.runner.backends import Folders, LocalEngine
from likeness_studio.runner.workflow import Workflow

DEMO = Path(__file__).parents[3] / "runner" / "demo.jpg"


def _load(name):
    spec = importlib.util.spec_from_file_location(f"provenance_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make_certificates():
    """The function that makes an authority and a signing certificate in a folder."""
    return _load("certificates").make_certificates


@pytest.fixture(scope="session")
def certificates(make_certificates, tmp_path_factory):
    """An authority and a signing certificate for this session."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def signing_environment(certificates, monkeypatch):
    """The environment of somebody who set up signing."""
    monkeypatch.setenv("LIKENESS_C2PA_CERT", str(certificates.chain))
    monkeypatch.setenv("LIKENESS_C2PA_KEY", str(certificates.key))
    return certificates


@pytest.fixture(scope="session")
def demo_bytes():
    """The demo photo's file."""
    return DEMO.read_bytes()


@pytest.fixture(scope="session")
def demo(demo_bytes):
    """The demo photo [512,512,3]."""
    return from_pil(Image.open(io.BytesIO(demo_bytes)))[0]


@pytest.fixture
def run_here(tmp_path):
    """Runs an API-format graph in this process; gives the result. Photos are read from tmp_path / "input"."""
    folders = Folders(tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    folders.input.mkdir(exist_ok=True)

    def run(graph):
        return LocalEngine().run(Workflow.from_api("test", graph), folders)

    return run
