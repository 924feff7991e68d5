"""The part of ComfyUI's `comfy_api.latest.io` that this pack uses: socket types, schema, node base, output.

As of ComfyUI 0.33.0; what 0.3.64 does not have is in `nodes/schema.py` at `newer`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, ClassVar


class FolderType(StrEnum):
    """The three folders that ComfyUI serves pictures from."""

    input = "input"
    output = "output"
    temp = "temp"


class NumberDisplay(StrEnum):
    """How a number widget is drawn."""

    number = "number"
    slider = "slider"


class Hidden(StrEnum):
    """Values that the executor supplies and the canvas does not show."""

    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"
    dynprompt = "DYNPROMPT"


def _given(**options: Any) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}


class Input:
    """An input socket. `options` is what `/object_info` shows beside the type."""

    io_type: ClassVar[str] = "*"

    def __init__(
        self,
        id: str,  # noqa: A002 - the interface's own name
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        extra_dict: dict[str, Any] | None = None,
        **widget: Any,
    ) -> None:
        self.id = id
        self.optional = optional
        self.tooltip = tooltip
        self.default = widget.get("default")
        self.widget = widget
        self.options = _given(display_name=display_name, tooltip=tooltip, lazy=lazy)
        self.options |= self._widget_options(widget) | _given(**(extra_dict or {}))

    def _widget_options(self, widget: dict[str, Any]) -> dict[str, Any]:
        renamed = {
            "display_mode": "display",
            "dynamic_prompts": "dynamicPrompts",
            "force_input": "forceInput",
        }
        return _given(**{renamed.get(key, key): value for key, value in widget.items()})


class Output:
    """An output socket."""

    io_type: ClassVar[str] = "*"

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - the interface's own name
        display_name: str | None = None,
        tooltip: str | None = None,
        is_output_list: bool = False,
    ) -> None:
        self.id = id
        self.display_name = display_name
        self.tooltip = tooltip
        self.is_output_list = is_output_list


class ComfyType:
    """A socket type; its `Input` and `Output` carry the type's name."""

    io_type: ClassVar[str]
    Input: ClassVar[type[Input]]
    Output: ClassVar[type[Output]]


class _ComboInput(Input):
    def _widget_options(self, widget: dict[str, Any]) -> dict[str, Any]:
        options = widget.get("options")
        if isinstance(options, type) and issubclass(options, Enum):
            widget["options"] = [member.value for member in options]
        if isinstance(widget.get("default"), Enum):
            widget["default"] = widget["default"].value
            self.default = widget["default"]
        return {"multiselect": False} | super()._widget_options(widget)


class _StringInput(Input):
    def _widget_options(self, widget: dict[str, Any]) -> dict[str, Any]:
        return {"multiline": False} | super()._widget_options(widget)


def _comfy_type(name: str, input_base: type[Input] = Input) -> type[ComfyType]:
    members = {
        "io_type": name,
        "Input": type("Input", (input_base,), {"io_type": name}),
        "Output": type("Output", (Output,), {"io_type": name}),
    }
    return type(name.title().replace("_", ""), (ComfyType,), members)


def Custom(io_type: str) -> type[ComfyType]:  # noqa: N802 - the interface's own name
    """A socket type of our own."""
    return _comfy_type(io_type)


Image = _comfy_type("IMAGE")
Mask = _comfy_type("MASK")
Float = _comfy_type("FLOAT")
Int = _comfy_type("INT")
Boolean = _comfy_type("BOOLEAN")
String = _comfy_type("STRING", _StringInput)
Combo = _comfy_type("COMBO", _ComboInput)
Model = _comfy_type("MODEL")
Clip = _comfy_type("CLIP")
Vae = _comfy_type("VAE")
Latent = _comfy_type("LATENT")
Conditioning = _comfy_type("CONDITIONING")
AnyType = _comfy_type("*")


@dataclass
class Schema:
    """What a node is called, takes and gives."""

    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    hidden: list[Hidden] = field(default_factory=list)
    description: str = ""
    is_input_list: bool = False
    is_output_node: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    is_api_node: bool = False
    not_idempotent: bool = False
    enable_expand: bool = False
    search_aliases: list[str] = field(default_factory=list)
    has_intermediate_output: bool = False

    def finalize(self) -> None:
        """Give an output node the hidden values that saving a picture needs."""
        if self.is_output_node:
            for hidden in (Hidden.prompt, Hidden.extra_pnginfo):
                if hidden not in self.hidden:
                    self.hidden.append(hidden)

    def v1_info(self, python_module: str) -> dict[str, Any]:
        """The description that a server gives under `/object_info`."""
        inputs: dict[str, dict[str, Any]] = {"required": {}}
        for socket in self.inputs:
            group = inputs.setdefault("optional" if socket.optional else "required", {})
            group[socket.id] = (socket.io_type, socket.options)
        for hidden in self.hidden:
            inputs.setdefault("hidden", {})[hidden.name] = (hidden.value,)
        return {
            "input": inputs,
            "input_order": {group: list(sockets) for group, sockets in inputs.items()},
            "is_input_list": self.is_input_list,
            "output": [socket.io_type for socket in self.outputs],
            "output_is_list": [socket.is_output_list for socket in self.outputs],
            "output_name": [socket.display_name or socket.io_type for socket in self.outputs],
            "output_tooltips": [socket.tooltip or None for socket in self.outputs],
            "name": self.node_id,
            "display_name": self.display_name,
            "description": self.description,
            "python_module": python_module,
            "category": self.category,
            "output_node": self.is_output_node,
            "deprecated": self.is_deprecated,
            "experimental": self.is_experimental,
            "api_node": self.is_api_node,
            "search_aliases": self.search_aliases or None,
            "has_intermediate_output": self.has_intermediate_output,
        }


class NodeOutput:
    """What a node returns: its outputs in order, and what the canvas shows on it."""

    def __init__(self, *args: Any, ui: Any = None) -> None:
        self.args = args
        self.ui = ui

    @property
    def result(self) -> tuple[Any, ...] | None:
        """The outputs, or None for a node without any."""
        return self.args or None

    def __getitem__(self, index: int) -> Any:
        return self.args[index]


class ComfyNode:
    """The base of every node. `hidden` is filled by the executor on a class made for one execution."""

    RELATIVE_PYTHON_MODULE: ClassVar[str | None] = None
    hidden: ClassVar[Any] = None

    @classmethod
    def define_schema(cls) -> Schema:
        """Describe the node. Every node has its own."""
        raise TypeError(f"{cls.__name__} has no define_schema.")

    @classmethod
    def execute(cls, *args: Any, **kwargs: Any) -> NodeOutput:
        """Do the node's work. Every node has its own."""
        raise TypeError(f"{cls.__name__} has no execute.")

    @classmethod
    def GET_SCHEMA(cls) -> Schema:  # noqa: N802 - the interface's own name
        """The finished schema."""
        schema = cls.define_schema()
        schema.finalize()
        return schema

    @classmethod
    def GET_NODE_INFO_V1(cls) -> dict[str, Any]:  # noqa: N802 - the interface's own name
        """The description that a server gives under `/object_info`."""
        return cls.GET_SCHEMA().v1_info(cls.RELATIVE_PYTHON_MODULE or "nodes")
