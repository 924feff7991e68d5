"""Which models a graph names, and its hash: what is recorded of a workflow without the workflow itself."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import PureWindowsPath
from typing import Any

from ..graph import links, upstream
from ..models.manifest import models

UNKNOWN_LICENCE = "its publisher's: not known here"
"""The words of the runner's report for the same."""

NON_COMMERCIAL = "non-commercial research only (insightface)"
"""Of insightface's packs and of inswapper, in the words of the nodes that load them."""

SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".sft", ".onnx", ".tflite")
"""Endings of model files."""

ENGINE = ("yunet", "sface")
"""The networks that a node uses which takes a face engine and was given none."""

LOADED_UNASKED: Mapping[str, tuple[str, ...]] = {
    "LikenessFrameHeadshot": ENGINE,
    "LikenessProtectFace": ENGINE,
    "LikenessRestoreFace": ENGINE,
    "LikenessEnrollIdentity": ENGINE,
    "LikenessCheckLikeness": ENGINE,
    "LikenessMakeIDPhoto": (*ENGINE, "face_mesh", "iris"),
    "LikenessCheckIDPhoto": (*ENGINE, "face_mesh", "iris"),
    "LikenessCheckSelfie": (*ENGINE, "face_mesh", "iris"),
}
"""Networks by class that no input names; an engine that is given takes the place of `ENGINE`."""

FILE_INPUTS: Mapping[str, str] = {
    "LoadImage": "image",
    "LoadImageMask": "image",
    "LikenessLoadPhotos": "folder",
    "LikenessLoadIdentity": "filename",
}
"""Inputs that name the user's own files, by class: not part of the hash, and never recorded."""

_ROW = re.compile(r"_(\d+)$")


def workflow_hash(graph: Mapping[str, Any]) -> str:
    """64 hex digits that depend on classes, links and values, and on neither titles nor the chosen files: the same that
    the runner's report shows. Empty for no graph."""
    if not graph:
        return ""
    bare = {
        node_id: [node.get("class_type"), {k: v for k, v in _inputs(node).items() if k != _file_input(node)}]
        for node_id, node in graph.items()
    }
    return hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()


def models_used(graph: Mapping[str, Any], nodes: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Name and licence of the models that `nodes` and what they depend on name in their inputs, or load unasked.

    Of a file's name only the last part is given: no folder. Rows of a LoRA stack that are off are left out.
    """
    found: dict[str, str] = {}
    living = upstream(graph, nodes)
    for node_id in (each for each in graph if each in living):
        node = graph[node_id]
        for name in _named(node):
            found.setdefault(name, _licence(name))
    return tuple(found.items())


def _licence(name: str) -> str:
    if name in models():
        return models()[name].licence
    return NON_COMMERCIAL if name.startswith(("insightface/", "inswapper")) else UNKNOWN_LICENCE


def _named(node: Mapping[str, Any]) -> list[str]:
    inputs = _inputs(node)
    given = ENGINE if "engine" in links(node) else ()
    names = [name for name in LOADED_UNASKED.get(str(node.get("class_type")), ()) if name not in given]
    if node.get("class_type") == "LikenessLoadFaceEngine":
        packs = {"insightface": (f"insightface/{inputs.get('pack', 'buffalo_l')}",)}
        names += packs.get(str(inputs.get("engine")), ENGINE)
    for key, value in inputs.items():
        if not isinstance(value, str) or key == _file_input(node) or key.startswith("filename") or _is_off(key, inputs):
            continue
        if value in models() and key in ("model", "matte"):
            names.append(value)
        elif value.lower().endswith(SUFFIXES):
            names.append(PureWindowsPath(value).name)
    return [name for name in names if name in models() or "/" in name or name.lower().endswith(SUFFIXES)]


def _is_off(key: str, inputs: Mapping[str, Any]) -> bool:
    row = _ROW.search(key)
    return row is not None and inputs.get(f"on_{row[1]}") is False


def _inputs(node: Mapping[str, Any]) -> Mapping[str, Any]:
    return node.get("inputs") or {}


def _file_input(node: Mapping[str, Any]) -> str | None:
    return FILE_INPUTS.get(str(node.get("class_type", "")))
