"""What a workflow file holds: JSON, or a picture that ComfyUI saved and that carries the graph it was made by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...core.errors import PhotoError
from ..errors import WorkflowUnreadable

_PNG, _RIFF, _WEBP = b"\x89PNG\r\n\x1a\n", b"RIFF", b"WEBP"


MOST_BYTES, MOST_NODES, MOST_LAYERS = 64 << 20, 10_000, 100
"""Limits of a workflow: the bytes of its file, its nodes, and how deep values lie in one another."""


def read_workflow_file(path: Path) -> tuple[Any, dict[str, Any] | None]:
    """The graph in a file, and the canvas format that a picture carries beside it. Raises WorkflowUnreadable.

    Of a picture the graph in API format counts, where it has one: it is what was sent to make it.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(12)
        if head.startswith(_PNG) or (head.startswith(_RIFF) and head.endswith(_WEBP)):
            return _in_picture(path)
        if path.stat().st_size > MOST_BYTES:
            raise WorkflowUnreadable(f"{path} is larger than the {MOST_BYTES >> 20} MB that a workflow may have.")
        return json.loads(path.read_text("utf-8-sig")), None
    except (OSError, ValueError, RecursionError) as error:
        raise WorkflowUnreadable(f"{path} cannot be read as JSON ({error}); export the workflow again.") from error


def is_canvas(graph: Any) -> bool:
    """Whether a graph is in canvas format."""
    return isinstance(graph, dict) and isinstance(graph.get("nodes"), list) and "links" in graph


def check_extent(name: str, graph: Any) -> None:
    """Refuse a graph that would take minutes or a traceback further on. Raises WorkflowUnreadable."""
    count = len(graph["nodes"] if is_canvas(graph) else graph) if isinstance(graph, dict) else 0
    if count > MOST_NODES:
        raise WorkflowUnreadable(f"{name} has {count:,} nodes, and {MOST_NODES:,} are taken; split it up.")
    layer: list[Any] = [graph] if isinstance(graph, dict | list) else []
    for _ in range(MOST_LAYERS):
        layer = [
            each
            for value in layer
            for each in (value.values() if isinstance(value, dict) else value)
            if isinstance(each, dict | list)
        ]
        if not layer:
            return
    raise WorkflowUnreadable(
        f"{name} has values that lie more than {MOST_LAYERS} deep in one another; export it again."
    )


def _in_picture(path: Path) -> tuple[Any, dict[str, Any] | None]:
    from ...core.imaging.files import opened
    from ...core.provenance.origin import graphs_in

    try:
        with opened(path) as picture:
            picture.load()
            found = graphs_in(picture)
    except PhotoError as error:
        raise WorkflowUnreadable(f"{path} cannot be read as a picture with a workflow in it: {error}") from error
    graph = next(iter(found.graphs), None)
    canvas = next(filter(is_canvas, found.canvases), None)
    if graph is None and canvas is None:
        raise WorkflowUnreadable(
            f"{path} is a picture without a workflow in it; use one that ComfyUI saved with metadata, or a JSON file."
        )
    return (canvas if graph is None else graph), canvas
