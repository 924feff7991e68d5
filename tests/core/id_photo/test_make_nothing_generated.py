"""The way of an ID photo has nothing generative on it: not in its imports, not in its graph, not in its networks."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from likeness_studio.core.id_photo import MakeOptions
from likeness_studio.core.id_photo.documents import document
from likeness_studio.core.models import models
from likeness_studio.core.node_facts import Effect
from likeness_studio.core.provenance import effect
from likeness_studio.runner.api.id_photos import IDPhotoMaker, Job

ROOT = Path(__file__).parents[3]

ENTRANCES = ("nodes/id_photo.py", "core/id_photo/make.py", "runner/api/id_photos.py", "runner/cli/id.py")

GENERATING = {"diffusers", "transformers", "accelerate", "peft", "comfy", "insightface", "openai", "requests"}
"""Packages that make pixels, or ask a service to."""

MAKERS = (
    "core/portrait/swap",
    "core/portrait/restore",
    "core/training",
    "core/prompting",
    "core/lora",
    "core/faces/insightface_engine",
    "nodes/face",
    "nodes/lora",
    "nodes/prompting",
    "nodes/describe",
)
"""This pack's own modules that do, or that work for what does. A face engine may be given; it gives no pixels."""

ENGINES = frozenset(
    {
        "core/portrait/swap",
        "core/portrait/restore",
        "core/training/tiny_vae",
        "core/prompting/captioner_models",
        "core/lora/merge",
        "core/faces/insightface_engine",
        "nodes/lora_patching",
    }
)
"""Of these, the files that compute; nodes describe themselves without them."""

ENDS = ("core/faces/insightface_engine.py", "nodes/extension.py")
"""Where the walk ends: the choice of another face engine, whose networks give no pixels, and the list of all nodes, by
which the runner describes graphs. What is really loaded is looked at below."""


def modules_of(path: Path) -> tuple[set[Path], set[str]]:
    """The files of the pack and the packages that a file imports anywhere in it, but for types."""
    inner, outer = set(), set()
    tree = ast.parse(path.read_text())
    for_types = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and getattr(branch.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            outer |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            outer.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            home = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            inner |= {home.with_suffix(".py"), *(home / f"{name.name}.py" for name in node.names)}
            inner |= {home / "__init__.py"}
    return {each for each in inner if each.is_file()}, outer


def reachable(entrance: str, without: tuple[str, ...] = ()) -> tuple[set[str], set[str]]:
    """Everything that can be reached by imports: files of the pack by name, and packages."""
    pending, files, packages = [ROOT / entrance], set(), set()
    while pending:
        path = pending.pop()
        name = path.relative_to(ROOT).as_posix()
        if name in files or name in without:
            continue
        files.add(name)
        inner, outer = modules_of(path)
        packages |= outer
        pending += inner
    return files, packages


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_nothing_generative_can_be_reached_by_imports(entrance):
    files, packages = reachable(entrance, without=ENDS)
    assert "core/imaging/warp.py" in files, "the walk does not walk"
    assert not packages & GENERATING
    assert not [name for name in files if name.startswith(MAKERS)]


def test_the_walk_finds_what_generates():
    """The same walk from Swap Face and from a captioner does find them: the test above can fail."""
    assert any(name.startswith(MAKERS) for name in reachable("nodes/face.py")[0])
    assert "transformers" in reachable("core/prompting/captioner.py")[1]


@pytest.mark.models
def test_the_steps_of_the_command_have_no_generative_one(astronaut):
    maker = IDPhotoMaker(Job(MakeOptions(document("us-passport")), matte="u2netp"))
    effects = {node["class_type"]: effect(node) for node in maker.steps(maker.make(astronaut)).values()}
    assert {"LikenessMakeIDPhoto", "LikenessMattePerson", "LikenessSaveWithProvenance"} <= set(effects)
    assert not {Effect.GENERATES, Effect.UNKNOWN} & set(effects.values())


LOADED = """
import sys
from likeness_studio.runner.cli import main
try:
    main(["id", *sys.argv[1:], "-d", "linkedin", "--background", "plain", "--matte", "u2netp", "--json"])
except SystemExit as end:
    assert end.code in (0, 3), end.code
print("\\n".join(sys.modules))
"""


@pytest.mark.models
def test_nothing_generative_is_loaded_when_the_command_runs(astronaut, tmp_path):
    words = [sys.executable, "-c", LOADED, str(astronaut), "-o", str(tmp_path / "me.jpg")]
    loaded = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    assert "likeness_studio.core.id_photo.make" in loaded
    assert not [name for name in loaded if name.partition(".")[0] in GENERATING]
    ours = [name.removeprefix("likeness_studio.").replace(".", "/") for name in loaded]
    assert not [name for name in ours if name in ENGINES]


@pytest.mark.models
def test_its_networks_only_look(astronaut, tmp_path):
    """The models that the finished file names are detectors, landmarks and a matte; the file states the rest."""
    from likeness_studio.core.provenance import Generative

    made = IDPhotoMaker(Job(MakeOptions(document("us-passport")), matte="u2netp", check=False))
    finished = made.make_file(astronaut, tmp_path / "me.jpg")
    assert finished.record.generative is Generative.NONE
    assert finished.record.models
    for name, _ in finished.record.models:
        assert models()[name].use in USES, models()[name].use


USES = {models()[name].use for name in ("yunet", "sface", "u2netp", "face_mesh", "iris")}


def test_what_those_networks_are_for():
    assert not [use for use in USES if "generat" in use or "upscal" in use or "swap" in use]
