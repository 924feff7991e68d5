"""A graph in API format: its links, what a node's result comes from, and a hash of what it does.

``{id: {"class_type": …, "inputs": {…}}}``. What is read here comes from files and servers, so that any part may be
missing or of another type.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from .node_facts import facts_of

Link = tuple[str, int]
"""Node id and output number."""

Node = Mapping[str, Any]
Graph = Mapping[str, Node]

_PARTS = 2
"""A link in API format is a list of a node's id and the number of its output."""


def as_link(value: Any) -> Link | None:
    """The link that an input's value stands for, or None for a plain value. Lists are links in API format."""
    match value:
        case [str() | int() as node_id, int() as slot] if not isinstance(slot, bool):
            return str(node_id), slot
    return None


def links(node: Node) -> dict[str, list[Any]]:
    """The inputs of a node that come from other nodes, as [node id, number of the output], odd ones among them."""
    inputs = node.get("inputs") or {}
    return {name: value for name, value in inputs.items() if isinstance(value, list) and len(value) == _PARTS}


def upstream(graph: Graph, nodes: Iterable[str]) -> set[str]:
    """The ids of `nodes` and of everything in the graph that they depend on."""
    found: set[str] = set()
    pending = list(nodes)
    while pending:
        node_id = pending.pop()
        if node_id not in found and node_id in graph:
            found.add(node_id)
            pending += [str(link[0]) for link in links(graph[node_id]).values()]
    return found


def file_input(node: Node) -> str | None:
    """The input that names the user's own file or folder; None for nodes that read none."""
    facts = facts_of(node.get("class_type", ""))
    return facts.reads[0] if facts is not None and facts.reads is not None else None


def hash_graph(graph: Graph) -> str:
    """64 hex digits that depend on classes, links and values, and on neither titles nor the chosen files."""
    bare = {
        node_id: [
            node.get("class_type"),
            {k: v for k, v in (node.get("inputs") or {}).items() if k != file_input(node)},
        ]
        for node_id, node in graph.items()
    }
    return hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()
