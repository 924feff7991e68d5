"""Which model files a workflow names: the report lists them beside the models that nodes say they used."""

from __future__ import annotations

import re
from typing import Any

from .graph import Node, Workflow
from .object_info import MODEL_SUFFIXES

UNKNOWN_LICENCE = "its publisher's: not known here"

_ROW = re.compile(r"_(\d+)$")


def named_models(workflow: Workflow) -> list[dict[str, Any]]:
    """A file each, once, in the form of `RunResult.models`. Rows of a LoRA stack that are off are left out."""
    found: dict[str, dict[str, Any]] = {}
    for node in workflow:
        for name, value in node.inputs.items():
            if _names_model(node, name, value):
                entry = {"name": value, "use": node.title, "licence": UNKNOWN_LICENCE, "commercial": "unclear"}
                found.setdefault(value, entry)
    return list(found.values())


def _names_model(node: Node, name: str, value: Any) -> bool:
    if not isinstance(value, str) or not value.lower().endswith(MODEL_SUFFIXES):
        return False
    row = _ROW.search(name)
    off = row is not None and node.inputs.get(f"on_{row[1]}") is False
    return not off and name != node.file_input and not name.startswith("filename")
