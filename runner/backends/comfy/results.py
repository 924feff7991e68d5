"""What a history entry means: results, or one of our errors that says what went wrong and what may be tried."""

from __future__ import annotations

import re
from typing import Any

from ...errors import (
    InterruptedOnServer,
    RunnerError,
    ServerBroken,
    ServerExecutionError,
    ServerOutOfMemory,
    ServerRefused,
    WorkflowRejected,
)
from ...workflow.graph import Node, Workflow
from .server import ComfyServer

Shown = dict[str, dict[str, list[Any]]]
"""What each node showed, by node id."""

OUT_OF_MEMORY = re.compile(r"OutOfMemoryError|out of memory|Allocation on device|not enough memory", re.IGNORECASE)

POISONED = re.compile(
    r"illegal memory access|device-side assert|cudaErrorIllegalAddress|CUDNN_STATUS_(?:EXECUTION_FAILED|INTERNAL_ERROR)"
    r"|CUBLAS_STATUS_(?:EXECUTION_FAILED|NOT_INITIALIZED)|unspecified launch failure|misaligned address",
    re.IGNORECASE,
)
"""Errors after which a CUDA context answers every call with an error: only a new process helps."""


def results(entry: dict[str, Any], workflow: Workflow, url: str) -> Shown:
    """What the nodes of a finished prompt showed.

    Raises InterruptedOnServer, ServerOutOfMemory, ServerBroken or ServerExecutionError; ServerRefused when the entry
    cannot be understood.
    """
    status = entry.get("status") or {}
    if not isinstance(status, dict):
        raise ServerRefused(f"{url} has a history entry without a status; is it a ComfyUI server?")
    messages = _messages(status)
    if "execution_interrupted" in messages:
        raise InterruptedOnServer(f"The run was stopped on {url} before it finished.")
    failed = messages.get("execution_error")
    if failed is not None:
        raise _failure(failed, workflow, url)
    if status.get("status_str", "success") != "success":
        raise ServerExecutionError("the workflow", "unknown", "error", str(status)[:300])
    outputs = entry.get("outputs")
    if not isinstance(outputs, dict):
        raise ServerRefused(f"{url} has a history entry without outputs; is it a ComfyUI server?")
    return {str(node): shown for node, shown in outputs.items() if isinstance(shown, dict)}


def server_seconds(entry: dict[str, Any]) -> float | None:
    """The server's own time from the prompt's start to its end, in seconds; None where it does not say."""
    status = entry.get("status")
    messages = _messages(status) if isinstance(status, dict) else {}
    stamps = [messages.get(kind, {}).get("timestamp") for kind in ("execution_start", "execution_success")]
    match stamps:
        case [int() | float() as start, int() | float() as end]:
            return (end - start) / 1000
    return None


def _messages(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The status messages by kind; what is not of the form ``[kind, values]`` is passed over."""
    found: dict[str, dict[str, Any]] = {}
    messages = status.get("messages")
    for message in messages if isinstance(messages, list) else []:
        match message:
            case [str() as kind, dict() as values]:
                found[kind] = values
    return found


def _failure(failed: dict[str, Any], workflow: Workflow, url: str) -> RunnerError:
    node_id = str(failed.get("node_id"))
    node = workflow.nodes.get(node_id)
    title = node.title if node else f"node {node_id}"
    kind = str(failed.get("exception_type")).rpartition(".")[2]
    reason = str(failed.get("exception_message")).strip()
    if POISONED.search(reason):
        return ServerBroken(
            f"The GPU of {url} is in a state that only a restart of ComfyUI ends ({title} failed with: "
            f"{reason.splitlines()[0][:200]}); restart it."
        )
    if OUT_OF_MEMORY.search(f"{kind} {reason}"):
        return ServerOutOfMemory(
            f"{title} (node {node_id}) ran out of memory on {url}; use a smaller picture, a smaller batch or a "
            "smaller model."
        )
    return ServerExecutionError(title, node_id, kind, reason)


def rejection(workflow: Workflow, answer: dict[str, Any], server: ComfyServer) -> WorkflowRejected:
    """The error for a workflow that the server did not take, with everything that is wrong with it."""
    reports = answer.get("node_errors")
    node_errors = reports if isinstance(reports, dict) else {}
    lines = [
        f"{_titled(workflow, str(node_id))}: {_no_photo(workflow.nodes.get(str(node_id)), problem) or _words(problem)}"
        for node_id, report in node_errors.items()
        for problem in _problems(report)
    ]
    if not lines:
        known = server.object_info()
        lines = [
            f"{node.title}: the server has no node {node.class_type}"
            for node in workflow
            if node.class_type not in known
        ]
    error = answer.get("error")
    if not lines:
        words = error if isinstance(error, dict) else {"message": str(error)}
        lines = [" ".join(str(words[key]) for key in ("message", "details") if words.get(key))]
    return WorkflowRejected(f"{server.url} did not accept {workflow.name}: {'; '.join(lines)}.", node_errors)


def _words(problem: dict[str, Any]) -> str:
    return f"{problem.get('message')} ({problem.get('details')})"


def _no_photo(node: Node | None, problem: dict[str, Any]) -> str | None:
    """What to say of a photo that the server has not: its own words are about a validation that failed."""
    if node is None or node.file_kind != "photo" or problem.get("type") != "custom_validation_failed":
        return None
    name = node.inputs.get(str(node.file_input))
    return f'no photo was given, and the server has no {name!r}; give one with --input "{node.title}=PATH"'


def _problems(report: Any) -> list[dict[str, Any]]:
    """What is wrong with one node; nothing where the server's report cannot be understood."""
    problems = report.get("errors") if isinstance(report, dict) else None
    return [problem for problem in problems if isinstance(problem, dict)] if isinstance(problems, list) else []


def _titled(workflow: Workflow, node_id: str) -> str:
    node = workflow.nodes.get(node_id)
    return f"{node.title} (node {node_id})" if node else f"node {node_id}"
