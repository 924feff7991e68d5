"""`likeness doctor`: what is missing, here, on a server, or for a workflow, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .output import FAILED, Output, clean, current_output, json_option
from .run import HeaderParam

if TYPE_CHECKING:
    from ..api.inspect import MachineFacts, WorkflowFindings
    from ..backends.base import Fact


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
    from ..api.inspect import diagnose_machine, diagnose_workflow

    out = current_output()
    if workflow is None:
        facts = diagnose_machine(server or None, headers=dict(headers))
        out.result(facts.as_dict(), lambda: _show_machine(out, facts))
        well = facts.can_run
    else:
        found = diagnose_workflow(workflow, server or None, headers=dict(headers))
        out.result(found.as_dict(), lambda: _show_findings(out, found))
        well = found.can_run
    if not well:
        sys.exit(FAILED)


def _show_machine(out: Output, facts: MachineFacts) -> None:
    for title, known in (("This machine", facts.machine), ("The server", facts.server)):
        if known:
            out.say(title)
            _show_facts(out, known)


def _show_facts(out: Output, known: Sequence[Fact]) -> None:
    width = max(len(fact.name) for fact in known)
    for fact in known:
        out.say(f"  {'ok ' if fact.ok else 'BAD'}  {fact.name.ljust(width)}  {clean(fact.value)}")
        if not fact.ok and fact.hint:
            out.say(f"       {' ' * width}  -> {fact.hint}")


def _show_findings(out: Output, diagnosed: WorkflowFindings) -> None:
    workflow, found, place = diagnosed.workflow, diagnosed.findings, diagnosed.place
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
