"""What a workflow file holds: JSON, or a picture that ComfyUI saved and that carries the graph it was made by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import WorkflowUnreadable

_PNG, _RIFF, _WEBP = b"\x89PNG\r\n\x1a\n", b"RIFF", b"WEBP"


def read_workflow_file(path: Path) -> tuple[Any, dict[str, Any] | None]:
    """The graph in a file, and the canvas format that a picture carries beside it. Raises WorkflowUnreadable.

    Of a picture the graph in API format counts, where it has one: it is what was sent to make it.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(12)
        if head.startswith(_PNG) or (head.startswith(_RIFF) and head.endswith(_WEBP)):
            return _in_picture(path)
        return json.loads(path.read_text("utf-8-sig")), None
    except (OSError, ValueError, RecursionError) as error:
        raise WorkflowUnreadable(f"{path} cannot be read as JSON ({error}); export the workflow again.") from error


def is_canvas(graph: Any) -> bool:
    """Whether a graph is in canvas format."""
    return isinstance(graph, dict) and isinstance(graph.get("nodes"), list) and "links" in graph


def _in_picture(path: Path) -> tuple[Any, dict[str, Any] | None]:
    from PIL import Image

    from ...core.provenance.origin import graph_in, graph_texts

    with Image.open(path) as picture:
        picture.load()
        graph = graph_in(picture)
        texts = [found for found in graph_texts(picture) if is_canvas(found)]
    canvas = texts[0] if texts else None
    if graph is None and canvas is None:
        raise WorkflowUnreadable(
            f"{path} is a picture without a workflow in it; use one that ComfyUI saved with metadata, or a JSON file."
        )
    return (canvas if graph is None else graph), canvas
