"""Which widgets a canvas node has and what stands in each: by name where the file says so, else in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .canvas_graph import CanvasNode, Scope, Unsure, sockets_of
from .object_info import DYNAMIC_COMBO, InputSpec, NodeSpec, inputs_of

SEED_CONTROLS = frozenset({"fixed", "increment", "decrement", "randomize", "increment-wrap"})
"""Values of the "control after generate" widget, which follows the value it controls."""

CANVAS_WIDGETS = frozenset(
    {"AUDIO_RECORD", "BOUNDING_BOX", "BOUNDING_BOXES", "COLOR", "COLORS", "COMPOSITOR", "CURVE", "IMAGECOMPARE"}
    | {"LOAD_3D", "WEBCAM"}
)
"""Types that core's canvas draws a widget of its own for."""

NOTHING = object()
"""What a widget holds that has no value known here: the canvas leaves it out."""


class NotOffered(Exception):
    """Not an error of its own: a choice that decides on a node's inputs is none of those that its class offers."""

    def __init__(self, name: str, value: Any) -> None:
        super().__init__(f"{name} cannot be {value!r}")


@dataclass
class Saved:
    """The values that a node's widgets were saved with."""

    listed: list[Any] = field(default_factory=list)
    named: Mapping[str, Any] | None = None
    missed: int = 0

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> Saved:
        """Those of a node of the file. Raises TypeError where they are neither a list nor an object."""
        values, named = node.get("widgets_values"), node.get("widgets_values_named")
        if isinstance(named, Mapping):
            return cls(named=named)
        if isinstance(values, Mapping):
            return cls(named=values)
        return cls(listed=list(values or ()))

    def take(self, socket: InputSpec) -> Any:
        """The value of the next widget, or its default where the file is older than the widget."""
        if self.named is not None:
            value = self.named.get(socket.name, NOTHING)
            return default_of(socket) if value is NOTHING else value
        if not self.listed:
            self.missed += 1
            return default_of(socket)
        value = self.listed.pop(0)
        if socket.has_seed_control and self.listed and _is_seed_control(self.listed[0]):
            self.listed.pop(0)
        return value


def _is_seed_control(value: Any) -> bool:
    """Whether a value belongs to the "control after generate" widget; old files have a truth value there."""
    return isinstance(value, bool) or (isinstance(value, str) and value in SEED_CONTROLS)


def read_widgets(spec: NodeSpec, saved: Saved, drawn: Iterable[str] = ()) -> tuple[dict[str, Any], NodeSpec]:
    """The values of a node's widgets by name, and its class with the inputs that these values bring.

    `drawn` names inputs that the file shows to have a widget, whatever their type.
    """
    saved = _without_forced(spec, saved)
    shown = frozenset(drawn)
    values: dict[str, Any] = {}
    known = list(_read(spec.inputs, saved, shown, values))
    return values, replace(spec, inputs=tuple(known))


def widget_values(spec: NodeSpec, values: list[Any] | dict[str, Any], drawn: Iterable[str] = ()) -> dict[str, Any]:
    """A node's saved values by name, as API format has them. Raises NotOffered."""
    read = read_widgets(spec, Saved.of({"widgets_values": values}), drawn)[0]
    return {name: wrap(value) for name, value in read.items()}


def take_widgets(spec: NodeSpec, saved: Saved) -> dict[str, Any]:
    """The values of a node's widgets by name, taken off the front of values that are those of several nodes."""
    values: dict[str, Any] = {}
    for _ in _read(spec.inputs, saved, frozenset(), values):
        pass
    return values


def _read(
    inputs: Iterable[InputSpec], saved: Saved, drawn: frozenset[str], values: dict[str, Any]
) -> Iterator[InputSpec]:
    for socket in inputs:
        yield socket
        if not has_widget(socket, drawn):
            continue
        value = saved.take(socket)
        if socket.type == "IMAGECOMPARE":
            value = default_of(socket)
        if value is not NOTHING:
            values[socket.name] = value
        if socket.type == DYNAMIC_COMBO and value is not NOTHING:
            yield from _read(chosen_inputs(socket, value), saved, drawn, values)


def with_chosen(spec: NodeSpec, values: Mapping[str, Any]) -> NodeSpec:
    """A class with the inputs that its dynamic combos bring by `values`, the inputs of a node in API format."""

    def expanded(inputs: Iterable[InputSpec]) -> Iterator[InputSpec]:
        for socket in inputs:
            yield socket
            if socket.type == DYNAMIC_COMBO:
                try:
                    yield from expanded(chosen_inputs(socket, values.get(socket.name)))
                except NotOffered:
                    continue

    return replace(spec, inputs=tuple(expanded(spec.inputs)))


def has_widget(socket: InputSpec, drawn: Iterable[str] = ()) -> bool:
    """Whether the canvas shows a widget for an input, so that a value is saved for it."""
    if socket.options.get("forceInput"):
        return False
    own = socket.takes_value or socket.type in CANVAS_WIDGETS or socket.type == DYNAMIC_COMBO
    return own or socket.name in drawn or bool(socket.options.get("widgetType"))


def chosen_inputs(socket: InputSpec, key: Any) -> list[InputSpec]:
    """The inputs that a choice of a dynamic combo brings, named behind it. Raises NotOffered."""
    for option in socket.options.get("options") or ():
        if isinstance(option, Mapping) and option.get("key") == key:
            return inputs_of(option.get("inputs"), {}, f"{socket.name}.")
    raise NotOffered(socket.name, key)


