"""A canvas file as graphs of nodes and wires: modes, links, what is only drawn, and each use of a subgraph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import WorkflowUnreadable

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

INPUTS_ID, OUTPUTS_ID = -10, -20
"""The two ends of a subgraph, as nodes of its links."""

CanvasNode = dict[str, Any]


class Unsure(Exception):
    """Not an error: the file does not say for certain what the canvas would send. The text says where."""


@dataclass(frozen=True)
class Wire:
    """A link's origin."""

    node: int | str
    slot: int


def sockets_of(node: CanvasNode) -> list[dict[str, Any]]:
    """The inputs that a node shows."""
    return node.get("inputs") or []


def mode_of(node: CanvasNode) -> int:
    """0 for a node that runs, else one of the modes above."""
    return node.get("mode") or 0


def bypass(node: CanvasNode, slot: int, wanted: str) -> int | None:
    """The input that a bypassed node passes on to its output `slot`: the one beside it if that fits, else the first."""
    kinds = [socket["type"] for socket in sockets_of(node)]
    if not kinds:
        return None
    if wanted in {"*", ""}:
        return slot if slot < len(kinds) else 0
    gives = str(node["outputs"][slot]["type"]) if slot < len(node.get("outputs") or ()) else wanted
    fitting = [place for place, kind in enumerate(kinds) if _fits(kind, gives) and _fits(kind, wanted)]
    if slot in fitting:
        return slot
    exact = [place for place, kind in enumerate(kinds) if kind == wanted]
    return next(iter(exact or fitting), None)


def _fits(one: Any, other: str) -> bool:
    """Whether the canvas would link an output of one type to an input of the other."""
    kinds, others = (set(str(kind).lower().split(",")) for kind in (one, other))
    return bool(kinds & others) or bool({"*", ""} & (kinds | others))


def read_link(link: Any) -> tuple[int, Wire, tuple[Any, int]]:
    """A link's number, its origin, and its target."""
    if isinstance(link, dict):
        origin, target = Wire(link["origin_id"], link["origin_slot"]), (link["target_id"], link["target_slot"])
        return link["id"], origin, target
    return link[0], Wire(link[1], link[2]), (link[3], link[4])


_LISTED = "ue_links"
"""Where Use Everywhere lists the links that it adds when the canvas sends a graph: they are not drawn."""


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


DEEPEST = 50
"""Subgraphs within one another; more means that one contains itself."""

MOST_USES = 2_000
"""Uses of subgraphs in one file: twice a subgraph with twice a subgraph, 30 deep, are a thousand million."""


class Scope:
    """One graph of the file: the outermost, or one use of a subgraph (`instance`, a node of `outer`)."""

    def __init__(
        self, graph: dict[str, Any], path: str = "", outer: Scope | None = None, instance: CanvasNode | None = None
    ) -> None:
        self.graph, self.path, self.outer, self.instance = graph, path, outer, instance
        self.nodes: dict[Any, CanvasNode] = {node["id"]: node for node in graph["nodes"]}
        links = [read_link(link) for link in graph["links"] or ()]
        self.wires = {number: wire for number, wire, _ in links}
        self.into = {target: wire for _, wire, target in links}
        self.by_origin: dict[Wire, list[tuple[Any, int]]] = {}
        for _, wire, target in links:
            self.by_origin.setdefault(wire, []).append(target)
        self.link_targets = {number: target for number, _, target in links}
        self.broadcast = broadcast_links(graph)
        self.inner: dict[Any, Scope] = {}
        self.values: dict[int, Any] | None = None
        self.depth: int = outer.depth + 1 if outer else 0
        self.root: Scope = outer.root if outer else self
        self.uses = 0

    def id_of(self, node: CanvasNode) -> str:
        """The node's id in API format: behind those of the subgraphs around it."""
        return f"{self.path}{node['id']}"

    def wire_into(self, node: CanvasNode, place: int) -> Wire | None:
        """The origin of the link at one of a node's inputs, drawn or broadcast."""
        link = sockets_of(node)[place].get("link")
        return self.broadcast.get((node["id"], place)) if link is None else self.wires.get(link)

    def targets_of_input(self, slot: int) -> list[tuple[Any, int]]:
        """The nodes and input places that an input of this subgraph leads to, in the order it was linked in."""
        order = self.graph["inputs"][slot].get("linkIds")
        if order:
            return [self.link_targets[number] for number in order if number in self.link_targets]
        return self.by_origin.get(Wire(INPUTS_ID, slot), [])

    def slots_of_sockets(self) -> list[int | None]:
        """For each input of the node that uses this subgraph, which input of the definition it is.

        Names may be there twice: then they go by their order.
        """
        free = dict(enumerate((entry["name"], entry.get("type")) for entry in self.graph["inputs"]))
        found: list[int | None] = []
        for socket in sockets_of(self.instance or {}):
            same_name = [slot for slot, (name, _) in free.items() if name == socket["name"]]
            same_type = [slot for slot in same_name if free[slot][1] == socket.get("type")]
            slot = next(iter(same_type or same_name), None)
            if slot is not None:
                del free[slot]
            found.append(slot)
        return found

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
            self.root.uses += 1
            if self.root.uses > MOST_USES:
                raise WorkflowUnreadable(
                    f"The workflow uses subgraphs more than {MOST_USES:,} times; take those out that it does not need."
                )
            self.inner[node["id"]] = Scope(definition, f"{self.path}{node['id']}:", self, node)
        return self.inner[node["id"]]
