"""Canvas format to API format: what the canvas does on its Run button, subgraphs and dynamic prompts included.

The canvas chooses by chance each time. Here the text and its place decide, so that a file always gives the same graph
and a batch of it can be resumed.

What only newer canvases write (promoted widgets of another kind, group nodes, inputs named while drawing) is left to
comfy-cli, which runs as a process of its own; see `comfy_cli`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import NotConvertible, WorkflowUnreadable
from .object_info import Catalog, InputSpec, NodeSpec, object_info_here

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n\r]*", re.DOTALL)
_PART = re.compile(r"\\.|[^\\{}|]+|.", re.DOTALL)
_ESCAPED = re.compile(r"\\([{}|])")


def resolve(text: str, place: str) -> str:
    """`text` without comments and with one of each set of choices. `place` is whatever tells this input from others."""
    return _resolve(text, random.Random(f"{place}\n{text}"))  # noqa: S311


def _resolve(text: str, chance: random.Random) -> str:
    parts = iter(_PART.findall(_COMMENT.sub("", text)))
    resolved = [_resolve(chance.choice(_choices(parts)), chance) if part == "{" else part for part in parts]
    return _ESCAPED.sub(r"\1", "".join(resolved))


def _choices(parts: Iterator[str]) -> list[str]:
    """The choices up to the closing brace, or to the end where there is none; those within them are left for later."""
    choices, depth = [""], 0
    for part in parts:
        if part == "}" and not depth:
            break
        if part == "|" and not depth:
            choices.append("")
            continue
        depth += (part == "{") - (part == "}")
        choices[-1] += part
    return choices


MUTED, BYPASSED = 2, 4
"""The canvas's node modes that leave a node out: with its links, or passing its inputs on."""

NOTES = frozenset({"Note", "MarkdownNote"})
VIRTUAL = NOTES | {"Reroute", "PrimitiveNode"}
"""Nodes that exist on the canvas only."""

SETTER, GETTER = "SetNode", "GetNode"
PASSING = frozenset({"Reroute", "Reroute (rgthree)", SETTER})
"""Nodes that pass their first input on."""

FOREIGN_VIRTUAL = PASSING | {
    *(GETTER, "Label (rgthree)", "Bookmark (rgthree)", "Node Collector (rgthree)", "Fast Muter (rgthree)"),
    *("Fast Bypasser (rgthree)", "Fast Groups Muter (rgthree)", "Fast Groups Bypasser (rgthree)"),
}
"""Nodes that widespread packs add to the canvas only; no server ever has them."""

GROUP_PREFIXES = ("workflow>", "workflow/")
"""Types of group nodes, the forerunners of subgraphs."""

SEED_CONTROLS = frozenset({"fixed", "increment", "decrement", "randomize", "increment-wrap"})
"""Values of the "control after generate" widget, which follows the value it controls."""

DEEPEST = 50
"""Subgraphs within one another; more means that one contains itself."""

INPUTS_ID, OUTPUTS_ID = -10, -20
"""The two ends of a subgraph, as nodes of its links."""


class Beyond(Exception):
    """Not an error: the file has something that this converter does not do exactly. The text says what."""


@dataclass(frozen=True)
class _Wire:
    """A link's origin."""

    node: int | str
    slot: int


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


class _Scope:
    """One graph of the file: the outermost, or one use of a subgraph (`instance`, a node of `outer`)."""

    def __init__(
        self, graph: dict[str, Any], path: str = "", outer: _Scope | None = None, instance: dict[str, Any] | None = None
    ) -> None:
        self.graph, self.path, self.outer, self.instance = graph, path, outer, instance
        self.nodes: dict[Any, dict[str, Any]] = {node["id"]: node for node in graph["nodes"]}
        links = [_link(link) for link in graph["links"] or ()]
        self.wires = {number: wire for number, wire, _ in links}
        self.into = {target: wire for _, wire, target in links}
        self.inner: dict[Any, _Scope] = {}
        self.depth: int = outer.depth + 1 if outer else 0

    def id_of(self, node: dict[str, Any]) -> str:
        """The node's id in API format: behind those of the subgraphs around it."""
        return f"{self.path}{node['id']}"

    def wire_into(self, socket: dict[str, Any]) -> _Wire | None:
        """The origin of the link at an input."""
        link = socket.get("link")
        return None if link is None else self.wires.get(link)