def keys_offered(socket: InputSpec) -> list[Any]:
    """The choices of a dynamic combo; none where only the canvas knows them."""
    options = socket.options.get("options")
    return [each["key"] for each in options if isinstance(each, Mapping) and "key" in each] if options else []


_PLAIN = {"INT": 0, "FLOAT": 0, "STRING": "", "BOOLEAN": False} | {
    "AUDIO_RECORD": "",
    "IMAGECOMPARE": ["", ""],
    "LOAD_3D": "",
}


def default_of(socket: InputSpec) -> Any:
    """What the canvas puts into a new widget, or NOTHING where that is not known here."""
    if "default" in socket.options:
        return socket.options["default"]
    first = next(iter(socket.options.get("options") or ()), None)
    if socket.type == DYNAMIC_COMBO:
        return first.get("key") if isinstance(first, Mapping) else NOTHING
    if socket.type == "COMBO":
        return NOTHING if socket.choices is None else first
    return _PLAIN.get(socket.type, NOTHING)


def _without_forced(spec: NodeSpec, saved: Saved) -> Saved:
    """Files of old canvases have a value for inputs that are only sockets now: exactly one for each, so it shows."""
    if saved.named is not None or not any(socket.options.get("forceInput") for socket in spec.inputs):
        return saved
    forced: list[bool] = []
    for socket in spec.inputs:
        only_socket = bool(socket.options.get("forceInput"))
        if only_socket or has_widget(socket):
            forced += [only_socket, False] if socket.has_seed_control else [only_socket]
    if len(forced) != len(saved.listed):
        return saved
    return Saved([value for value, gone in zip(saved.listed, forced, strict=True) if not gone])


def wrap(value: Any) -> Any:
    """A list is a link in API format, so that a list that is a value is wrapped."""
    return {"__value__": value} if isinstance(value, list) else value


CUSTOM_COMBO = "CustomCombo"
POWER_LORA = "Power Lora Loader (rgthree)"
_HEADER, _ADD, _STRENGTHS, _SINGLE = (
    "PowerLoraLoaderHeaderWidget",
    "\N{HEAVY PLUS SIGN} Add Lora",
    "Show Strengths",
    "Single Strength",
)


class Unread(Exception):
    """Not an error of its own: the values were saved in a way that is not known here."""


def made_widgets(node: Mapping[str, Any], spec: NodeSpec, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of widgets that only the canvas knows of, by name; `values` are those of the others. Raises Unread."""
    if node["type"] == CUSTOM_COMBO:
        return _custom_combo(node)
    if node["type"] == POWER_LORA:
        return _power_lora(node)
    return _of_format(node, spec, values)


def place_of_choice(inputs: Mapping[str, Any], own: Any) -> int:
    """Which option a Custom Combo's choice is, as the canvas counts; `own` is its widget's value, for a linked one."""
    given = inputs.get("choice")
    choice = own if isinstance(given, list) else given
    options = [value for name, value in inputs.items() if name.startswith("option")]
    return options.index(choice) if choice in options else -1


def _custom_combo(node: Mapping[str, Any]) -> dict[str, Any]:
    """The place of the choice, and the options that a user wrote up to the first empty one, which is always there."""
    named = node.get("widgets_values_named")
    if isinstance(named, Mapping):
        place, written = named.get("index"), [value for name, value in named.items() if name.startswith("option")]
    else:
        place, *written = list(node.get("widgets_values") or (None, None))[1:] or [None]
    if isinstance(place, bool) or not isinstance(place, int):
        raise Unread(f"{CUSTOM_COMBO} without the place of its choice")
    made: dict[str, Any] = {"index": place}
    for number, value in enumerate([*written, ""], start=1):
        made[f"option{number}"] = value
        if not value:
            break
    return made


def _power_lora(node: Mapping[str, Any]) -> dict[str, Any]:
    """A row for each LoRA; the second strength only where the node shows one."""
    single = (node.get("properties") or {}).get(_STRENGTHS, _SINGLE) == _SINGLE
    rows = [entry for entry in node.get("widgets_values") or () if isinstance(entry, Mapping) and "lora" in entry]
    made: dict[str, Any] = {_HEADER: {"type": _HEADER}}
    for number, row in enumerate(rows, start=1):
        entry = {name: value for name, value in row.items() if name != "strengthTwo"}
        if not single:
            second = row.get("strengthTwo")
            entry["strengthTwo"] = 1 if second is None else second
        made[f"lora_{number}"] = entry
    return made | {_ADD: ""}


def _of_format(node: Mapping[str, Any], spec: NodeSpec, values: Mapping[str, Any]) -> dict[str, Any]:
    """The widgets that a chosen format brings where the combo lists them by format, as Video Combine's does."""
    saved = node.get("widgets_values")
    made: dict[str, Any] = {}
    for socket in spec.inputs:
        formats = socket.options.get("formats")
        brought = formats.get(values.get(socket.name)) if isinstance(formats, Mapping) else None
        if not isinstance(brought, list) or not brought:
            continue
        if not isinstance(saved, Mapping):
            raise Unread(f"{node['type']} with values that have no names")
        for widget in inputs_of(
            {"optional": {str(entry[0]): entry[1:] for entry in brought if isinstance(entry, list) and entry}}, {}
        ):
            value = saved.get(widget.name, default_of(widget))
            if value is not NOTHING:
                made[widget.name] = value
    return made


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
