"""Which models a graph names or loads unasked: what is recorded of a workflow without the workflow itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PureWindowsPath
from typing import Any

from ..graph import file_input, links, upstream
from ..models.manifest import NON_COMMERCIAL, models
from ..node_facts import ENGINE, facts_of

UNKNOWN_LICENCE = "its publisher's: not known here"
"""The words of the runner's report for the same."""

SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".sft", ".onnx", ".tflite")
"""Endings of model files."""

_ROW = re.compile(r"_(\d+)$")


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
    facts = facts_of(node.get("class_type", ""))
    names = [name for name in (facts.loads if facts is not None else ()) if name not in given]
    if node.get("class_type") == "LikenessLoadFaceEngine":
        packs = {"insightface": (f"insightface/{inputs.get('pack', 'buffalo_l')}",)}
        names += packs.get(str(inputs.get("engine")), ENGINE)
    for key, value in inputs.items():
        if not isinstance(value, str) or key == file_input(node) or key.startswith("filename") or _is_off(key, inputs):
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
