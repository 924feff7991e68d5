"""Group nodes, the forerunners of subgraphs, as subgraphs: one definition for each node that uses one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .canvas_graph import INPUTS_ID, OUTPUTS_ID, VIRTUAL, CanvasNode, Unsure, sockets_of
from .object_info import Catalog
from .widgets import Saved, take_widgets

PREFIXES = ("workflow>", "workflow/")
"""What types of group nodes begin with; the rest is the group's name."""

Group = Mapping[str, Any]


def expand_groups(canvas: dict[str, Any], catalog: Catalog) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The canvas with a subgraph in place of each group node, and their definitions. Raises Unsure.

    A group is taken only where what it shows is what it would show: nothing hidden, renamed or converted.
    """
    groups = (canvas.get("extra") or {}).get("groupNodes") or {}
    if not any(_is_group(node) for node in canvas["nodes"]):
        return canvas, {}
    nodes, definitions = [], {}
    for node in canvas["nodes"]:
        if _is_group(node):
            group = groups.get(str(node["type"])[len(PREFIXES[0]) :])
            if group is None:
                raise Unsure(f"the group node {node['type']!r}, which the file does not explain")
            kind = f"group {node['id']}"
            definitions[kind] = _definition(node, group, catalog)
            node = node | {"type": kind, "widgets_values": None}
        nodes.append(node)
    return canvas | {"nodes": nodes}, definitions


def _is_group(node: CanvasNode) -> bool:
    return str(node["type"]).startswith(PREFIXES)


def _definition(node: CanvasNode, group: Group, catalog: Catalog) -> dict[str, Any]:
    inner = [dict(each) | {"id": place} for place, each in enumerate(group["nodes"])]
    strange = [each["type"] for each in inner if each["type"] not in catalog or each["type"] in VIRTUAL]
    if strange or group.get("config"):
        raise Unsure(
            f"the group node {node['type']!r}, " + (f"which has {strange[0]}" if strange else "which is changed")
        )
    links = [_link(number, link) for number, link in enumerate(group.get("links") or (), start=1)]
    _give_values(node, inner, catalog)
    free = _free_inputs(inner, links)
    outputs = _free_outputs(inner, group)
    shown = [str(socket["type"]) for socket in sockets_of(node)]
    if shown != [kind for _, _, kind in free] or len(node.get("outputs") or ()) != len(outputs):
        raise Unsure(f"the group node {node['type']!r}, whose inputs are not those of the nodes in it")
    links += [_wire(len(links) + n + 1, (INPUTS_ID, n), to[:2], to[2]) for n, to in enumerate(free)]
    links += [_wire(len(links) + n + 1, out[:2], (OUTPUTS_ID, n), out[2]) for n, out in enumerate(outputs)]
    for link in links:
        if link["target_id"] != OUTPUTS_ID:
            inner[link["target_id"]]["inputs"][link["target_slot"]]["link"] = link["id"]
    names = [{"name": socket["name"]} for socket in sockets_of(node)]
    return {"nodes": inner, "links": links, "inputs": names}


def _give_values(node: CanvasNode, inner: list[CanvasNode], catalog: Catalog) -> None:
    """Share the group node's values out to the nodes in it, in their order."""
    saved = Saved(list(node.get("widgets_values") or ()))
    for each in inner:
        each["inputs"] = [dict(socket) | {"link": None} for socket in sockets_of(each)]
        each["widgets_values_named"] = take_widgets(catalog[each["type"]], saved)
    if saved.listed or saved.missed:
        raise Unsure(f"the group node {node['type']!r}, whose values are not as many as its widgets")


def _free_inputs(inner: list[CanvasNode], links: list[dict[str, Any]]) -> list[tuple[Any, int, str]]:
    fed = {(link["target_id"], link["target_slot"]) for link in links}
    return [
        (each["id"], place, str(socket["type"]))
        for each in inner
        for place, socket in enumerate(each["inputs"])
        if (each["id"], place) not in fed and not socket.get("widget")
    ]


def _free_outputs(inner: list[CanvasNode], group: Group) -> list[tuple[Any, int, str]]:
    """The outputs that are not used inside, and those that are shown although they are."""
    used = {(link[0], link[1]) for link in group.get("links") or ()}
    shown = {(entry[0], entry[1]) for entry in group.get("external") or ()}
    return [
        (each["id"], place, str(output["type"]))
        for each in inner
        for place, output in enumerate(each.get("outputs") or ())
        if (each["id"], place) in shown or (each["id"], place) not in used
    ]


def _link(number: int, link: Any) -> dict[str, Any]:
    return _wire(number, (link[0], link[1]), (link[2], link[3]), link[5] if len(link) > 5 else "*")


def _wire(number: int, origin: tuple[Any, int], target: tuple[Any, int], kind: Any) -> dict[str, Any]:
    return {
        "id": number,
        "origin_id": origin[0],
        "origin_slot": origin[1],
        "target_id": target[0],
        "target_slot": target[1],
        "type": kind,
    }
