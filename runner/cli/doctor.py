"""`likeness doctor`: what is missing, here, on a server, or for a workflow, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from .output import FAILED, Output, current_output, json_option
from .run import HeaderParam

if TYPE_CHECKING:
    from ..backends import Backend
    from ..backends.base import Fact
    from ..workflow.graph import Workflow
    from ..workflow.preflight import Findings


@click.command()
@click.argument("workflow", required=False)
@click.option("--server", "-s", help="Look at the ComfyUI server at this URL (or @NAME, a managed one).")
@click.option(
    "--header", "headers", type=HeaderParam(), multiple=True, help="A header for the server, such as a token."
)
@json_option
def doctor(workflow: str | None, server: str | None, headers: tuple[tuple[str, str], ...]) -> None:
    """Say whether WORKFLOW can run here, or on a server, and all that it lacks; without it, how things stand.

    Nothing is uploaded, fetched or changed. Exit codes: 0 it can run, 1 something stands in the way, 2 usage.
    """
    from ..backends import BackendOptions, connect

    out = current_output()
    with closing(connect(server or None, BackendOptions(headers=dict(headers)))) as backend:
        well = _look(out, backend) if workflow is None else _examine(out, workflow, backend)
    if not well:
        sys.exit(FAILED)


def _look(out: Output, backend: Backend) -> bool:
    """Facts about this machine and the server."""
    from ..backends import doctor as facts

    found = {"machine": facts.machine(), "server": backend.facts()}
    found = {part: known for part, known in found.items() if known}
    well = all(fact.ok for part in found.values() for fact in part)
    values = {part: [fact.as_dict() for fact in known] for part, known in found.items()}

    def show() -> None:
        titles = {"machine": "This machine", "server": "The server"}
        for part, known in found.items():
            out.say(titles[part])
            _show_facts(out, known)

    out.result({"can_run": well} | values, show)
    return well


def _show_facts(out: Output, known: Sequence[Fact]) -> None:
    width = max(len(fact.name) for fact in known)
    for fact in known:
        out.say(f"  {'ok ' if fact.ok else 'BAD'}  {fact.name.ljust(width)}  {fact.value}")
        if not fact.ok and fact.hint:
            out.say(f"       {' ' * width}  -> {fact.hint}")


def _examine(out: Output, source: str, backend: Backend) -> bool:
    """The problems of one workflow."""
    backend.wait_ready()
    workflow = backend.load(source)
    found, place = backend.check(workflow), backend.name
    values = {"can_run": not found.problems, "where": place} | _as_dict(workflow, found)
    out.result(values, lambda: _show_findings(out, workflow, found, place))
    return not found.problems


def _as_dict(workflow: Workflow, found: Findings) -> dict[str, Any]:
    return {
        "workflow": {"name": workflow.name, "hash": workflow.hash},
        "problems": [problem.as_dict() for problem in found.problems],
        "doubts": [doubt.as_dict() for doubt in found.doubts],
    }


def _show_findings(out: Output, workflow: Workflow, found: Findings, place: str) -> None:
    if found.problems:
        out.say(f"{workflow.name} cannot run on {place}; problems: {len(found.problems)}")
    else:
        out.say(f"{workflow.name} can run on {place} ({len(workflow.nodes)} nodes)")
    width = max((len(problem.code) for problem in [*found.problems, *found.doubts]), default=0)
    for problem in found.problems:
        out.say(f"  {problem.code.ljust(width)}  {problem}")
    if found.doubts:
        out.say("Perhaps wrong; only the server can say:")
    for doubt in found.doubts:
        out.say(f"  {doubt.code.ljust(width)}  {doubt}")
