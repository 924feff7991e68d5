"""What a workflow takes and gives, whether it can run somewhere, and how things stand there; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backends.execute import BackendOptions, connect

if TYPE_CHECKING:
    from ..backends.base import Fact
    from ..workflow.graph import Node, Workflow
    from ..workflow.object_info import Catalog, InputSpec
    from ..workflow.preflight import Findings

LIMITS = ("min", "max", "default", "tooltip")
"""What a node says of an input besides its type, where it says it."""


@dataclass(frozen=True)
class SettableInput:
    """An input that `--set` changes, as "TITLE.NAME" in `set`. `options`: the values of a list, or None."""

    set: str
    type: str
    value: Any
    options: list[Any] | None
    limits: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {"set": self.set, "type": self.type, "value": self.value, "options": self.options} | self.limits


@dataclass(frozen=True)
class InspectedNode:
    """A node of a workflow. `known`: whether its class is known where the workflow was looked at."""

    id: str
    title: str
    class_type: str
    known: bool
    output: bool
    inputs: list[SettableInput]

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return asdict(self) | {"inputs": [each.as_dict() for each in self.inputs]}


@dataclass(frozen=True)
class InspectedWorkflow:
    """What a workflow reads (`files`), what can be set in it, and the titles of the nodes that give results."""

    name: str
    hash: str
    files: list[dict[str, Any]]
    stages: list[dict[str, Any]]
    nodes: list[InspectedNode]

    @property
    def outputs(self) -> list[str]:
        """The titles of the nodes that give results."""
        return [node.title for node in self.nodes if node.output]

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {
            "workflow": {"name": self.name, "hash": self.hash},
            "runs_here": all(node.known for node in self.nodes),
            "files": self.files,
            "stages": self.stages,
            "nodes": [node.as_dict() for node in self.nodes],
            "outputs": self.outputs,
        }


def inspect_workflow(
    workflow: str | Path, server: str | None = None, *, headers: Mapping[str, str] | None = None
) -> InspectedWorkflow:
    """Look at a workflow, a file or the name of a bundled one, with the node classes of this process or of a server.

    Raises what reading the workflow and reaching the server raise.
    """
    with closing(connect(server, BackendOptions(headers=headers))) as backend:
        backend.wait_ready()
        graph, catalog = backend.load(str(workflow)), backend.catalog()
    return InspectedWorkflow(
        graph.name,
        graph.hash,
        [
            {"node": node.id, "title": _name(node, graph), "kind": node.file_kind, "optional": node.optional}
            for node in graph.file_nodes()
        ],
        [{"name": stage.name, "on": stage.on} for stage in graph.stages.by_name.values()],
        [_node(node, catalog, _name(node, graph)) for node in graph],
    )


def _name(node: Node, graph: Workflow) -> str:
    """What tells a node from the others in a setting: its title, or its id where several have the title."""
    from ..workflow.graph import plain_title

    alike = sum(plain_title(other.title) == plain_title(node.title) for other in graph)
    return node.title if alike == 1 and "=" not in node.title else node.id


def _node(node: Node, catalog: Catalog, name: str) -> InspectedNode:
    from ..workflow.widgets import with_chosen

    spec = catalog.get(node.class_type)
    spec = with_chosen(spec, node.inputs) if spec else None
    sockets = [socket for socket in spec.inputs if socket.takes_value] if spec else _as_written(node)
    settable = [_input(node, s, name) for s in sockets if s.name not in node.links and s.name != node.file_input]
    output = bool(spec and spec.is_output)
    return InspectedNode(node.id, node.title, node.class_type, spec is not None, output, settable)


def _as_written(node: Node) -> list[InputSpec]:
    """The inputs that the file gives a node whose class is not known here, by the types of their values."""
    from ..workflow.object_info import InputSpec
    from ..workflow.overrides import type_of

    return [InputSpec(name, type_of(value), required=True) for name, value in node.inputs.items()]


def _input(node: Node, socket: InputSpec, name: str) -> SettableInput:
    limits = {key: socket.options[key] for key in LIMITS if key in socket.options}
    value = node.inputs.get(socket.name, socket.options.get("default"))
    options = None if socket.choices is None else list(socket.choices)
    return SettableInput(f"{name}.{socket.name}", socket.type, value, options, limits)


@dataclass(frozen=True)
class WorkflowFindings:
    """What stands in the way of a workflow at a `place`, and what may; every problem is an error with its hint."""

    workflow: Workflow
    findings: Findings
    place: str

    @property
    def can_run(self) -> bool:
        """Whether nothing is known that stands in the way."""
        return not self.findings.problems

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {
            "can_run": self.can_run,
            "where": self.place,
            "workflow": {"name": self.workflow.name, "hash": self.workflow.hash},
            "problems": [problem.as_dict() for problem in self.findings.problems],
            "doubts": [doubt.as_dict() for doubt in self.findings.doubts],
        }


def diagnose_workflow(
    workflow: str | Path, server: str | None = None, *, headers: Mapping[str, str] | None = None
) -> WorkflowFindings:
    """Everything that a workflow lacks, here or on a server. Nothing is uploaded, fetched or changed.

    Raises what reading the workflow and reaching the server raise.
    """
    with closing(connect(server, BackendOptions(headers=headers))) as backend:
        backend.wait_ready()
        graph = backend.load(str(workflow))
        return WorkflowFindings(graph, backend.check(graph), backend.name)


@dataclass(frozen=True)
class MachineFacts:
    """How things stand on this machine and, where one was asked, on a server."""

    machine: list[Fact]
    server: list[Fact]

    @property
    def can_run(self) -> bool:
        """Whether every fact is as it should be."""
        return all(fact.ok for fact in [*self.machine, *self.server])

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        parts = {"machine": self.machine, "server": self.server}
        known = {part: [fact.as_dict() for fact in facts] for part, facts in parts.items() if facts}
        return {"can_run": self.can_run} | known


def diagnose_machine(server: str | None = None, *, headers: Mapping[str, str] | None = None) -> MachineFacts:
    """Python, torch, models and disk of this machine, and what a server says of itself. Imports torch."""
    from ..backends.doctor import machine

    with closing(connect(server, BackendOptions(headers=headers))) as backend:
        return MachineFacts(machine(), list(backend.facts()))
