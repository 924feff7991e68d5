"""Check a graph before anything runs, as a ComfyUI server does, and report every problem at once."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ...core.errors import LikenessError
from ..errors import BadLink, GraphCycle, InputRequired, NeedsServer, NothingToRun, WrongType
from .graph import Link, Node, Workflow, as_link
from .object_info import DYNAMIC_COMBO, Catalog, InputSpec
from .overrides import limits
from .widgets import keys_offered, with_chosen


@dataclass(frozen=True)
class Step:
    """One node that will run: plain values converted to their types, and links."""

    node: Node
    values: dict[str, Any]
    links: dict[str, Link]


@dataclass(frozen=True)
class Finding:
    """A problem with one input. It is not `sure` where the class may accept what its description does not say."""

    problem: LikenessError
    node: Node
    socket: InputSpec
    value: Any = None
    sure: bool = True


def refuse_unknown(workflow: Workflow, catalog: Catalog) -> None:
    """Raise NeedsServer with the names of all nodes whose class is not in `catalog`."""
    unknown = [node for node in workflow if node.class_type not in catalog]
    if unknown:
        names = ", ".join(
            node.title if node.title == node.class_type else f"{node.title} ({node.class_type})" for node in unknown
        )
        raise NeedsServer(
            f"{workflow.name} has nodes that only a ComfyUI server can run: {names}; "
            "give one with --server, for example --server http://127.0.0.1:8188."
        )


def needed(workflow: Workflow, catalog: Catalog) -> list[Node]:
    """The nodes that the output nodes need, in an order in which they can run. Raises NothingToRun or GraphCycle.

    A node of an unknown class counts as an output: it may be one.
    """
    outputs = [node.id for node in workflow if (spec := catalog.get(node.class_type)) is None or spec.is_output]
    if not outputs:
        raise NothingToRun(f"{workflow.name} has no output node, such as Save Image; add one.")
    graph: dict[str, list[str]] = {}
    pending = list(outputs)
    while pending:
        node_id = pending.pop()
        if node_id in graph:
            continue
        graph[node_id] = _origins(workflow, workflow.nodes[node_id], catalog)
        pending += graph[node_id]
    file_order = {node.id: graph[node.id] for node in workflow if node.id in graph}
    try:
        return [workflow.nodes[node_id] for node_id in TopologicalSorter(file_order).static_order()]
    except CycleError as error:
        circle = " -> ".join(f"{workflow.nodes[node_id].title} ({node_id})" for node_id in error.args[1])
        raise GraphCycle(f"The nodes are linked in a circle: {circle}; remove one of the links.") from error


def _origins(workflow: Workflow, node: Node, catalog: Catalog) -> list[str]:
    """Where a node's links come from. Inputs that its class does not have lead nowhere, on a server too."""
    spec = catalog.get(node.class_type)
    everything = spec is None or any(socket.is_dynamic for socket in spec.inputs)
    return [
        origin
        for name, (origin, _) in node.links.items()
        if origin in workflow.nodes and (everything or (spec is not None and name in spec.by_name))
    ]


