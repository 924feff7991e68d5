"""Puts this pack into a ComfyUI, exactly once, and sees to the packages that it needs there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ..errors import PackNotInstalled
from .processes import for_another_python

ROOT = Path(__file__).resolve().parents[2]
"""The pack: the folder that ComfyUI loads."""

FOLDER = "likeness-studio"
LOG_LINES = 2000
"""How many lines of ComfyUI's log hold its start."""

_CHECK_SECONDS = 120
_INSTALL_SECONDS = 2000
_MARK = Path("nodes", "extension.py")
_CHECK = """
import importlib.util, json, pathlib, sys
spec = importlib.util.spec_from_file_location("install", sys.argv[1])
install = importlib.util.module_from_spec(spec)
spec.loader.exec_module(install)
missing = install.missing(install.REQUIREMENTS.read_text(encoding="utf-8"))
print(json.dumps(missing + ([] if install.has_onnxruntime() else [install.ONNXRUNTIME])))
"""


def is_pack(folder: Path) -> bool:
    """Whether `folder` holds this pack: this very folder, a link to it, a clone, or the registry's copy."""
    try:
        return "class LikenessExtension" in (folder / _MARK).read_text("utf-8", "replace")
    except OSError:
        return False


def present(custom_nodes: Path) -> list[Path]:
    """The folders of `custom_nodes` from which ComfyUI would load this pack."""
    try:
        entries = sorted(custom_nodes.iterdir())
    except OSError:
        return []
    return [entry for entry in entries if not entry.name.endswith(".disabled") and is_pack(entry)]


def put_into(custom_nodes: Path, change: bool = True) -> bool:
    """See to it that ComfyUI loads the pack from `custom_nodes`; whether anything had to be done.

    A link to this folder (a copy on Windows), unless a copy is there already. `change` False puts nothing there.
    Raises PackNotInstalled.
    """
    there = present(custom_nodes)
    if len(there) > 1:
        names = " and ".join(entry.name for entry in there)
        raise PackNotInstalled(f"{custom_nodes} has this pack twice, as {names}; remove all but one of them.")
    if there:
        return False
    if not change:
        raise PackNotInstalled(f"{custom_nodes} has no link to the pack; leave out --no-install, or link {ROOT} there.")
    target = custom_nodes / FOLDER
    try:
        custom_nodes.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() and not target.exists():
            target.unlink()
        if sys.platform == "win32":
            # Links need a right there that users do not have.
            skip = shutil.ignore_patterns(".git", ".venv", "__pycache__", "tests", "benchmarks", "output")
            shutil.copytree(ROOT, target, ignore=skip)
        else:
            target.symlink_to(ROOT, target_is_directory=True)
    except OSError as error:
        raise PackNotInstalled(
            f"The pack cannot be put into {custom_nodes} ({error.strerror or error}); link {ROOT} there by hand."
        ) from error
    return True


def missing_packages(python: Path, pack: Path = ROOT) -> list[str]:
    """The packages that the pack needs and `python` does not have; empty as well when that cannot be found out."""
    installer = pack / "install.py"
    if not installer.is_file():
        return []
    try:
        answer = subprocess.run(
            [python, "-c", _CHECK, installer], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_CHECK_SECONDS, check=False, cwd=installer.parent.parent,
            env=for_another_python(),
        )  # fmt: skip
        found = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return []
    return [str(name) for name in found] if isinstance(found, list) else []


def install_packages(python: Path, say: Callable[[str], None], pack: Path = ROOT) -> None:
    """Run the pack's own installer with `python`; it says what it could not do, and the pack loads anyway."""
    try:
        done = subprocess.run(
            [python, pack / "install.py"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.STDOUT, errors="replace", timeout=_INSTALL_SECONDS, check=False, cwd=pack.parent,
            env=for_another_python(),
        )  # fmt: skip
        lines = done.stdout.splitlines()
    except (OSError, subprocess.TimeoutExpired) as error:
        lines = [f"The pack's installer could not be run ({error})."]
    for line in lines:
        say(line)


def loaded(log: str) -> tuple[list[str], list[str]]:
    """The folders from which ComfyUI loaded this pack by its own log, and those where it failed to."""
    good: list[str] = []
    bad: list[str] = []
    for failed, folder in re.findall(r"^ *[\d.]+ seconds( \(IMPORT FAILED\))?: (.+)$", log, re.MULTILINE):
        if is_pack(Path(os.fspath(folder.strip()))):
            (bad if failed else good).append(folder.strip())
    return list(dict.fromkeys(good)), list(dict.fromkeys(bad))
