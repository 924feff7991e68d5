"""A canvas file as graphs of nodes and wires: the outermost, and one for each use of a subgraph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .canvas_graph import INPUTS_ID, CanvasNode, Wire, read_link, sockets_of
from .use_everywhere import broadcast_links

DEEPEST = 50
"""Subgraphs within one another; more means that one contains itself."""


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
            self.inner[node["id"]] = Scope(definition, f"{self.path}{node['id']}:", self, node)
        return self.inner[node["id"]]
