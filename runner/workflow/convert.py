"""Canvas format to API format: what the canvas does on its Run button, subgraphs and dynamic prompts included.

What the file does not say for certain is left to comfy-cli, which runs as a process of its own; see `comfy_cli`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import CanvasNeeded, NodeChanged, NotConvertible, WorkflowUnreadable
from .canvas_graph import (
    BYPASSED,
    FOREIGN_VIRTUAL,
    GETTER,
    INPUTS_ID,
    MUTED,
    OUTPUTS_ID,
    PASSING,
    PRIMITIVE,
    SETTER,
    VIRTUAL,
    CanvasNode,
    Scope,
    Wire,
    bypass,
    mode_of,
    sockets_of,
)
from .dynamic_prompts import resolve
from .object_info import AUTOGROW, Catalog, NodeSpec, object_info_here
from .promoted_widgets import Unsure, promoted_value
from .widget_values import NOTHING, NotOffered, Saved, read_widgets, wrap

RENDERED = frozenset({"Load3D", "Load3DAnimation"})
"""Nodes that give a picture of a scene, which the canvas renders when it sends them."""

GROUP_PREFIXES = ("workflow>", "workflow/")
"""Types of group nodes, the forerunners of subgraphs."""

Beyond = Unsure


@dataclass(frozen=True)
class _Value:
    """An input gets a plain value from elsewhere on the canvas; with `typed` as if it were typed into its widget."""

    value: Any
    typed: bool = False


GONE, UNLINKED = _Value("gone"), _Value("unlinked")
"""What a link may come to: its origin is muted, so that the input is left out; or nothing: its widget counts."""


def convert(canvas: dict[str, Any], source: Callable[[], Catalog], name: str) -> dict[str, Any]:
    """API format of a canvas export.

    `source` gives the catalogue. When it belongs to a server (a `ServerCatalog`), nodes of unknown classes are kept,
    for preflight to name them all; else they are a NotConvertible. Raises WorkflowUnreadable, ComfyCliMissing and
    ComfyCliFailed too.
    """
    server = getattr(source, "server", None)
    try:
        return to_api(canvas, source(), name, keep_unknown=server is not None)
    except Beyond as reason:
        from . import comfy_cli

        described = server.object_info() if server is not None else object_info_here()
        return comfy_cli.to_api(canvas, described, name, str(reason))


def to_api(canvas: dict[str, Any], catalog: Catalog, name: str, *, keep_unknown: bool = False) -> dict[str, Any]:
    """API format of a canvas export, by this converter alone.

    Raises NotConvertible when a node class is not in `catalog` (unless `keep_unknown`), WorkflowUnreadable, and Beyond.
    """
    try:
        return _Canvas(canvas, catalog, name, keep_unknown).convert()
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, RecursionError) as error:
        raise WorkflowUnreadable(
            f"{name} is damaged ({type(error).__name__}: {error}); export the workflow again."
        ) from error


class _Canvas:
    def __init__(self, canvas: dict[str, Any], catalog: Catalog, name: str, keep_unknown: bool) -> None:
        definitions = (canvas.get("definitions") or {}).get("subgraphs") or ()
        self.definitions = {definition["id"]: definition for definition in definitions}
        self.catalog, self.name, self.keep_unknown = catalog, name, keep_unknown
        self.root = Scope(canvas)

    def convert(self) -> dict[str, Any]:
        kept = list(self._kept(self.root))
        unknown = sorted({str(node["type"]) for _, node in kept if node["type"] not in self.catalog})
        if unknown and not self.keep_unknown:
            raise NotConvertible(
                f"{self.name} is in canvas format and has nodes that are not known here ({', '.join(unknown)}); "
                "export it with 'Export (API)' in ComfyUI, or give --server URL."
            )
        return {scope.id_of(node): self._entry(scope, node) for scope, node in kept}

    def _kept(self, scope: Scope) -> Iterator[tuple[Scope, CanvasNode]]:
        """The nodes that run, those in subgraphs too."""
        for node in scope.nodes.values():
            kind = node["type"]
            if self._is_virtual(kind) or mode_of(node) in {MUTED, BYPASSED}:
                continue
            if kind in self.definitions:
                yield from self._kept(scope.enter(node, self.definitions[kind]))
                continue
            if str(kind).startswith(GROUP_PREFIXES):
                raise Beyond(f"the group node {kind!r}")
            yield scope, node

    def _is_virtual(self, kind: Any) -> bool:
        return kind in VIRTUAL or (kind in FOREIGN_VIRTUAL and kind not in self.catalog)

    def _entry(self, scope: Scope, node: CanvasNode) -> dict[str, Any]:
        kind = node["type"]
        spec = self.catalog.get(kind) or NodeSpec(kind, kind, (), (), False)
        sockets = sockets_of(node)
        drawn = {socket["name"] for socket in sockets if socket.get("widget")}
        try:
            values, spec = read_widgets(spec, Saved.of(node), drawn)
        except NotOffered as problem:
            raise self._changed(scope, node, str(problem)) from problem
        if any(socket.type == "LOAD_3D" and values.get(socket.name) == "" for socket in spec.inputs) and kind in RENDERED:
            raise CanvasNeeded(f"{self.name} has {_called(scope, node, spec)}, whose picture only the canvas can draw.")
        inputs = {name: _typed(spec, name, wrap(value), scope.id_of(node)) for name, value in values.items()}
        for socket in sockets:
            self._connect(scope, node, socket, spec, inputs)
        return {"class_type": kind, "inputs": inputs, "_meta": {"title": node.get("title") or spec.title}}

    def _changed(self, scope: Scope, node: CanvasNode, what: str) -> NodeChanged:
        spec = self.catalog.get(node["type"])
        return NodeChanged(
            f"{self.name} was drawn with another version of {_called(scope, node, spec)}: {what} here; "
            "update ComfyUI, or mend the node there and save the workflow again."
        )

    def _connect(
        self, scope: Scope, node: CanvasNode, socket: dict[str, Any], spec: NodeSpec, inputs: dict[str, Any]
    ) -> None:
        """Put into `inputs` what the link at one input comes to."""
        name, wire = socket["name"], scope.wire_into(socket)
        if wire is None:
            return
        known = spec.by_name.get(name)
        found = self._origin(scope, wire, known.type if known else str(socket["type"]), set())
        if spec.inputs and spec.is_sure and known is None and not _is_grown(spec, name):
            if isinstance(found, Wire):
                raise self._changed(scope, node, f"it has no input {name!r}")
            return
        if found is GONE:
            inputs.pop(name, None)
        elif isinstance(found, Wire):
            inputs[name] = [found.node, found.slot]
        elif found is not UNLINKED:
            value = wrap(found.value)
            inputs[name] = _typed(spec, name, value, scope.id_of(node)) if found.typed else value

    def _origin(self, scope: Scope, wire: Wire, wanted: str, seen: set[Any]) -> Wire | _Value:
        """What feeds an input: a node's output (by its id in API format), a value, GONE or UNLINKED.

        Follows reroutes, bypassed nodes, and the ends of subgraphs.
        """
        if wire.node == INPUTS_ID and scope.outer is not None:
            return self._from_outside(scope, scope.outer, wire.slot, seen)
        node = scope.nodes.get(wire.node)
        step = (scope.path, wire.node, wire.slot)
        if node is None or step in seen:
            return UNLINKED
        seen = seen | {step}
        kind, mode = node["type"], mode_of(node)
        if kind == PRIMITIVE:
            values = node.get("widgets_values") or []
            return _Value(values[0], typed=True) if values else UNLINKED
        if mode == MUTED:
            return GONE
        if mode == BYPASSED:
            passed = bypass(node, wire.slot, wanted)
            return self._follow(scope, passed, str(passed["type"]), seen) if passed else UNLINKED
        if self._is_virtual(kind):
            if kind == GETTER:
                return self._got(scope, node, wanted, seen)
            sockets = sockets_of(node) if kind in PASSING else []
            return self._follow(scope, sockets[0], wanted, seen) if sockets else UNLINKED
        if kind in self.definitions:
            inside = scope.enter(node, self.definitions[kind])
            inner = inside.into.get((OUTPUTS_ID, wire.slot))
            return UNLINKED if inner is None else self._origin(inside, inner, wanted, seen)
        return Wire(scope.id_of(node), wire.slot)

    def _follow(self, scope: Scope, socket: dict[str, Any], wanted: str, seen: set[Any]) -> Wire | _Value:
        wire = scope.wire_into(socket)
        return UNLINKED if wire is None else self._origin(scope, wire, wanted, seen)

    def _got(self, scope: Scope, getter: CanvasNode, wanted: str, seen: set[Any]) -> Wire | _Value:
        """What the node that sets a name is given, here or in a graph around this one."""
        for around in scope.outwards():
            for node in around.nodes.values():
                same = node["type"] == SETTER and node["widgets_values"][:1] == getter["widgets_values"][:1]
                if same and sockets_of(node):
                    return self._follow(around, sockets_of(node)[0], wanted, seen)
        return UNLINKED

    def _from_outside(self, scope: Scope, outer: Scope, slot: int, seen: set[Any]) -> Wire | _Value:
        """What feeds an input of the subgraph itself: a link there, or the widget that its use shows."""
        name = scope.graph["inputs"][slot]["name"]
        for socket in sockets_of(scope.instance or {}):
            if socket["name"] == name and outer.wire_into(socket) is not None:
                return self._follow(outer, socket, str(socket["type"]), seen)
        value = promoted_value(scope, self.definitions, slot)
        return UNLINKED if value is NOTHING else _Value(value)


def _called(scope: Scope, node: CanvasNode, spec: NodeSpec | None) -> str:
    """A node as a message names it."""
    return f"{node.get('title') or (spec.title if spec else node['type'])!r} (node {scope.id_of(node)})"


def _is_grown(spec: NodeSpec, name: str) -> bool:
    """Whether an input is one of those that grow in number as they are linked."""
    return any(socket.type == AUTOGROW and name.startswith(f"{socket.name}.") for socket in spec.inputs)


def _typed(spec: NodeSpec, name: str, value: Any, node_id: str) -> Any:
    """The value of a widget as the canvas sends it: choices in prompt texts are made."""
    socket = spec.by_name.get(name)
    if isinstance(value, str) and socket is not None and socket.options.get("dynamicPrompts"):
        return resolve(value, f"{node_id}.{name}")
    return value
