"""Canvas format to API format: what the canvas does on its Run button, subgraphs and dynamic prompts included.

What the file does not say for certain is left to comfy-cli, which runs as a process of its own; see `comfy_cli`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..errors import CanvasNeeded, ConversionUnclear, NodeChanged, NotConvertible, WorkflowUnreadable
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
    Unsure,
    Wire,
    broadcast_links,
    bypass,
    mode_of,
    sockets_of,
)
from .canvas_texts import NAME_PROPERTY, PREFIX, SAVING, replace_marks, resolve
from .group_nodes import expand_groups
from .object_info import AUTOGROW, DYNAMIC_COMBO, Catalog, NodeSpec, object_info_here
from .widgets import (
    CUSTOM_COMBO,
    NOTHING,
    NotOffered,
    Saved,
    Unread,
    made_widgets,
    place_of_choice,
    promoted_value,
    read_widgets,
    wrap,
)

RENDERED = frozenset({"Load3D", "Load3DAnimation"})
"""Nodes that give a picture of a scene, which the canvas renders when it sends them."""

VIEWS = frozenset({"LOAD3D_CAMERA", "LOAD3D_MODEL_INFO"})
"""What nodes that show a scene give of its view."""


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
    except Unsure as reason:
        from . import comfy_cli

        sure = _read(lambda: _Canvas(canvas, source(), name, keep_unknown=True).convert_what_is_sure(), name)
        described = server.object_info() if server is not None else object_info_here()
        answer = comfy_cli.to_api(canvas, described, name, str(reason))
        comfy_cli.require_agreement(answer, sure, name)
        return answer


def to_api(
    canvas: dict[str, Any], catalog: Catalog, name: str, *, keep_unknown: bool = False, now: datetime | None = None
) -> dict[str, Any]:
    """API format of a canvas export, by this converter alone; with the dates of `now` in file names, if it is given.

    Raises NotConvertible when a node class is not in `catalog` (unless `keep_unknown`) or nobody can know for certain
    what the canvas would send, WorkflowUnreadable, and Unsure where comfy-cli may know.
    """
    return _read(lambda: _Canvas(canvas, catalog, name, keep_unknown, now).convert(), name)


def _read(read: Callable[[], dict[str, Any]], name: str) -> dict[str, Any]:
    try:
        return read()
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, RecursionError) as error:
        raise WorkflowUnreadable(
            f"{name} is damaged ({type(error).__name__}: {error}); export the workflow again."
        ) from error


class _Canvas:
    def __init__(
        self, canvas: dict[str, Any], catalog: Catalog, name: str, keep_unknown: bool, now: datetime | None = None
    ) -> None:
        definitions = (canvas.get("definitions") or {}).get("subgraphs") or ()
        self.definitions = {definition["id"]: definition for definition in definitions}
        self.catalog, self.name, self.keep_unknown, self.now = catalog, name, keep_unknown, now
        try:
            canvas, groups = expand_groups(canvas, catalog)
            self.definitions |= groups
            self.root = Scope(canvas)
            for definition in self.definitions.values():
                broadcast_links(definition)
        except Unsure as reason:
            raise ConversionUnclear(
                f"{name} has {reason}, so that it is not certain what the canvas would send; "
                "open it in ComfyUI and use 'Export (API)'."
            ) from reason

    def convert(self) -> dict[str, Any]:
        kept = list(self._kept(self.root))
        unknown = sorted({str(node["type"]) for _, node in kept if node["type"] not in self.catalog})
        if unknown and not self.keep_unknown:
            raise NotConvertible(
                f"{self.name} is in canvas format and has nodes that are not known here ({', '.join(unknown)}); "
                "export it with 'Export (API)' in ComfyUI, or give --server URL."
            )
        return {scope.id_of(node): self._entry(scope, node) for scope, node in kept}

    def convert_what_is_sure(self) -> dict[str, Any]:
        """The graph with None for each node that the file is not certain about."""
        found: dict[str, Any] = {}
        for scope, node in self._kept(self.root):
            try:
                found[scope.id_of(node)] = self._entry(scope, node)
            except Unsure:
                found[scope.id_of(node)] = None
        return found

    def _kept(self, scope: Scope) -> Iterator[tuple[Scope, CanvasNode]]:
        """The nodes that run, those in subgraphs too.

        The canvas switches off what is inside a subgraph with it, and looks at the mode of the outermost one only.
        """
        for node in scope.nodes.values():
            kind = node["type"]
            left_out = mode_of(node) in {MUTED, BYPASSED}
            if kind in self.definitions and (scope.outer or not left_out):
                yield from self._kept(scope.enter(node, self.definitions[kind]))
                continue
            if left_out or self._is_virtual(kind):
                continue
            yield scope, node

    def _is_virtual(self, kind: Any) -> bool:
        return kind in VIRTUAL or (kind in FOREIGN_VIRTUAL and kind not in self.catalog)

    def _entry(self, scope: Scope, node: CanvasNode) -> dict[str, Any]:
        kind = node["type"]
        spec = self.catalog.get(kind) or NodeSpec(kind, kind, (), (), False)
        if kind in RENDERED or _gives_view(scope, node, spec):
            raise CanvasNeeded(f"{self.name} has {_called(scope, node, spec)}, whose scene only the canvas can render.")
        values, spec = self._widgets(scope, node)
        inputs = {name: self._typed(spec, name, wrap(value), scope.id_of(node)) for name, value in values.items()}
        for place in range(len(sockets_of(node))):
            self._connect(scope, node, place, spec, inputs)
        if kind == CUSTOM_COMBO:
            inputs["index"] = place_of_choice(inputs, values.get("choice"))
        return {"class_type": kind, "inputs": inputs, "_meta": {"title": node.get("title") or spec.title}}

    def _widgets(self, scope: Scope, node: CanvasNode) -> tuple[dict[str, Any], NodeSpec]:
        """The values of a node's widgets, and its class with the inputs that these bring."""
        kind = node["type"]
        spec = self.catalog.get(kind) or NodeSpec(kind, kind, (), (), False)
        drawn = {socket["name"] for socket in sockets_of(node) if socket.get("widget")}
        try:
            values, spec = read_widgets(spec, Saved.of(node), drawn)
            return values | made_widgets(node, spec, values), spec
        except NotOffered as problem:
            raise self._changed(scope, node, str(problem)) from problem
        except Unread as problem:
            raise Unsure(str(problem)) from problem

    def _typed(self, spec: NodeSpec, name: str, value: Any, node_id: str) -> Any:
        """What a widget's value is sent as: choices in prompt texts are made, and marks in file names replaced.

        The canvas does neither with what a subgraph shows of a widget inside.
        """
        socket = spec.by_name.get(name)
        if isinstance(value, str) and socket is not None and socket.options.get("dynamicPrompts"):
            return resolve(value, f"{node_id}.{name}")
        if isinstance(value, str) and name == PREFIX and spec.class_type in SAVING:
            return replace_marks(value, self._find_widget, self.now)
        return value

    def _find_widget(self, name: str, widget: str) -> Any:
        """The value of a widget of the first node that has `name` for search and replace, or else as its title."""
        nodes = list(self._all_nodes(self.root))
        named = [each for each in nodes if (each[1].get("properties") or {}).get(NAME_PROPERTY) == name]
        for scope, node in (named or [each for each in nodes if self._title(each[1]) == name])[:1]:
            return self._widgets(scope, node)[0].get(widget)
        return None

    def _all_nodes(self, scope: Scope) -> Iterator[tuple[Scope, CanvasNode]]:
        """Every node of the file, those in subgraphs behind the node that uses them."""
        for node in scope.nodes.values():
            yield scope, node
            if node["type"] in self.definitions:
                yield from self._all_nodes(scope.enter(node, self.definitions[node["type"]]))

    def _title(self, node: CanvasNode) -> str:
        spec = self.catalog.get(node["type"])
        return str(node.get("title") or (spec.title if spec else node["type"]))

    def _changed(self, scope: Scope, node: CanvasNode, what: str) -> NodeChanged:
        spec = self.catalog.get(node["type"])
        return NodeChanged(
            f"{self.name} was drawn with another version of {_called(scope, node, spec)}: {what} here; "
            "update ComfyUI, or mend the node there and save the workflow again."
        )

    def _connect(self, scope: Scope, node: CanvasNode, place: int, spec: NodeSpec, inputs: dict[str, Any]) -> None:
        """Put into `inputs` what the link at one input comes to."""
        socket, wire = sockets_of(node)[place], scope.wire_into(node, place)
        name = socket["name"]
        if wire is None:
            return
        known = spec.by_name.get(name)
        settled = known is not None and not known.type.startswith("COMFY_")
        found = self._origin(scope, wire, known.type if known and settled else str(socket["type"]), set())
        if spec.inputs and spec.is_sure and known is None and not _is_grown(spec, name):
            if isinstance(found, Wire):
                raise self._changed(scope, node, f"it has no input {name!r}")
            return
        if found is GONE and socket.get("widget") and name in inputs:
            if known is not None and not known.required:
                raise Unsure(
                    f"{name} of {_called(scope, node, spec)}, which is linked to a muted node: canvases differ"
                )
        elif found is GONE:
            inputs.pop(name, None)
        elif isinstance(found, Wire):
            inputs[name] = [found.node, found.slot]
        elif found is not UNLINKED:
            if found.typed and known is not None and known.type == DYNAMIC_COMBO:
                raise Unsure(f"a primitive that chooses the {name} of {_called(scope, node, spec)}")
            value = wrap(found.value)
            inputs[name] = self._typed(spec, name, value, scope.id_of(node)) if found.typed else value

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
            if passed is None:
                return UNLINKED
            return self._follow(scope, node, passed, str(sockets_of(node)[passed]["type"]), seen)
        if self._is_virtual(kind):
            if kind == GETTER:
                return self._got(scope, node, wanted, seen)
            passes = kind in PASSING and bool(sockets_of(node))
            return self._follow(scope, node, 0, wanted, seen) if passes else UNLINKED
        if kind in self.definitions:
            inside = scope.enter(node, self.definitions[kind])
            inner = inside.into.get((OUTPUTS_ID, wire.slot)) or inside.broadcast.get((OUTPUTS_ID, wire.slot))
            return UNLINKED if inner is None else self._origin(inside, inner, wanted, seen)
        return Wire(scope.id_of(node), wire.slot)

    def _follow(self, scope: Scope, node: CanvasNode, place: int, wanted: str, seen: set[Any]) -> Wire | _Value:
        wire = scope.wire_into(node, place)
        return UNLINKED if wire is None else self._origin(scope, wire, wanted, seen)

    def _got(self, scope: Scope, getter: CanvasNode, wanted: str, seen: set[Any]) -> Wire | _Value:
        """What the node that sets a name is given, here or in a graph around this one."""
        name = getter["widgets_values"][:1]
        for around in scope.outwards():
            for node in around.nodes.values():
                if _sets(node, name) and sockets_of(node):
                    return self._follow(around, node, 0, wanted, seen)
        if any(_sets(node, name) for _, node in self._all_nodes(self.root)):
            raise Unsure(f"the Get node {scope.id_of(getter)}, whose Set node is in another subgraph")
        return UNLINKED

    def _from_outside(self, scope: Scope, outer: Scope, slot: int, seen: set[Any]) -> Wire | _Value:
        """What feeds an input of the subgraph itself: a link there, or the widget that its use shows."""
        seen = seen | {(scope.path, INPUTS_ID, slot)}
        names = [entry["name"] for entry in scope.graph["inputs"]]
        if names.count(names[slot]) > 1:
            raise Unsure(f"a subgraph with two inputs called {names[slot]!r}: canvases differ")
        instance = scope.instance or {}
        for place, socket in enumerate(sockets_of(instance)):
            if scope.slots_of_sockets()[place] == slot and outer.wire_into(instance, place) is not None:
                found = self._follow(outer, instance, place, str(socket["type"]), seen)
                if isinstance(found, _Value) and found.typed and found.value != self._held(scope, slot).value:
                    raise Unsure("a primitive whose value goes into a subgraph")
                return found
        return self._held(scope, slot)

    def _held(self, scope: Scope, slot: int) -> _Value:
        """What an input of a subgraph holds that has no link from outside."""
        value = promoted_value(scope, self.definitions, slot)
        return self._first_inside(scope, slot) if value is NOTHING else _Value(value)

    def _first_inside(self, scope: Scope, slot: int) -> _Value:
        """What the first widget that an input of a subgraph leads to holds: all that it leads to have the same."""
        for node_id, place in scope.targets_of_input(slot):
            node = scope.nodes.get(node_id)
            if node is None or not 0 <= place < len(sockets_of(node)):
                continue
            socket = sockets_of(node)[place]
            if node["type"] in self.definitions:
                inside = scope.enter(node, self.definitions[node["type"]])
                inner = inside.slots_of_sockets()[place]
                if inner is None:
                    continue
                found = self._held(inside, inner)
                if found is not UNLINKED:
                    return found
            elif socket.get("widget") and node["type"] in self.catalog:
                values = self._widgets(scope, node)[0]
                if socket["name"] in values:
                    return _Value(wrap(values[socket["name"]]))
        return UNLINKED


def _gives_view(scope: Scope, node: CanvasNode, spec: NodeSpec) -> bool:
    """Whether others are given how a node's scene is looked at, which is only known where it is shown."""
    views = [slot for slot, kind in enumerate(spec.outputs) if kind in VIEWS]
    shown = any(socket.type == "LOAD_3D" for socket in spec.inputs)
    return shown and any(scope.by_origin.get(Wire(node["id"], slot)) for slot in views)


def _sets(node: CanvasNode, name: list[Any]) -> bool:
    """Whether a node is the one that sets what others get by that name."""
    return node["type"] == SETTER and (node.get("widgets_values") or [])[:1] == name


def _called(scope: Scope, node: CanvasNode, spec: NodeSpec | None) -> str:
    """A node as a message names it."""
    return f"{node.get('title') or (spec.title if spec else node['type'])!r} (node {scope.id_of(node)})"


def _is_grown(spec: NodeSpec, name: str) -> bool:
    """Whether an input is one of those that grow in number as they are linked."""
    return any(socket.type == AUTOGROW and name.startswith(f"{socket.name}.") for socket in spec.inputs)
