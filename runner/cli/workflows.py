"""`likeness workflows`: what comes with the pack, what each does, and what it needs."""

from __future__ import annotations

import click

from ..api.bundled import BundledWorkflow, list_workflows
from .output import Output, current_output, json_option

MEGABYTE = 1e6


@click.command()
@json_option
def workflows() -> None:
    """List the workflows that come with Likeness Studio: what each does, and what it needs. Nothing is fetched."""
    out = current_output()
    found = list_workflows()
    out.result({"workflows": [each.as_dict() for each in found]}, lambda: _show(out, found))


def _show(out: Output, found: list[BundledWorkflow]) -> None:
    for here, heading in (
        (True, "On this machine, without a server or a GPU"),
        (False, "On a ComfyUI server"),
    ):
        out.say(f"{heading}\n")
        for each in found:
            if each.runs_here is here:
                out.say(f"  {each.name}\n      {each.does}")
                out.say(f"      needs {_needs(each)}")
        out.say()
    out.say("likeness run NAME -i me.jpg runs one; likeness inspect NAME lists what can be set in it.")


def _needs(workflow: BundledWorkflow) -> str:
    fetched = [model for model in workflow.models if not model.folder]
    missing = [model for model in fetched if not model.here]
    words = [] if workflow.runs_here else [workflow.needs]
    if missing:
        size = sum(model.size or 0 for model in missing) / MEGABYTE
        words.append(f"{', '.join(model.name for model in missing)} ({size:.0f} MB, fetched at first use)")
    here = [model.name for model in fetched if model.here]
    if here:
        words.append(f"{', '.join(here)} (here already)")
    return "; ".join(words) or "no models"
