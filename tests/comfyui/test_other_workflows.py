"""The other workflows, and with them the rest of the nodes, on a real server through the runner."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import httpx
import pytest
from PIL import Image

from likeness_studio.runner.api.workflows import run_once
from likeness_studio.runner.backends.comfy.backend import ServerBackend
from likeness_studio.runner.workflow import Given, load

pytestmark = [pytest.mark.comfyui, pytest.mark.models]


def folder_of(target: Path, portraits: Path, *names: str) -> Path:
    target.mkdir()
    for name in names:
        shutil.copy(portraits / name, target / name)
    return target


def test_check_likeness_judges_folders(comfyui_server, portraits, tmp_path):
    references = folder_of(tmp_path / "references", portraits, "obama.jpg", "obama2.jpg")
    candidates = folder_of(tmp_path / "candidates", portraits, "biden.jpg", "obama3.jpg")
    given = [Given(references, "Reference photo"), Given(candidates, "Photo to check")]
    finished = run_once(load("check_likeness"), ServerBackend(comfyui_server.url), tmp_path / "out", given)
    (report,) = finished.result.likeness
    assert [image["outcome"] for image in report["images"]] == ["fail", "pass"]
    assert report["baseline"]["photos"] == 2
    assert finished.result.verdict is False


def test_a_person_is_enrolled_saved_loaded_and_chosen(comfyui_server, portraits, tmp_path):
    backend = ServerBackend(comfyui_server.url)
    person = folder_of(tmp_path / "person", portraits, "obama.jpg", "obama2.jpg", "biden.jpg")
    enrolled = run_once(load("enroll_identity"), backend, tmp_path / "out", [Given(person)])
    (report,) = enrolled.result.enrollments
    assert report["accepted"] == 2
    assert (comfyui_server.output / "identities" / "person.safetensors").is_file()

    candidates = folder_of(tmp_path / "candidates", portraits, "biden.jpg", "obama3.jpg")
    chosen = run_once(load("keep_the_best"), backend, tmp_path / "out", [Given(candidates)])
    (report,) = chosen.result.likeness
    assert report["kept"] == [1]
    assert chosen.result.verdict is True
    assert len(chosen.result.outputs) == 1
    shown = chosen.result.ui["3"]["images"]
    assert len(shown) == 2
    for picture in shown:
        page = httpx.get(f"{comfyui_server.url}/view", params=picture)
        graph = Image.open(io.BytesIO(page.content)).info["prompt"]
        assert "LikenessKeepBest" in graph, "the node sees the graph that it runs in"
