"""What is known about node classes: inputs, types, limits, outputs, in the one form that a server also gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..nodes.schema import io

VALUE_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})
"""Input types that the canvas draws as a widget, so that a plain value can be given."""


@dataclass(frozen=True)
class InputSpec:
    """One input of a node class. `options` is what `/object_info` shows beside the type."""

    name: str
    type: str
    required: bool
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes_value(self) -> bool:
        """Whether a value can be written here, as opposed to a link only."""
        return self.type in VALUE_TYPES and not self.options.get("forceInput")

    @property
    def choices(self) -> list[Any] | None:
        """The values offered, or None where anything of the type will do."""
        return list(self.options.get("options") or []) if self.type == "COMBO" else None

    @property
    def has_seed_control(self) -> bool:
        """Whether the canvas keeps a "control after generate" value beside this input's own."""
        named_like_a_seed = self.type == "INT" and self.name in {"seed", "noise_seed"}
        return bool(self.options.get("control_after_generate", named_like_a_seed))


@dataclass(frozen=True)
class NodeSpec:
    """One node class."""

    class_type: str
    title: str
    inputs: tuple[InputSpec, ...]
    outputs: tuple[str, ...]
    is_output: bool

    @cached_property
    def by_name(self) -> dict[str, InputSpec]:
        """The inputs by name."""
        return {socket.name: socket for socket in self.inputs}


Catalog = Mapping[str, NodeSpec]
"""Node classes by their id."""


def from_object_info(info: Mapping[str, Any]) -> dict[str, NodeSpec]:
    """Read what a server answers under ``/object_info``: lists are combos of the old form."""
    return {class_type: _node(class_type, entry) for class_type, entry in info.items()}


def _node(class_type: str, entry: Mapping[str, Any]) -> NodeSpec:
    groups = entry.get("input", {})
    inputs = [
        _input(name, config, required=group == "required")
        for group in ("required", "optional")
        for name, config in groups.get(group, {}).items()
    ]
    outputs = tuple("COMBO" if isinstance(kind, list) else str(kind) for kind in entry.get("output", ()))
    title = entry.get("display_name") or class_type
    return NodeSpec(class_type, title, tuple(inputs), outputs, bool(entry.get("output_node")))


def _input(name: str, config: Any, *, required: bool) -> InputSpec:
    kind, options = config[0], dict(config[1]) if len(config) > 1 and config[1] else {}
    if isinstance(kind, list):
        kind, options = "COMBO", options | {"options": kind}
    return InputSpec(name, str(kind), required, options)


@cache
def local_classes() -> dict[str, type[io.ComfyNode]]:
    """Every node class that runs in this process: the pack's and the carried core nodes. Imports torch."""
    from ..nodes.extension import node_classes
    from .core_nodes import CORE_NODES

    return {cls.GET_SCHEMA().node_id: cls for cls in (*CORE_NODES, *node_classes())}


def describe(classes: Mapping[str, type[io.ComfyNode]]) -> dict[str, NodeSpec]:
    """The specs of node classes, read from their own description."""
    return from_object_info({node_id: cls.GET_NODE_INFO_V1() for node_id, cls in classes.items()})


@cache
def local_catalog() -> Catalog:
    """What `local_classes` can do. Imports torch."""
    return describe(local_classes())
