"""ComfyUI-Manager 4 installs, disables, enables, updates and uninstalls the pack; ComfyUI is started after each step.

The repository that it clones is made here of the working tree and stands in, by git's own `insteadOf`, for the one on
the web. Manager is looked for in LIKENESS_MANAGER_PYTHON, else in COMFYUI_PYTHON.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from likeness_studio.nodes.extension import node_classes
from likeness_studio.tests.conftest import running_comfyui

pytestmark = pytest.mark.comfyui
ROOT = Path(__file__).parents[2]
NAME = "likeness-studio"
OWNER = "https://github.com/likeness-studio/"
STEP_SECONDS = 300
CM_CLI = """
import os, sys
sys.path.insert(0, os.environ["COMFYUI_PATH"])
import comfy.options
comfy.options.enable_args_parsing()
base, words = sys.argv[1], sys.argv[2:]
sys.argv = ["main.py", "--cpu", "--base-directory", base]
import folder_paths
sys.argv = ["cm-cli", *words]
import cm_cli
cm_cli.main()
"""
"""cm-cli with folders of the test's own, which it has no option for: it takes them from ComfyUI's arguments."""


def git(folder: Path, *words: str) -> str:
    """What git says to a command in a folder."""
    who = ("-c", "user.name=A Test", "-c", "user.email=test@example.com")
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def manager_python() -> str:
    """A Python with ComfyUI's packages and comfyui-manager 4."""
    if not os.environ.get("COMFYUI_PATH"):
        pytest.skip("set COMFYUI_PATH (and COMFYUI_PYTHON) to test against a real ComfyUI")
    if "--enable-manager" not in (Path(os.environ["COMFYUI_PATH"]) / "comfy" / "cli_args.py").read_text("utf-8"):
        pytest.skip("this ComfyUI is older than --enable-manager")
    named = os.environ.get("LIKENESS_MANAGER_PYTHON")
    python = named or os.environ.get("COMFYUI_PYTHON", sys.executable)
    look = "import importlib.util as u; print(all(map(u.find_spec, ('comfyui_manager', 'cm_cli'))))"
    done = subprocess.run([python, "-c", look], capture_output=True, text=True, check=True)
    if done.stdout.strip() != "True":
        pytest.skip("comfyui-manager is not installed there: set LIKENESS_MANAGER_PYTHON to a Python that has it")
    return python


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with one commit: the working tree as it is."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("no git checkout to make a repository of")
    folder = tmp_path_factory.mktemp("upstream") / NAME
    folder.mkdir()
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "The working tree")
    return folder


class Manager:
    """cm-cli on a ComfyUI whose folders are under `base`."""

    def __init__(self, python: str, base: Path, upstream: Path) -> None:
        self.python, self.base = python, base
        self.pack = base / "custom_nodes" / NAME
        self.pack.parent.mkdir(parents=True)
        replaced = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{upstream.parent.as_uri()}/.insteadOf",
            "GIT_CONFIG_VALUE_0": OWNER,
        }
        self.environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | replaced

    def __call__(self, *words: str) -> str:
        """Everything that cm-cli says, which knows Manager's own list of packs and asks nobody."""
        done = subprocess.run(
            [self.python, "-c", CM_CLI, str(self.base), *words, "--mode", "local"],
            env=self.environment,
            cwd=self.base,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    def seen(self) -> tuple[int, bool | None]:
        """How many of our nodes ComfyUI has when it is started, and whether Manager says that the pack is enabled."""
        with (
            running_comfyui(self.base, "--enable-manager", python=self.python, link_pack=False) as server,
            httpx.Client(base_url=server.url, timeout=60) as client,
        ):
            ours = [name for name in client.get("/object_info").json() if name.startswith("Likeness")]
            packs = client.get("/v2/customnode/installed").json()
            assert "IMPORT FAILED" not in server.log_text()
            assert "[START] ComfyUI-Manager" in server.log_text()
        return len(ours), packs[NAME]["enabled"] if NAME in packs else None


def test_manager_takes_the_pack_through_its_life(manager_python, upstream, tmp_path):
    manager, all_nodes = Manager(manager_python, tmp_path, upstream), len(node_classes())

    said = manager("install", f"{OWNER}{NAME}")
    assert "[INSTALLED]" in said
    assert "[Likeness Studio] All requirements are there already" in said or "[Likeness Studio] Installed" in said
    assert git(manager.pack, "log", "--format=%s") == "The working tree"
    assert manager.seen() == (all_nodes, True)
    assert git(manager.pack, "status", "--porcelain") == "", "a run leaves nothing that blocks an update"

    assert "[DISABLED]" in manager("disable", NAME)
    assert not manager.pack.exists()
    assert manager.seen() == (0, False)

    assert "[ENABLED]" in manager("enable", NAME)
    assert manager.seen() == (all_nodes, True)

    about = json.dumps({"newer": True})
    (upstream / "web" / "docs" / "newer.json").write_text(about)
    git(upstream, "add", "--all")
    git(upstream, "commit", "--quiet", "--message", "A newer version")
    assert "[Likeness Studio]" in manager("update", NAME), "install.py runs again"
    assert git(manager.pack, "log", "-1", "--format=%s") == "A newer version"
    assert (manager.pack / "web" / "docs" / "newer.json").read_text() == about
    assert manager.seen() == (all_nodes, True)

    assert "[UNINSTALLED]" in manager("uninstall", NAME)
    assert not list((tmp_path / "custom_nodes").glob(f"**/*{NAME}*"))
    assert manager.seen() == (0, None)