class _Canvas:
    def __init__(self, canvas: dict[str, Any], catalog: Catalog, name: str, keep_unknown: bool) -> None:
        definitions = (canvas.get("definitions") or {}).get("subgraphs") or ()
        self.definitions = {definition["id"]: definition for definition in definitions}
        self.catalog, self.name, self.keep_unknown = catalog, name, keep_unknown
        self.root = _Scope(canvas)

    def convert(self) -> dict[str, Any]:
        kept = list(self._kept(self.root))
        unknown = sorted({str(node["type"]) for _, node in kept if node["type"] not in self.catalog})
        if unknown and not self.keep_unknown:
            raise NotConvertible(
                f"{self.name} is in canvas format and has nodes that are not known here ({', '.join(unknown)}); "
                "export it with 'Export (API)' in ComfyUI, or give --server URL."
            )
        return {scope.id_of(node): self._entry(scope, node) for scope, node in kept}

    def _kept(self, scope: _Scope) -> Iterator[tuple[_Scope, dict[str, Any]]]:
        """The nodes that run, those in subgraphs too."""
        for node in scope.nodes.values():
            kind = node["type"]
            if self._is_virtual(kind) or node.get("mode", 0) in {MUTED, BYPASSED}:
                continue
            if kind in self.definitions:
                yield from self._kept(self._scope_of(scope, node))
                continue
            if str(kind).startswith(GROUP_PREFIXES):
                raise Beyond(f"the group node {kind!r}")
            if kind in self.catalog and any(socket.is_dynamic for socket in self.catalog[kind].inputs):
                raise Beyond(f"the inputs of {kind}")
            yield scope, node

    def _is_virtual(self, kind: Any) -> bool:
        return kind in VIRTUAL or (kind in FOREIGN_VIRTUAL and kind not in self.catalog)

    def _scope_of(self, scope: _Scope, node: dict[str, Any]) -> _Scope:
        """The inside of one use of a subgraph."""
        if node["id"] not in scope.inner:
            if scope.depth >= DEEPEST:
                raise ValueError("a subgraph contains itself")
            if (node.get("properties") or {}).get("proxyWidgets"):
                raise Beyond("the promoted widgets of a subgraph")
            path = f"{scope.path}{node['id']}:"
            scope.inner[node["id"]] = _Scope(self.definitions[node["type"]], path, scope, node)
        return scope.inner[node["id"]]

    def _entry(self, scope: _Scope, node: dict[str, Any]) -> dict[str, Any]:
        kind = node["type"]
        spec = self.catalog.get(kind) or NodeSpec(kind, kind, (), (), False)
        sockets = node.get("inputs") or []
        drawn = {socket["name"] for socket in sockets if socket.get("widget")}
        inputs = widget_values(spec, node.get("widgets_values") or [], drawn)
        inputs = {name: _typed(spec, name, value, scope.id_of(node)) for name, value in inputs.items()}
        for socket in sockets:
            wire = scope.wire_into(socket)
            if wire is None:
                continue
            known = spec.by_name.get(socket["name"])
            found = self._origin(scope, wire, known.type if known else str(socket["type"]), set())
            if found is GONE:
                inputs.pop(socket["name"], None)
            elif isinstance(found, _Wire):
                inputs[socket["name"]] = [found.node, found.slot]
            elif found is not UNLINKED:
                value = _wrap(found.value)
                name = socket["name"]
                inputs[name] = _typed(spec, name, value, scope.id_of(node)) if found.typed else value
        meta = {"title": node.get("title") or spec.title}
        return {"class_type": kind, "inputs": inputs, "_meta": meta}

    def _origin(self, scope: _Scope, wire: _Wire, wanted: str, seen: set[Any]) -> _Wire | _Value:
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
        sockets = node.get("inputs") or []
        kind, mode = node["type"], node.get("mode", 0)
        if kind == "PrimitiveNode":
            values = node.get("widgets_values") or []
            return _Value(values[0], typed=True) if values else UNLINKED
        if mode == MUTED:
            return GONE
        if mode == BYPASSED:
            passed = _bypass(node, wire.slot, wanted)
            return self._follow(scope, passed, str(passed["type"]), seen) if passed else UNLINKED
        if self._is_virtual(kind):
            sockets = _setter_inputs(scope, node) if kind == GETTER else sockets if kind in PASSING else []
            return self._follow(scope, sockets[0], wanted, seen) if sockets else UNLINKED
        if kind in self.definitions:
            inside = self._scope_of(scope, node)
            inner = inside.into.get((OUTPUTS_ID, wire.slot))
            return UNLINKED if inner is None else self._origin(inside, inner, wanted, seen)
        return _Wire(scope.id_of(node), wire.slot)

    def _follow(self, scope: _Scope, socket: dict[str, Any], wanted: str, seen: set[Any]) -> _Wire | _Value:
        wire = scope.wire_into(socket)
        return UNLINKED if wire is None else self._origin(scope, wire, wanted, seen)

    def _from_outside(self, scope: _Scope, outer: _Scope, slot: int, seen: set[Any]) -> _Wire | _Value:
        """What feeds an input of the subgraph itself: a link there, or the widget that its use shows."""
        instance = scope.instance or {}
        name = scope.graph["inputs"][slot]["name"]
        sockets = [socket for socket in instance.get("inputs") or [] if socket["name"] == name]
        if not sockets:
            return UNLINKED
        if outer.wire_into(sockets[0]) is not None:
            return self._follow(outer, sockets[0], str(sockets[0]["type"]), seen)
        shown = [socket["name"] for socket in instance["inputs"] if socket.get("widget")]
        values = instance.get("widgets_values") or []
        place = shown.index(name) if name in shown else len(values)
        return _Value(values[place]) if place < len(values) else UNLINKED


