"""A canvas file as graphs of nodes and wires: the outermost, and one for each use of a subgraph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MUTED, BYPASSED = 2, 4
"""The canvas's node modes that leave a node out: with its links, or passing its inputs on."""

PRIMITIVE = "PrimitiveNode"
VIRTUAL = frozenset({"Note", "MarkdownNote", "Reroute", PRIMITIVE})
"""Nodes that exist on the canvas only."""

SETTER, GETTER = "SetNode", "GetNode"
PASSING = frozenset({"Reroute", "Reroute (rgthree)", SETTER})
"""Nodes that pass their first input on."""

FOREIGN_VIRTUAL = PASSING | {
    *(GETTER, "Label (rgthree)", "Bookmark (rgthree)", "Node Collector (rgthree)", "Fast Muter (rgthree)"),
    *("Fast Bypasser (rgthree)", "Fast Groups Muter (rgthree)", "Fast Groups Bypasser (rgthree)"),
}
"""Nodes that widespread packs add to the canvas only; no server ever has them."""

DEEPEST = 50
"""Subgraphs within one another; more means that one contains itself."""

INPUTS_ID, OUTPUTS_ID = -10, -20
"""The two ends of a subgraph, as nodes of its links."""

CanvasNode = dict[str, Any]


@dataclass(frozen=True)
class Wire:
    """A link's origin."""

    node: int | str
    slot: int


class Scope:
    """One graph of the file: the outermost, or one use of a subgraph (`instance`, a node of `outer`)."""

    def __init__(
        self, graph: dict[str, Any], path: str = "", outer: Scope | None = None, instance: CanvasNode | None = None
    ) -> None:
        self.graph, self.path, self.outer, self.instance = graph, path, outer, instance
        self.nodes: dict[Any, CanvasNode] = {node["id"]: node for node in graph["nodes"]}
        links = [_link(link) for link in graph["links"] or ()]
        self.wires = {number: wire for number, wire, _ in links}
        self.into = {target: wire for _, wire, target in links}
        self.targets: dict[Wire, list[tuple[Any, int]]] = {}
        for _, wire, target in links:
            self.targets.setdefault(wire, []).append(target)
        self.inner: dict[Any, Scope] = {}
        self.values: dict[str, Any] | None = None
        self.depth: int = outer.depth + 1 if outer else 0

    def id_of(self, node: CanvasNode) -> str:
        """The node's id in API format: behind those of the subgraphs around it."""
        return f"{self.path}{node['id']}"

    def wire_into(self, socket: dict[str, Any]) -> Wire | None:
        """The origin of the link at an input."""
        link = socket.get("link")
        return None if link is None else self.wires.get(link)

    def outwards(self) -> Iterator[Scope]:
        """This graph and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def enter(self, node: CanvasNode, definition: dict[str, Any]) -> Scope:
        """The inside of a node that uses a subgraph."""
        if node["id"] not in self.inner:
            if self.depth >= DEEPEST:
                raise ValueError("a subgraph contains itself")
            self.inner[node["id"]] = Scope(definition, f"{self.path}{node['id']}:", self, node)
        return self.inner[node["id"]]


def sockets_of(node: CanvasNode) -> list[dict[str, Any]]:
    """The inputs that a node shows."""
    return node.get("inputs") or []


def mode_of(node: CanvasNode) -> int:
    """0 for a node that runs, else one of the modes above."""
    return node.get("mode") or 0


def bypass(node: CanvasNode, slot: int, wanted: str) -> dict[str, Any] | None:
    """The input that a bypassed node passes on to its output `slot`: the one beside it if that fits, else the first."""
    sockets = sockets_of(node)
    if wanted in {"*", ""}:
        return (sockets[slot : slot + 1] or sockets[:1] or [None])[0]
    gives = str(node["outputs"][slot]["type"]) if slot < len(node.get("outputs") or ()) else wanted
    fitting = [socket for socket in sockets if _fits(socket["type"], gives) and _fits(socket["type"], wanted)]
    if slot < len(sockets) and sockets[slot] in fitting:
        return sockets[slot]
    exact = [socket for socket in sockets if socket["type"] == wanted]
    return (exact or fitting or [None])[0]


def _fits(one: Any, other: str) -> bool:
    """Whether the canvas would link an output of one type to an input of the other."""
    kinds, others = (set(str(kind).lower().split(",")) for kind in (one, other))
    return bool(kinds & others) or bool({"*", ""} & (kinds | others))


def _link(link: Any) -> tuple[int, Wire, tuple[Any, int]]:
    """A link's number, its origin, and its target."""
    if isinstance(link, dict):
        origin, target = Wire(link["origin_id"], link["origin_slot"]), (link["target_id"], link["target_slot"])
        return link["id"], origin, target
    return link[0], Wire(link[1], link[2]), (link[3], link[4])