class NodeCheck:
    """The inputs of one node against its class, as a server checks them.

    `strict` also refuses words as truth values (a server reads each as true, even "false") and null for a link.
    """

    def __init__(self, workflow: Workflow, node: Node, catalog: Catalog, *, strict: bool = False) -> None:
        self.workflow, self.node, self.catalog, self.strict = workflow, node, catalog, strict
        self.spec = catalog[node.class_type]
        self.findings: list[Finding] = []

    def step(self) -> Step:
        """The node's values and links; what is wrong with them goes to `findings`."""
        values, links = {}, {}
        for socket in with_chosen(self.spec, self.node.inputs).inputs:
            if socket.type == DYNAMIC_COMBO:
                self._check_choice(socket)
            if socket.is_dynamic:
                continue
            where = f"{self.node.title}.{socket.name}"
            if socket.name not in self.node.inputs:
                if socket.required:
                    self._find(_required(socket, where), socket)
                continue
            given = self.node.inputs[socket.name]
            link = as_link(given)
            if link is not None:
                links[socket.name] = link
                self._check_link(socket, link, where)
            elif isinstance(given, list):
                self._find(BadLink(f"{where} has a link that is not [node id, output number]: {given!r}."), socket)
            else:
                values[socket.name] = self._value(socket, given, where)
        return Step(self.node, values, links)

    def _check_choice(self, socket: InputSpec) -> None:
        """A choice that brings inputs of its own, as the list that it is; one that the canvas fills is not known."""
        where, given = f"{self.node.title}.{socket.name}", self.node.inputs.get(socket.name)
        offered = keys_offered(socket)
        if given is None and socket.required and offered:
            self._find(InputRequired(f"{where} is required and not there; give it a value."), socket)
        if given is None or not offered or as_link(given) is not None:
            return
        problem = limits(InputSpec(socket.name, "COMBO", socket.required, {"options": offered}), given, where)
        if problem is not None:
            self._find(problem, socket, given, sure=self.spec.is_sure)

    def _find(self, problem: LikenessError, socket: InputSpec, value: Any = None, *, sure: bool = True) -> None:
        self.findings.append(Finding(problem, self.node, socket, value, sure))

    def _check_link(self, socket: InputSpec, link: Link, where: str) -> None:
        origin, slot = link
        if origin not in self.workflow.nodes:
            self._find(BadLink(f"{where} is linked to node {origin}, which is not in the workflow."), socket)
            return
        source = self.workflow.nodes[origin]
        given = self.catalog.get(source.class_type)
        if given is None:
            return
        if not 0 <= slot < len(given.outputs):
            problem = f"{where} is linked to output {slot} of {source.title}, which has {len(given.outputs)}."
            self._find(BadLink(problem), socket, sure=given.is_sure or slot < 0)
        elif not types_match(given.outputs[slot], socket.type):
            problem = f"{where} takes {socket.type}, but {source.title} gives {given.outputs[slot]}."
            self._find(WrongType(problem), socket, sure=self.spec.is_sure)

    def _value(self, socket: InputSpec, given: Any, where: str) -> Any:
        if isinstance(given, dict) and "__value__" in given:
            given = given["__value__"]
        if socket.is_link_only and given is None and not (socket.required or self.strict):
            return None
        if socket.is_link_only:
            self._find(WrongType(f"{where} takes a link ({socket.type}), not the value {given!r}."), socket)
            return None
        photo = self.node.file_input == socket.name
        if photo and not isinstance(given, str):
            self._find(WrongType(f"{where} takes the name of a file, not {given!r}."), socket)
            return None
        try:
            value = _coerce(socket.type, given, strict=self.strict)
        except (TypeError, ValueError, OverflowError):
            self._find(WrongType(f"{where} takes {socket.type}, not {given!r}."), socket, given)
            return None
        problem = limits(socket, value, where, photo=photo)
        if problem is not None:
            self._find(problem, socket, value, sure=self.spec.is_sure and not socket.names_upload)
        return value


def _required(socket: InputSpec, where: str) -> InputRequired:
    how = f"link it to a node that gives {socket.type}" if socket.is_link_only else "give it a value"
    return InputRequired(f"{where} is required and not there; {how}.")


def _coerce(kind: str, value: Any, *, strict: bool) -> Any:
    match kind:
        case "INT":
            return int(value)
        case "FLOAT":
            return float(value)
        case "STRING":
            return str(value)
        case "BOOLEAN" if isinstance(value, bool | int | float) or not strict:
            return bool(value)
        case "BOOLEAN":
            raise TypeError("not a truth value")
    return value


def types_match(given: str, wanted: str) -> bool:
    """Whether a link may carry `given` into an input of type `wanted`.

    A comma lists several types, of which one must fit; ``*`` fits all, and so does a type that is settled while the
    graph is drawn.
    """
    offered, accepted = ({kind.strip() for kind in kinds.split(",")} for kinds in (given, wanted))
    return bool(offered & accepted) or any(kind == "*" or kind.startswith("COMFY_") for kind in offered | accepted)
