"""What `likeness doctor` finds out about this machine and about a server: one fact a line."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...core import __version__, host
from ...core.errors import LikenessError
from ...core.models import store
from ..errors import RunnerError
from ..workflow.object_info import Catalog, NodeSpec, from_object_info
from .base import Fact
from .comfy.server import ComfyServer

LOW_DISK = 2 << 30
"""Bytes: with less free space, models and results may not fit."""


def machine() -> list[Fact]:
    """This machine: Python, torch, onnxruntime, comfy-cli, models and disk. Imports torch; hashes the models."""
    from ..workflow.comfy_cli import program

    return [
        Fact("likeness-studio", f"{__version__} on Python {platform.python_version()}, {platform.system()}"),
        _guarded("torch", _torch),
        _guarded("onnxruntime", _onnxruntime),
        Fact("comfy-cli", program() or "not installed (only for canvas files of newer ComfyUI: pip install comfy-cli)"),
        *_models(),
        _disk("disk for models", host.model_dirs()[0]),
        _disk("disk for results", Path.cwd()),
    ]


def _guarded(name: str, ask: Callable[[], str]) -> Fact:
    try:
        return Fact(name, ask())
    except (ImportError, OSError) as error:
        return Fact(name, f"cannot be imported ({error})", ok=False, hint=f"pip install {name}")


def _torch() -> str:
    import torch

    device = host.torch_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return f"{torch.__version__}, computes on {name}"


def _onnxruntime() -> str:
    import onnxruntime

    return f"{onnxruntime.__version__}, {', '.join(onnxruntime.get_available_providers())}"


def _models() -> Iterator[Fact]:
    for name in store.names():
        fetch = f"likeness models get {name}"
        try:
            check = store.verify(name)[0]
        except (LikenessError, OSError) as error:
            yield Fact(f"model {name}", str(error), ok=False, hint=fetch)
            continue
        words = {
            "ok": f"intact, {check.path}",
            "missing": f"not here; fetched when first used, or with: {fetch}",
            "unpinned": f"your own file, {check.path}",
            "corrupt": f"NOT what it must be, {check.path}",
        }
        yield Fact(f"model {name}", words[check.state], ok=check.state != "corrupt", hint=fetch)


def _disk(name: str, folder: Path) -> Fact:
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    free = shutil.disk_usage(there).free
    writable = os.access(there, os.W_OK)
    value = f"{free / (1 << 30):.1f} GB free in {folder}" + ("" if writable else ", which cannot be written")
    return Fact(name, value, ok=free >= LOW_DISK and writable, hint="free some space, or choose another folder")


def server(remote: ComfyServer) -> list[Fact]:
    """The server: version, devices with their memory, the pack there, and the queue.

    Raises ServerUnreachable and ServerRefused.
    """
    stats = remote.wait_ready()
    system = _mapping(stats.get("system"))
    known = from_object_info(remote.object_info())
    facts = [
        Fact("ComfyUI", f"{system.get('comfyui_version', 'of unknown version')} at {remote.url}"),
        Fact("there", f"Python {_word(system.get('python_version'))}, torch {_word(system.get('pytorch_version'))}"),
        Fact("memory", f"{_gigabytes(system.get('ram_free'))} of {_gigabytes(system.get('ram_total'))} free"),
    ]
    devices = stats.get("devices")
    for device in map(_mapping, devices if isinstance(devices, list) else ()):
        memory = f"{_gigabytes(device.get('vram_free'))} of {_gigabytes(device.get('vram_total'))} free"
        facts.append(Fact("device", f"{device.get('name')}, {memory}"))
    facts.append(Fact("nodes", f"{len(known)} classes"))
    return [*facts, _pack(known), _queue(remote)]


def _pack(known: Catalog) -> Fact:
    """Whether the pack there is this one: the server tells no version, but which nodes it has and what they take."""
    from .local_nodes import local_catalog

    ours = {name: spec for name, spec in local_catalog().items() if name.startswith("Likeness")}
    there = {name for name in known if name.startswith("Likeness")}
    if not there:
        value = "not installed there (comfy node install likeness-studio); workflows without its nodes can run"
        return Fact("Likeness Studio", value)
    absent = sorted(set(ours) - there)
    changed = sorted(name for name in set(ours) & there if _takes(ours[name]) != _takes(known[name]))
    if not (absent or changed):
        return Fact("Likeness Studio", f"installed, with the nodes of {__version__} as here")
    differences = [f"lacks {', '.join(absent)}"] * bool(absent) + [f"differs in {', '.join(changed)}"] * bool(changed)
    value = f"another version than {__version__} here: {'; '.join(differences)}"
    return Fact("Likeness Studio", value, ok=False, hint="install the same version on both sides")


def _takes(spec: NodeSpec) -> tuple[object, ...]:
    return [(socket.name, socket.type, socket.required) for socket in spec.inputs], spec.outputs


def _queue(remote: ComfyServer) -> Fact:
    try:
        queue = remote.json("GET", "/queue")
    except RunnerError as error:
        return Fact("queue", str(error), ok=False, hint="look at the server's log")
    running, waiting = (
        len(jobs) if isinstance(jobs := queue.get(key), list) else "unknown"
        for key in ("queue_running", "queue_pending")
    )
    return Fact("queue", f"{running} running, {waiting} waiting")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _word(value: Any) -> str:
    return str(value or "unknown").split()[0]


def _gigabytes(value: Any) -> str:
    return f"{value / (1 << 30):.1f} GB" if isinstance(value, int | float) else "unknown"
