"""Check a graph before anything runs, as a ComfyUI server does, and report every problem at once."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from ..nodes.errors import LikenessError
from .catalog import Catalog, InputSpec
from .errors import (
    BadLink,
    GraphCycle,
    InputRefused,
    InputRequired,
    NeedsServer,
    NothingToRun,
    WrongType,
    raise_all,
)
from .settings import limits
from .workflow import Link, Node, Workflow, as_link

if TYPE_CHECKING:
    from ..nodes.schema import io


@dataclass(frozen=True)
class Step:
    """One node that will run: plain values converted to their types, and links."""

    node: Node
    values: dict[str, Any]
    links: dict[str, Link]


def plan(workflow: Workflow, classes: Mapping[str, type[io.ComfyNode]], catalog: Catalog) -> list[Step]:
    """The nodes that the output nodes need, in an order in which they can run.

    Raises NeedsServer, NothingToRun or GraphCycle; else every problem of every needed node: the one, or
    WorkflowInvalid with all. Must run where `host` knows the input folder, because nodes may check their files.
    """
    _refuse_unknown(workflow, catalog)
    outputs = [node.id for node in workflow if catalog[node.class_type].is_output]
    if not outputs:
        raise NothingToRun(f"{workflow.name} has no output node, such as Save Image; add one.")
    problems: list[LikenessError] = []
    steps = []
    for node in _needed(workflow, outputs):
        check = _Check(workflow, node, catalog)
        step = check.step()
        if not check.problems:
            check.problems.extend(_own_check(classes[node.class_type], step))
        problems += check.problems
        steps.append(step)
    raise_all(problems)
    return steps


def _refuse_unknown(workflow: Workflow, catalog: Catalog) -> None:
    unknown = [node for node in workflow if node.class_type not in catalog]
    if unknown:
        names = ", ".join(
            node.title if node.title == node.class_type else f"{node.title} ({node.class_type})" for node in unknown
        )
        raise NeedsServer(
            f"{workflow.name} has nodes that only a ComfyUI server can run: {names}; "
            "give one with --server, for example --server http://127.0.0.1:8188."
        )


def _needed(workflow: Workflow, outputs: list[str]) -> list[Node]:
    graph: dict[str, list[str]] = {}
    pending = list(outputs)
    while pending:
        node_id = pending.pop()
        if node_id in graph:
            continue
        graph[node_id] = [origin for origin, _ in workflow.nodes[node_id].links.values() if origin in workflow.nodes]
        pending += graph[node_id]
    file_order = {node.id: graph[node.id] for node in workflow if node.id in graph}
    try:
        return [workflow.nodes[node_id] for node_id in TopologicalSorter(file_order).static_order()]
    except CycleError as error:
        circle = " -> ".join(f"{workflow.nodes[node_id].title} ({node_id})" for node_id in error.args[1])
        raise GraphCycle(f"The nodes are linked in a circle: {circle}; remove one of the links.") from error


class _Check:
    """The inputs of one node against its class."""

    def __init__(self, workflow: Workflow, node: Node, catalog: Catalog) -> None:
        self.workflow, self.node, self.catalog = workflow, node, catalog
        self.problems: list[LikenessError] = []

    def step(self) -> Step:
        values, links = {}, {}
        for socket in self.catalog[self.node.class_type].inputs:
            where = f"{self.node.title}.{socket.name}"
            if socket.name not in self.node.inputs:
                if socket.required:
                    self.problems.append(_required(socket, where))
                continue
            given = self.node.inputs[socket.name]
            link = as_link(given)
            problem: LikenessError | None
            if link is not None:
                links[socket.name] = link
                problem = self._link_problem(socket, link, where)
            elif isinstance(given, list):
                problem = BadLink(f"{where} has a link that is not [node id, output number]: {given!r}.")
            else:
                problem, values[socket.name] = self._value(socket, given, where)
            if problem is not None:
                self.problems.append(problem)
        return Step(self.node, values, links)

    def _link_problem(self, socket: InputSpec, link: Link, where: str) -> LikenessError | None:
        origin, slot = link
        if origin not in self.workflow.nodes:
            return BadLink(f"{where} is linked to node {origin}, which is not in the workflow.")
        source = self.workflow.nodes[origin]
        outputs = self.catalog[source.class_type].outputs
        if not 0 <= slot < len(outputs):
            return BadLink(f"{where} is linked to output {slot} of {source.title}, which has {len(outputs)}.")
        if not types_match(outputs[slot], socket.type):
            return WrongType(f"{where} takes {socket.type}, but {source.title} gives {outputs[slot]}.")
        return None

    def _value(self, socket: InputSpec, given: Any, where: str) -> tuple[LikenessError | None, Any]:
        if isinstance(given, dict) and "__value__" in given:
            given = given["__value__"]
        if not socket.takes_value and socket.type != "*" and not socket.options.get("forceInput"):
            return WrongType(f"{where} takes a link ({socket.type}), not the value {given!r}."), None
        try:
            value = _coerce(socket.type, given)
        except (TypeError, ValueError, OverflowError):
            return WrongType(f"{where} takes {socket.type}, not {given!r}."), None
        return limits(socket, value, where, photo=self.node.file_input == socket.name), value


def _required(socket: InputSpec, where: str) -> InputRequired:
    how = "give it a value" if socket.takes_value else f"link it to a node that gives {socket.type}"
    return InputRequired(f"{where} is required and not there; {how}.")


def _coerce(kind: str, value: Any) -> Any:
    match kind:
        case "INT":
            return int(value)
        case "FLOAT":
            return float(value)
        case "STRING":
            return str(value)
        case "BOOLEAN" if isinstance(value, bool | int | float):
            return bool(value)
        case "BOOLEAN":
            raise TypeError("not a truth value")
    return value


def types_match(given: str, wanted: str) -> bool:
    """Whether a link may carry `given` into an input of type `wanted`; ``*`` fits all, a comma lists several."""
    offered, accepted = set(given.split(",")), set(wanted.split(","))
    return "*" in offered | accepted or offered <= accepted


def _own_check(cls: type[io.ComfyNode], step: Step) -> list[LikenessError]:
    """Ask a node's `validate_inputs`, with those of the plain values that it takes."""
    check = overridden(cls, "validate_inputs")
    if check is None:
        return []
    parameters = inspect.signature(check).parameters
    everything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    values = {name: value for name, value in step.values.items() if everything or name in parameters}
    if not values or any(name in step.links for name in parameters):
        return []
    answer = check(**values)
    if answer is True:
        return []
    reason = answer if isinstance(answer, str) else f"the node refused {', '.join(values)}"
    return [InputRefused(f"{step.node.title} cannot run: {reason}.")]


def overridden(cls: type[io.ComfyNode], name: str) -> Any | None:
    """The class's own method of that name, or None where only ComfyUI's base has one."""
    from ..nodes.schema import io

    for ancestor in cls.__mro__:
        if ancestor is io.ComfyNode:
            return None
        if name in vars(ancestor):
            return getattr(cls, name)
    return None
