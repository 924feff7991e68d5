"""The job's id in the names of its files on the server, so that two jobs never write the same file."""

from __future__ import annotations

from typing import Any

from ...workflow.graph import Workflow
from ..saved_files import File

PREFIX_INPUT = "filename_prefix"
"""The input by which core's and other packs' nodes are told how to name their files."""

ANEW_INPUT = "likeness_anew"
"""An input that no node has: servers ignore it, and yet do not take the node's result from their cache."""


def mark(prompt_id: str) -> str:
    """What is put into the names of the job's files."""
    return f"_{prompt_id[:8]}"


def marked(workflow: Workflow, prompt_id: str) -> dict[str, Any]:
    """The graph in API format, with the job's mark at the end of every filename prefix."""
    graph = workflow.to_api()
    for node in graph.values():
        prefix = node["inputs"].get(PREFIX_INPUT)
        if isinstance(prefix, str):
            node["inputs"][PREFIX_INPUT] = prefix + mark(prompt_id)
    return graph


def anew(graph: dict[str, Any], node_ids: set[str], prompt_id: str) -> None:
    """Make the nodes of `node_ids` run even where the server has their results in its cache."""
    for node_id in node_ids & set(graph):
        graph[node_id]["inputs"][ANEW_INPUT] = prompt_id


def unmarked(file: File, prompt_id: str) -> File:
    """The file under the name that the workflow gave it."""
    return {**file, "filename": str(file["filename"]).replace(mark(prompt_id), "", 1)}
