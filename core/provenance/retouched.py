"""Whether a photo was retouched before: by the graph that it comes out of, and by what its own file says.

Authorities refuse retouched photos, and a picture does not show it. What says it here is a node whose facts name
switches for how the person looks, with one of them on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import host
from ..errors import LikenessError
from ..graph import upstream
from ..imaging.files import opened
from ..node_facts import Effect, facts_of
from . import xmp
from .origin import graphs_in, packet_of, photo_files
from .trace import effect


def retouches_before(graph: Mapping[str, Any], node_id: str | None) -> list[str]:
    """What retouched that the node depends on, in words: nodes of the graph, and photos whose file says so."""
    if node_id is None or node_id not in graph:
        return []
    found = []
    for each in sorted(upstream(graph, [node_id])):
        node = graph[each]
        if _retouches(node):
            found.append(f"{node.get('class_type')} (node {each[:20]})")
        elif effect(node) is Effect.READS:
            found += [f"the photo {file.name}: {said}" for file in _files(node) if (said := retouch_in_file(file))]
    return found


def retouches_of_this_run() -> list[str]:
    """The same of the node that is at work now, inside ComfyUI and in the local engine."""
    run = host.current_run()
    return [] if run is None else retouches_before(run.graph, run.node)


def retouch_in_file(path: Path) -> str:
    """What the file at `path` says of a retouch, in its record or in a graph that it carries; empty where nothing.

    A file that cannot be read says nothing: whoever opens it to work on it says why.
    """
    try:
        with opened(path) as image:
            if image.format == "PNG":
                image.load()
            packet = packet_of(image)
            record = xmp.read(packet).record if packet else None
            graphs = graphs_in(image).graphs
    except (LikenessError, OSError):
        return ""
    steps = (step.partition(": ") for step in (record.steps if record is not None else ()))
    named = [name for name, _, done in steps if _may_retouch(name) and done != Effect.PASSES.value]
    nodes = (node for graph in graphs for node in graph.values() if isinstance(node, dict))
    named += [str(node.get("class_type")) for node in nodes if _retouches(node)]
    return f"its own file names {named[0]} among its steps" if named else ""


def _may_retouch(name: object) -> bool:
    facts = facts_of(name)
    return facts is not None and bool(facts.retouches)


def _retouches(node: Mapping[str, Any]) -> bool:
    return _may_retouch(node.get("class_type", "")) and effect(node) is not Effect.PASSES


def _files(node: Mapping[str, Any]) -> list[Path]:
    try:
        return photo_files(node)
    except LikenessError:
        return []
