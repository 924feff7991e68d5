"""The node classes that run in this process: ours and the carried core nodes, described, and graphs of them planned."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from ...core.errors import LikenessError
from ..errors import InputRefused, NeedsServer, raise_all
from ..workflow.graph import Workflow
from ..workflow.object_info import Catalog, NodeSpec, from_object_info
from ..workflow.preflight import Findings, examine
from ..workflow.validate import NodeCheck, Step, needed, refuse_unknown

if TYPE_CHECKING:
    from ...nodes.schema import io


@cache
def local_classes() -> dict[str, type[io.ComfyNode]]:
    """Every node class that runs in this process: the pack's and the carried core nodes. Imports torch."""
    from ...nodes.extension import node_classes
    from .core_nodes import CORE_NODES

    return {cls.GET_SCHEMA().node_id: cls for cls in (*CORE_NODES, *node_classes())}


def describe(classes: Mapping[str, type[io.ComfyNode]]) -> dict[str, NodeSpec]:
    """The specs of node classes, read from their own description."""
    return from_object_info({node_id: cls.GET_NODE_INFO_V1() for node_id, cls in classes.items()})


@cache
def local_catalog() -> Catalog:
    """What `local_classes` can do. Imports torch."""
    return describe(local_classes())


def local_object_info() -> dict[str, Any]:
    """What a server would say of `local_classes` at ``/object_info``. Imports torch."""
    return {node_id: cls.GET_NODE_INFO_V1() for node_id, cls in local_classes().items()}


def findings_here(workflow: Workflow, catalog: Catalog | None = None) -> Findings:
    """What is wrong with `workflow` in this process; nodes that are not carried here are one NeedsServer.

    `catalog` has other node classes than those that this process always has.
    """
    catalog = local_catalog() if catalog is None else catalog
    try:
        refuse_unknown(workflow, catalog)
    except NeedsServer as problem:
        return Findings([problem])
    return examine(workflow, catalog, strict=True)


def plan(workflow: Workflow, classes: Mapping[str, type[io.ComfyNode]], catalog: Catalog) -> list[Step]:
    """The nodes that the output nodes need, in an order in which they can run.

    Raises NeedsServer, NothingToRun or GraphCycle; else every problem of every needed node: the one, or
    WorkflowInvalid with all. Must run where `host` knows the input folder, because nodes may check their files.
    """
    refuse_unknown(workflow, catalog)
    problems: list[LikenessError] = []
    steps = []
    for node in needed(workflow, catalog):
        check = NodeCheck(workflow, node, catalog, strict=True)
        step = check.step()
        found = [finding.problem for finding in check.findings]
        problems += found or _own_check(classes[node.class_type], step)
        steps.append(step)
    raise_all(problems)
    return steps


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
    from ...nodes.schema import io

    for ancestor in cls.__mro__:
        if ancestor is io.ComfyNode:
            return None
        if name in vars(ancestor):
            return getattr(cls, name)
    return None
