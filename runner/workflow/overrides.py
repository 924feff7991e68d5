"""``--set "Title.input=value"``: read the words, find the input, read the value as the input's type."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...core.errors import LikenessError
from ..errors import Misuse, NotAnOption, OutOfRange, RunnerError, UnknownInput, WrongType, raise_all
from .graph import Node, Workflow, as_link, did_you_mean
from .object_info import MODEL_SUFFIXES, Catalog, InputSpec, NodeSpec
from .widgets import with_chosen

TRUE, FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True)
class Setting:
    """One assignment from the command line. `target` is a node's title or id."""

    target: str
    input: str
    value: str

    def __str__(self) -> str:
        return f"{self.target}.{self.input}={self.value}"


def parse_setting(text: str) -> Setting:
    """Split ``Title.input=value`` at the first ``=`` and the last full stop before it; raises ValueError.

    A title that contains ``=`` cannot be written this way: use the node's id.
    """
    left, equals, value = text.partition("=")
    target, dot, name = left.rpartition(".")
    target, name = target.strip(), name.strip()
    if not (equals and dot and target and name):
        raise ValueError(f"{text!r} is not of the form 'Title.input=value'.")
    return Setting(target, name, value)


Settings = Mapping[str, Any] | Iterable[str | Setting]
"""Values to set: ``{"Title.input": value}``, or ``"Title.input=value"`` one by one."""


def settings_of(settings: Settings) -> tuple[Setting, ...]:
    """Settings as they may be written, one by one. Raises Misuse."""
    entries = [f"{k}={v}" for k, v in settings.items()] if isinstance(settings, Mapping) else settings
    try:
        return tuple(each if isinstance(each, Setting) else parse_setting(each) for each in entries)
    except ValueError as error:
        raise Misuse(str(error)) from error


def apply_settings(workflow: Workflow, settings: Iterable[Setting], catalog: Catalog) -> None:
    """Change values of `workflow`. Raises what `apply` raises, or WorkflowInvalid with every setting that is wrong."""
    problems: list[LikenessError] = []
    for setting in sorted(settings, key=lambda setting: not workflow.is_stage(setting.target, setting.input)):
        try:
            apply_setting(workflow, setting, catalog)
        except RunnerError as problem:
            problems.append(problem)
    raise_all(problems)


def apply_setting(workflow: Workflow, setting: Setting, catalog: Catalog) -> None:
    """Change one value of `workflow`, or switch a stage of it.

    Raises UnknownTitle, AmbiguousTitle, UnknownInput, WrongType, OutOfRange or NotAnOption.
    """
    if workflow.is_stage(setting.target, setting.input):
        workflow.switch(setting.target, bool(read_value("BOOLEAN", setting.value, f"{setting.target}.{setting.input}")))
        return
    node, name = workflow.find_input(setting.target, setting.input)
    spec = catalog.get(node.class_type)
    if spec is None:
        value = _alike(node, replace(setting, input=name))
    else:
        value = _typed(node, _socket(node, with_chosen(spec, node.inputs), name), setting.value)
    node.choose(name, value)


def _socket(node: Node, spec: NodeSpec, name: str) -> InputSpec:
    socket = spec.by_name.get(name)
    if socket is None:
        settable = [candidate.name for candidate in spec.inputs if candidate.takes_value]
        raise UnknownInput(f"{node.title} has no input {name!r}{did_you_mean(name, settable)}")
    if not socket.takes_value:
        raise UnknownInput(f"{node.title}.{name} takes a link ({socket.type}) and cannot be set to a value.")
    return socket


def _typed(node: Node, socket: InputSpec, text: str) -> Any:
    value = read_value(socket.type, text, f"{node.title}.{socket.name}")
    if socket.choices is not None and node.file_input != socket.name:
        value = next((choice for choice in socket.choices if str(choice) == text), text)
    problem = limits(socket, value, f"{node.title}.{socket.name}", photo=node.file_input == socket.name)
    if problem is not None:
        raise problem
    return value


def read_value(kind: str, text: str, where: str) -> Any:
    """Words as a value of an input type; raises WrongType."""
    word = text.strip()
    try:
        if kind == "INT":
            return int(word, 0) if word.lower().startswith("0x") else int(word)
        if kind == "FLOAT" and math.isfinite(number := float(word)):
            return number
    except ValueError:
        pass
    if kind == "BOOLEAN" and word.casefold() in TRUE | FALSE:
        return word.casefold() in TRUE
    if kind in {"INT", "FLOAT", "BOOLEAN"}:
        wanted = {"INT": "a whole number", "FLOAT": "a number", "BOOLEAN": "true or false"}[kind]
        raise WrongType(f"{where} takes {wanted}, not {text!r}.")
    return text


def limits(socket: InputSpec, value: Any, where: str, *, photo: bool = False) -> OutOfRange | NotAnOption | None:
    """The problem with a value of the right type, or None. A photo's name is checked elsewhere.

    A list without anything in it is one that the canvas fills, as for a Custom Combo; of model files it is complete.
    """
    low, high = (bound if isinstance(bound, int | float) else None for bound in map(socket.options.get, ("min", "max")))
    if socket.type in {"INT", "FLOAT"}:
        if not math.isfinite(value):
            return OutOfRange(f"{where} must be a finite number, not {value}.")
        if low is not None and value < low:
            return OutOfRange(f"{where} must be at least {low}, not {value}.")
        if high is not None and value > high:
            return OutOfRange(f"{where} must be at most {high}, not {value}.")
    choices = socket.choices
    if choices is None or photo or socket.takes_several or value in choices:
        return None
    if not choices and isinstance(value, str) and not value.lower().endswith(MODEL_SUFFIXES):
        return None
    hint = did_you_mean(str(value), [str(choice) for choice in choices])
    return NotAnOption(f"{where} cannot be {value!r}{hint}")


def _alike(node: Node, setting: Setting) -> Any:
    """A value for a node whose class is not known here: of the type that the workflow has there now."""
    current = node.inputs.get(setting.input)
    where = f"{node.title}.{setting.input}"
    if setting.input not in node.inputs:
        raise UnknownInput(f"{node.title} has no input {setting.input!r}{did_you_mean(setting.input, node.inputs)}")
    if as_link(current) is not None:
        raise UnknownInput(f"{where} is linked to another node and cannot be set to a value.")
    return read_value(type_of(current), setting.value, where)


def type_of(value: Any) -> str:
    """The input type of a value as a file writes it; STRING for all that is no number or truth value."""
    return {bool: "BOOLEAN", int: "INT", float: "FLOAT"}.get(type(value), "STRING")
