"""The wheel, built once: every module and every data file that a user needs is in it, and it works from elsewhere."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("core", "nodes", "runner", "web", "workflows")
NOT_SHIPPED = ("tests", "benchmarks", "Makefile", ".ci")


def files_of(root, folder):
    """What belongs to the package below `folder` of a checkout at `root`."""
    for path in sorted((root / folder).rglob("*")):
        inside = path.relative_to(root)
        if path.is_file() and "__pycache__" not in inside.parts and not any(part[0] == "." for part in inside.parts):
            yield inside


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy to build from, so that no build folder lands in the real one."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "README.md", "LICENSE", "__init__.py", "py.typed", "install.py"):
        shutil.copy(ROOT / name, copy)
    for folder in (*SHIPPED, "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return copy


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory):
    """The wheel of the checkout."""
    pytest.importorskip("setuptools", minversion="77")
    out = tmp_path_factory.mktemp("wheel")
    build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(out), str(checkout))
    done = subprocess.run([sys.executable, "-m", "pip", *build], cwd=out, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def members(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_file_of_the_package_is_in_the_wheel(checkout, members):
    wanted = {f"likeness_studio/{path.as_posix()}" for folder in SHIPPED for path in files_of(checkout, folder)}
    wanted |= {"likeness_studio/__init__.py", "likeness_studio/py.typed"}
    assert "likeness_studio/core/models/manifest.toml" in wanted
    assert sorted(wanted - members) == []


def test_nothing_else_is_in_it(members):
    assert [name for name in members if name.startswith(tuple(f"likeness_studio/{name}" for name in NOT_SHIPPED))] == []
    assert {name.split("/")[0] for name in members if ".dist-info" not in name} == {"likeness_studio"}


def test_every_folder_of_modules_is_a_package(checkout):
    folders = {
        path.parent for folder in ("nodes", "runner") for path in files_of(checkout, folder) if path.suffix == ".py"
    }
    assert all((checkout / folder / "__init__.py").exists() for folder in folders)


def test_it_works_from_another_folder(wheel, tmp_path):
    place = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    code = (
        "import likeness_studio; from likeness_studio.nodes.extension import node_classes;"
        "from likeness_studio.core.models import store; from likeness_studio.core import errors;"
        "print(likeness_studio.__file__, len(node_classes()), *store.names())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(place), "LIKENESS_MODELS": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    file, count, *names = done.stdout.split()
    assert Path(file).parent == place / "likeness_studio"
    assert int(count) > 0
    assert "yunet" in names


def test_the_command_is_declared(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "likeness = likeness_studio.runner.cli:main" in archive.read(entry_points).decode()
