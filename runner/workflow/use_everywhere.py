"""Links that Use Everywhere adds when the canvas sends a graph: they are not drawn, and the file lists them."""

from __future__ import annotations

from typing import Any

from .canvas_graph import BYPASSED, MUTED, OUTPUTS_ID, CanvasNode, Unsure, Wire, mode_of, sockets_of

_LISTED = "ue_links"


def broadcast_links(graph: dict[str, Any]) -> dict[tuple[Any, int], Wire]:
    """The origin of each input of one graph that is fed without a drawn link, by node and place.

    Raises Unsure where nodes broadcast and the file does not list what comes of it.
    """
    listed = (graph.get("extra") or {}).get(_LISTED)
    if listed is None:
        speaking = [node for node in graph["nodes"] if _broadcasts(node)]
        if speaking:
            raise Unsure(f"the node {speaking[0]['type']!r}, whose links the file does not list")
        return {}
    ids = {str(node["id"]): node["id"] for node in graph["nodes"]} | {str(OUTPUTS_ID): OUTPUTS_ID}
    return {
        (ids[str(link["downstream"])], int(link["downstream_slot"])): Wire(
            ids.get(str(link["upstream"]), int(link["upstream"])), int(link["upstream_slot"])
        )
        for link in listed
        if str(link["downstream"]) in ids
    }


def _broadcasts(node: CanvasNode) -> bool:
    kind = str(node["type"])
    own = "Everywhere" in kind or kind == "Anything Somewhere" or (node.get("properties") or {}).get("ue_convert")
    linked = any(socket.get("link") is not None for socket in sockets_of(node))
    return bool(own) and linked and mode_of(node) not in {MUTED, BYPASSED}
