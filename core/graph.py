"""Looks at a graph in API format: what a node's result comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

LINK = 2
"""A link in API format is a list of a node's id and the number of its output."""


def links(node: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The inputs of a node that come from other nodes, as [node id, number of the output]."""
    inputs = node.get("inputs") or {}
    return {name: value for name, value in inputs.items() if isinstance(value, list) and len(value) == LINK}


def upstream(graph: Mapping[str, Any], nodes: Iterable[str]) -> set[str]:
    """The ids of `nodes` and of everything in the graph that they depend on."""
    found: set[str] = set()
    pending = list(nodes)
    while pending:
        node_id = pending.pop()
        if node_id not in found and node_id in graph:
            found.add(node_id)
            pending += [str(link[0]) for link in links(graph[node_id]).values()]
    return found
