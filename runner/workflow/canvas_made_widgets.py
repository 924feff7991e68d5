"""Node classes whose widgets the canvas makes itself, so that the server's description does not have them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .object_info import NodeSpec

CUSTOM_COMBO = "CustomCombo"
POWER_LORA = "Power Lora Loader (rgthree)"
_HEADER, _ADD, _STRENGTHS, _SINGLE = "PowerLoraLoaderHeaderWidget", "➕ Add Lora", "Show Strengths", "Single Strength"


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
        if not isinstance(formats, Mapping) or not isinstance(saved, Mapping):
            continue
        for widget in formats.get(values.get(socket.name)) or ():
            name = widget[0]
            if name in saved:
                made[name] = saved[name]
    return made
