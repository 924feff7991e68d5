"""What is known about node classes: inputs, types, limits, outputs, in the one form that a server also gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

VALUE_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})
"""Input types that the canvas draws as a widget, so that a plain value can be given."""


LINK_TYPES = frozenset(
    [
        "IMAGE",
        "MASK",
        "LATENT",
        "MODEL",
        "CLIP",
        "VAE",
        "CONDITIONING",
        "CONTROL_NET",
        "CLIP_VISION",
        "CLIP_VISION_OUTPUT",
        "STYLE_MODEL",
        "GLIGEN",
        "UPSCALE_MODEL",
        "SIGMAS",
        "SAMPLER",
        "NOISE",
        "GUIDER",
        "AUDIO",
        "VIDEO",
        "HOOKS",
        "HOOK_KEYFRAMES",
    ]
)
"""Core types that no JSON value can stand for. Other types may have a widget of their own."""

OUR_PREFIX = "LIKENESS_"

DYNAMIC_COMBO, AUTOGROW = "COMFY_DYNAMICCOMBO_V3", "COMFY_AUTOGROW_V3"
"""A choice that brings inputs of its own, and inputs that are as many as are linked."""

CORE_MODULES = ("nodes", "comfy_extras")
"""Where core's nodes come from. A foreign node may accept what its description does not say."""

MODEL_SUFFIXES = (".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl", ".gguf", ".onnx", ".engine")


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
        """The values offered, or None where anything of the type will do or only the canvas knows the list."""
        if self.type != "COMBO" or "remote" in self.options or "options" not in self.options:
            return None
        return list(self.options["options"] or [])

    @property
    def is_link_only(self) -> bool:
        """Whether no plain value can ever be right here."""
        return self.type in LINK_TYPES or self.type.startswith(OUR_PREFIX)

    @property
    def is_dynamic(self) -> bool:
        """Whether the input stands for several that are named while the graph is drawn (dynamic combos, autogrow)."""
        return self.type.startswith("COMFY_") and not self.type.startswith("COMFY_MATCHTYPE")

    @property
    def names_upload(self) -> bool:
        """Whether the list shows files of the server's input folder, to which others can be uploaded."""
        return any(key.endswith("_upload") or key == "image_folder" for key, on in self.options.items() if on)

    @property
    def takes_several(self) -> bool:
        """Whether the value is a list of the values offered."""
        return bool(self.options.get("multiselect") or self.options.get("multi_select"))

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
    module: str = ""

    @property
    def is_sure(self) -> bool:
        """Whether the description says all that the class checks: so it is for core's nodes and for ours."""
        ours = self.class_type.startswith("Likeness")
        return ours or not self.module or self.module.partition(".")[0] in CORE_MODULES

    @cached_property
    def by_name(self) -> dict[str, InputSpec]:
        """The inputs by name."""
        return {socket.name: socket for socket in self.inputs}


Catalog = Mapping[str, NodeSpec]
"""Node classes by their id."""


def from_object_info(info: Mapping[str, Any]) -> dict[str, NodeSpec]:
    """Read what a server answers under ``/object_info``: lists are combos of the old form.

    What is described in a way that is not known here becomes an input that takes anything.
    """
    return {class_type: _node(class_type, entry) for class_type, entry in info.items() if isinstance(entry, dict)}


def _node(class_type: str, entry: Mapping[str, Any]) -> NodeSpec:
    inputs = inputs_of(entry.get("input"), entry.get("input_order"))
    given = entry.get("output")
    outputs = ["COMBO" if isinstance(kind, list) else str(kind) for kind in given] if isinstance(given, list) else []
    title = str(entry.get("display_name") or class_type)
    module = str(entry.get("python_module") or "")
    return NodeSpec(class_type, title, tuple(inputs), tuple(outputs), bool(entry.get("output_node")), module)


def inputs_of(groups: Any, order: Any, prefix: str = "") -> list[InputSpec]:
    """The inputs in the groups of a description, those that are required first; `prefix` comes before each name."""
    groups, order = _mapping(groups), _mapping(order)
    return [
        _input(prefix + name, config, required=group == "required")
        for group in ("required", "optional")
        for name, config in _in_order(_mapping(groups.get(group)), order.get(group))
    ]


def _in_order(inputs: Mapping[str, Any], order: Any) -> list[tuple[str, Any]]:
    """The inputs as the node declares them, which the values of a canvas file follow; JSON objects have no order."""
    if not isinstance(order, list):
        return list(inputs.items())
    places = {name: place for place, name in enumerate(order) if isinstance(name, str)}
    return sorted(inputs.items(), key=lambda item: places.get(item[0], len(places)))


def _input(name: str, config: Any, *, required: bool) -> InputSpec:
    kind, *more = config if isinstance(config, list | tuple) and config else ["*"]
    options = dict(_mapping(more[0])) if more else {}
    if isinstance(kind, list):
        kind, options = "COMBO", options | {"options": kind}
    return InputSpec(name, str(kind), required, options)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


_here: Callable[[], Mapping[str, Any]] | None = None


def set_object_info_here(describe: Callable[[], Mapping[str, Any]]) -> None:
    """Say how the node classes of this process are described, as ``/object_info`` would: the local engine knows."""
    global _here
    _here = describe
    catalog_here.cache_clear()


def object_info_here() -> Mapping[str, Any]:
    """What a server would say of the node classes that run in this process; empty where there is no engine."""
    return {} if _here is None else _here()


@cache
def catalog_here() -> Catalog:
    """The node classes that run in this process, by their id."""
    return from_object_info(object_info_here())
