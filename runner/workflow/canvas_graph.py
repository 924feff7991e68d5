"""Words and parts of a canvas file: which nodes are only drawn, modes, links, and what a bypassed node passes on."""

from __future__ import annotations

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
