"""Finds the user's ComfyUI and its Python, and puts this pack into it, exactly once, with the packages it needs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import ComfyUINotFound, PackNotInstalled
from .child import BEFORE_WORDS
from .processes import for_another_python

_COMFY_CLI_SECONDS = 30
_MARKS = ("main.py", "nodes.py", "execution.py", "folder_paths.py")


def is_comfyui(folder: Path) -> bool:
    """Whether `folder` is a checkout of ComfyUI."""
    return all((folder / mark).is_file() for mark in _MARKS)


def find_comfyui(given: Path | None = None) -> Path:
    """`given`, else ``COMFYUI_PATH``, else comfy-cli's workspace. Raises ComfyUINotFound.

    The first that is set decides: a wrong one is an error and is not passed over.
    """
    named = [("--comfyui", str(given) if given else ""), ("COMFYUI_PATH", os.environ.get("COMFYUI_PATH", ""))]
    for source, text in named:
        if text:
            folder = Path(text).expanduser().resolve()
            if not is_comfyui(folder):
                raise ComfyUINotFound(f"{source} is {folder}, which is not a ComfyUI folder (one with its main.py).")
            return folder
    folder = comfy_cli_workspace()
    if folder is None:
        raise ComfyUINotFound("No ComfyUI was found; give its folder with --comfyui, or set COMFYUI_PATH.")
    return folder


def comfy_cli_workspace() -> Path | None:
    """The ComfyUI that comfy-cli works on, or None; asked as a process with its telemetry off."""
    beside = Path(sys.executable).with_name("comfy")
    command = shutil.which("comfy") or (str(beside) if beside.is_file() else None)
    if command is None:
        return None
    try:
        answer = subprocess.run(
            [command, "--skip-prompt", "which"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_COMFY_CLI_SECONDS,
            check=False,
            env=os.environ | {"DO_NOT_TRACK": "1", "COMFY_NO_TELEMETRY": "1", "NO_COLOR": "1", "COLUMNS": "4096"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    for folder in _folders_said(answer.stdout):
        if is_comfyui(folder):
            return folder.resolve()
    return None


def _folders_said(text: str) -> Iterator[Path]:
    """Folders in comfy-cli's answer: a JSON object in current versions, a sentence in older ones."""
    for line in text.splitlines():
        try:
            path = json.loads(line)["data"]["workspace_path"]
        except (ValueError, TypeError, KeyError):
            said = re.search(r"path:\s*(\S.*)$", line)
            path = said[1].strip() if said else None
        if isinstance(path, str):
            yield Path(path)


def find_python(comfyui: Path, given: Path | None = None) -> Path:
    """`given`, else ``COMFYUI_PYTHON``, else a virtual environment in or beside `comfyui`, else this Python.

    Raises ComfyUINotFound for one that was named and does not exist.
    """
    for source, text in (("--python", str(given) if given else ""), ("COMFYUI_PYTHON", _environment_python())):
        if text:
            # Not resolved: a virtual environment's python is a link, and what it links to is another environment.
            python = Path(shutil.which(text) or text).expanduser().absolute()
            if not os.access(python, os.X_OK) or not python.is_file():
                raise ComfyUINotFound(f"{source} is {python}, which is not a Python that can be run.")
            return python
    inner = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
    for folder in (comfyui, comfyui.parent):
        for name in ("venv", ".venv"):
            python = (folder / name).joinpath(*inner)
            if python.is_file():
                return python
    portable = comfyui.parent / "python_embeded" / "python.exe"
    return portable if portable.is_file() else Path(sys.executable)


def _environment_python() -> str:
    return os.environ.get("COMFYUI_PYTHON", "")


ROOT = Path(__file__).resolve().parents[2]
"""The pack: the folder that ComfyUI loads."""

FOLDER = "likeness-studio"
LOG_LINES = 2000
"""How many lines of ComfyUI's log hold its start."""

INSTALLERS = ("PIP_", "UV_")
"""Settings of pip and uv: only what installs gets them, as an index's address can have a login."""

_CHECK_SECONDS = 120
_INSTALL_SECONDS = 2000
_LOADED = BEFORE_WORDS + r"[\d.]+ seconds( \(IMPORT FAILED\))?: (.+)$"
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
            [python, "-P", "-c", _CHECK, installer], stdin=subprocess.DEVNULL, capture_output=True, text=True,
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
            [python, "-P", pack / "install.py"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.STDOUT, errors="replace", timeout=_INSTALL_SECONDS, check=False, cwd=pack.parent,
            env=for_another_python() | {name: os.environ[name] for name in os.environ if name.startswith(INSTALLERS)},
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
    for failed, folder in re.findall(_LOADED, log, re.MULTILINE):
        if is_pack(Path(os.fspath(folder.strip()))):
            (bad if failed else good).append(folder.strip())
    return list(dict.fromkeys(good)), list(dict.fromkeys(bad))
