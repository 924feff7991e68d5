"""Canvas format to API format, for graphs whose node classes are all known: what the canvas does on its Run button."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .catalog import Catalog, InputSpec, NodeSpec
from .errors import NotConvertible, WorkflowUnreadable

MUTED, BYPASSED = 2, 4
"""The canvas's node modes that leave a node out: with its links, or passing its inputs on."""

NOTES = frozenset({"Note", "MarkdownNote"})
VIRTUAL = NOTES | {"Reroute", "PrimitiveNode"}
"""Nodes that exist on the canvas only."""

SEED_CONTROLS = frozenset({"fixed", "increment", "decrement", "randomize", "increment-wrap"})
"""Values of the "control after generate" widget, which follows the value it controls."""


@dataclass(frozen=True)
class _Wire:
    """A link's origin."""

    node: int | str
    slot: int


def to_api(canvas: dict[str, Any], catalog: Catalog, name: str) -> dict[str, Any]:
    """API format of a canvas export. Raises NotConvertible when a node class is not in `catalog`."""
    try:
        return _Canvas(canvas, catalog, name).convert()
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise WorkflowUnreadable(
            f"{name} is damaged ({type(error).__name__}: {error}); export the workflow again."
        ) from error


class _Canvas:
    def __init__(self, canvas: dict[str, Any], catalog: Catalog, name: str) -> None:
        self.nodes = {node["id"]: node for node in canvas["nodes"]}
        self.wires = dict(_wire(link) for link in canvas["links"])
        self.catalog = catalog
        self.name = name

    def convert(self) -> dict[str, Any]:
        kept = {key: node for key, node in self.nodes.items() if self._is_kept(node)}
        unknown = sorted({str(node["type"]) for node in kept.values() if node["type"] not in self.catalog})
        if unknown:
            raise NotConvertible(
                f"{self.name} is in canvas format and has nodes that are not known here ({', '.join(unknown)}); "
                "export it with 'Export (API)' in ComfyUI, or give --server URL."
            )
        return {str(key): self._entry(node) for key, node in kept.items()}

    def _is_kept(self, node: dict[str, Any]) -> bool:
        return node["type"] not in VIRTUAL and node.get("mode", 0) not in {MUTED, BYPASSED}

    def _entry(self, node: dict[str, Any]) -> dict[str, Any]:
        spec = self.catalog[node["type"]]
        inputs = widget_values(spec, node.get("widgets_values") or [])
        for socket in node.get("inputs") or []:
            wire = self._wire_into(socket)
            if wire is None:
                continue
            wanted = spec.by_name[socket["name"]].type if socket["name"] in spec.by_name else socket["type"]
            found = self._origin(wire, wanted, set())
            if found is None:
                inputs.pop(socket["name"], None)
            else:
                inputs[socket["name"]] = found
        meta: dict[str, Any] = {"title": node.get("title") or spec.title}
        return {"class_type": spec.class_type, "inputs": inputs, "_meta": meta}

    def _origin(self, wire: _Wire, wanted: str, seen: set[Any]) -> Any:
        """What feeds an input: a link, a primitive's value, or None. Follows reroutes and bypassed nodes."""
        node = self.nodes.get(wire.node)
        if node is None or wire.node in seen or node.get("mode", 0) == MUTED:
            return None
        seen = seen | {wire.node}
        sockets = node.get("inputs") or []
        if node["type"] == "Reroute":
            return self._follow(sockets[:1], wanted, seen)
        if node.get("mode", 0) == BYPASSED:
            same_place = sockets[wire.slot : wire.slot + 1]
            matching = [socket for socket in [*same_place, *sockets] if socket["type"] in {wanted, "*"}]
            return self._follow(matching[:1], wanted, seen)
        if node["type"] == "PrimitiveNode":
            values = node.get("widgets_values") or []
            return values[0] if values else None
        return [str(wire.node), wire.slot]

    def _follow(self, sockets: list[dict[str, Any]], wanted: str, seen: set[Any]) -> Any:
        wire = self._wire_into(sockets[0]) if sockets else None
        return self._origin(wire, wanted, seen) if wire is not None else None

    def _wire_into(self, socket: dict[str, Any]) -> _Wire | None:
        link = socket.get("link")
        return None if link is None else self.wires.get(link)


def _wire(link: Any) -> tuple[int, _Wire]:
    if isinstance(link, dict):
        return link["id"], _Wire(link["origin_id"], link["origin_slot"])
    return link[0], _Wire(link[1], link[2])


def widget_values(spec: NodeSpec, values: list[Any] | dict[str, Any]) -> dict[str, Any]:
    """Names for a node's widget values: in the order of the schema, past the widgets that only the canvas has."""
    if isinstance(values, dict):
        return {name: _wrap(value) for name, value in values.items() if name in spec.by_name}
    left = list(values)
    named: dict[str, Any] = {}
    for socket in spec.inputs:
        if not socket.takes_value or not left:
            continue
        named[socket.name] = _wrap(left.pop(0))
        if _is_seed_control(socket, left):
            left.pop(0)
    return named


def _is_seed_control(socket: InputSpec, left: list[Any]) -> bool:
    return socket.has_seed_control and bool(left) and left[0] in SEED_CONTROLS


def _wrap(value: Any) -> Any:
    """A list is a link in API format, so that a list that is a value is wrapped."""
    return {"__value__": value} if isinstance(value, list) else value
