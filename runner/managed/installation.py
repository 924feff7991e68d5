"""Finds the user's ComfyUI and the Python that runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import ComfyUINotFound

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
