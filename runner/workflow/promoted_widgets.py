"""Widgets that a subgraph shows on the node that uses it: which there are, and which of the saved values is whose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .canvas_graph import CanvasNode, Unsure, sockets_of
from .canvas_scope import Scope
from .widgets import NOTHING, wrap


def promoted_value(inside: Scope, definitions: Mapping[Any, dict[str, Any]], slot: int) -> Any:
    """The value that a use of a subgraph holds for the input `slot` of its definition, or NOTHING. Raises Unsure."""
    if inside.values is None:
        inside.values = _values(inside, definitions)
    return inside.values.get(slot, NOTHING)


def _values(inside: Scope, definitions: Mapping[Any, dict[str, Any]]) -> dict[int, Any]:
    instance: CanvasNode = inside.instance or {}
    names = [socket["name"] for socket in inside.graph["inputs"]]
    promoted = [slot for slot in range(len(names)) if _is_promoted(inside, definitions, slot)]
    if len({names[slot] for slot in promoted}) < len(promoted):
        raise Unsure("promoted widgets of a subgraph that share a name")
    values = instance.get("widgets_values")
    named = instance.get("widgets_values_named", values)
    if isinstance(named, Mapping):
        return {slot: wrap(named[name]) for slot, name in enumerate(names) if name in named}
    if not values:
        return {}
    if (instance.get("properties") or {}).get("proxyWidgets"):
        raise Unsure("promoted widgets of the older kind that have values of their own")
    places = inside.slots_of_sockets()
    shown = [place for place, socket in zip(places, sockets_of(instance), strict=True) if socket.get("widget")]
    candidates = [order for order in (promoted, shown) if len(order) == len(values)]
    if not candidates:
        raise Unsure(f"{len(values)} values for {len(promoted)} promoted widgets of a subgraph")
    if len(candidates) == 2 and promoted != shown:
        raise Unsure("promoted widgets of a subgraph in two orders")
    return {slot: wrap(value) for slot, value in zip(candidates[0], values, strict=True) if slot is not None}


def _is_promoted(inside: Scope, definitions: Mapping[Any, dict[str, Any]], slot: int) -> bool:
    """Whether an input of the subgraph leads to a widget inside, so that its use shows that widget."""
    for node_id, place in inside.targets_of_input(slot):
        node = inside.nodes.get(node_id)
        if node is None:
            continue
        sockets = sockets_of(node)
        if not 0 <= place < len(sockets):
            continue
        if sockets[place].get("widget"):
            return True
        if node["type"] in definitions:
            deeper = inside.enter(node, definitions[node["type"]])
            inner = deeper.slots_of_sockets()[place]
            if inner is not None and _is_promoted(deeper, definitions, inner):
                return True
    return False
