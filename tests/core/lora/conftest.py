"""A loras folder of the test's own, and LoRA files in every format."""

from __future__ import annotations

import importlib.util
import json
import struct
from pathlib import Path
from types import ModuleType

import pytest

from likeness_studio.core.lora import lora_file as files
from likeness_studio.nodes import lora_patching as apply


@pytest.fixture(scope="session")
def formats() -> ModuleType:
    """The maker of LoRA files."""
    spec = importlib.util.spec_from_file_location("lora_formats", Path(__file__).with_name("formats.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def loras(model_dir):
    """An empty loras folder."""
    folder = model_dir / "loras"
    folder.mkdir()
    files._files.clear()
    apply._mapped.clear()
    return folder


@pytest.fixture
def raw(tmp_path):
    """Writes a safetensors file byte by byte."""

    def write(header, data=b"", name="made.safetensors", length=None):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = tmp_path / name
        path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
        return path

    return write