def _setter_inputs(scope: _Scope, getter: dict[str, Any]) -> list[dict[str, Any]]:
    """The inputs of the node that sets what `getter` gets by the same name."""
    for node in scope.nodes.values():
        if node["type"] == SETTER and node["widgets_values"][:1] == getter["widgets_values"][:1]:
            return node.get("inputs") or []
    return []


def _bypass(node: dict[str, Any], slot: int, wanted: str) -> dict[str, Any] | None:
    """The input that a bypassed node passes on to its output `slot`: the one beside it if that fits, else the first."""
    sockets = node.get("inputs") or []
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


def _link(link: Any) -> tuple[int, _Wire, tuple[Any, int]]:
    """A link's number, its origin, and its target."""
    if isinstance(link, dict):
        origin, target = _Wire(link["origin_id"], link["origin_slot"]), (link["target_id"], link["target_slot"])
        return link["id"], origin, target
    return link[0], _Wire(link[1], link[2]), (link[3], link[4])


def widget_values(spec: NodeSpec, values: list[Any] | dict[str, Any], drawn: set[str] | None = None) -> dict[str, Any]:
    """Names for a node's widget values: in the order of the schema, past the widgets that only the canvas has.

    A widget that the file has no value for, because it is newer than the file, has its default. `drawn` names inputs
    that the file shows to have a widget, whatever their type.
    """
    widgets = [
        socket
        for socket in spec.inputs
        if socket.takes_value or socket.type == "AUDIO_RECORD" or socket.name in (drawn or ())
    ]
    named = {socket.name: value for socket in widgets if (value := _default(socket)) is not None}
    if isinstance(values, dict):
        return named | {name: _wrap(value) for name, value in values.items() if name in spec.by_name}
    left = list(values)
    for socket in widgets:
        if not left:
            break
        named[socket.name] = _wrap(left.pop(0))
        if _is_seed_control(socket, left):
            left.pop(0)
    return named


def _default(socket: InputSpec) -> Any:
    """What the canvas puts into a new widget, or None where it puts nothing that is known here."""
    choices = socket.choices or [None]
    plain = {"INT": 0, "FLOAT": 0, "STRING": "", "BOOLEAN": False, "AUDIO_RECORD": "", "COMBO": choices[0]}
    return _wrap(socket.options.get("default", plain.get(socket.type)))


def _typed(spec: NodeSpec, name: str, value: Any, node_id: str) -> Any:
    """The value of a widget as the canvas sends it: choices in prompt texts are made."""
    socket = spec.by_name.get(name)
    if isinstance(value, str) and socket is not None and socket.options.get("dynamicPrompts"):
        return resolve(value, f"{node_id}.{name}")
    return value


def _is_seed_control(socket: InputSpec, left: list[Any]) -> bool:
    """Whether the next value belongs to the "control after generate" widget; old files have a truth value there."""
    return socket.has_seed_control and bool(left) and (isinstance(left[0], bool) or left[0] in SEED_CONTROLS)


def _wrap(value: Any) -> Any:
    """A list is a link in API format, so that a list that is a value is wrapped."""
    return {"__value__": value} if isinstance(value, list) else value
