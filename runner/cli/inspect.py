"""`likeness inspect`: what a workflow takes, what can be set in it, and what it gives."""

from __future__ import annotations

from typing import Any

import click

from .output import Output, clean_part, current_output, json_option
from .run import HeaderParam

MANY = 8
"""More options than this are counted instead of listed."""


@click.command()
@click.argument("workflow")
@click.option("--server", "-s", help="Ask this ComfyUI server about nodes that are not known here.")
@click.option(
    "--header", "headers", type=HeaderParam(), multiple=True, help="A header for the server, such as a token."
)
@json_option
def inspect(workflow: str, server: str | None, headers: tuple[tuple[str, str], ...]) -> None:
    """List the photos, settings and results of WORKFLOW: a JSON file or a bundled workflow's name."""
    from ..api.inspect import inspect_workflow

    out = current_output()
    described = inspect_workflow(workflow, server, headers=dict(headers)).as_dict()
    out.result(described, lambda: _show(out, described))


def _show(out: Output, described: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("Set with --set", no_wrap=True)
    table.add_column("Value", overflow="fold")
    table.add_column("Takes", overflow="fold")
    for node in described["nodes"]:
        unused = _unused_rows(node["inputs"])
        for entry in node["inputs"]:
            if _row(entry) not in unused:
                called = "" if entry["set"].startswith(f"{node['title']}.") else f"  ({node['title']})"
                cells = (entry["set"] + called, repr(entry["value"]), _takes(entry))
                table.add_row(*(Text(clean_part(each)) for each in cells))
        if unused:
            table.add_row(Text(f"{clean_part(node['title'])}.…_{min(unused)} to …_{max(unused)}"), "", "as …_1")
    out.say(f"{clean_part(described['workflow']['name'])}  {described['workflow']['hash'][:12]}")
    for photo in described["files"]:
        left_out = "  (may be left out)" if photo["optional"] else ""
        out.say(f'  {photo["kind"]:8} --input "{clean_part(photo["title"])}=PATH"{left_out}')
    for stage in described["stages"]:
        state, other = ("on", "false") if stage["on"] else ("off", "true")
        out.say(f'  stage    {clean_part(stage["name"])} is {state}  (--set "{clean_part(stage["name"])}.on={other}")')
    for title in described["outputs"]:
        out.say(f"  result   {clean_part(title)}")
    unknown = sorted({node["class_type"] for node in described["nodes"] if not node["known"]})
    if unknown:
        out.say(f"  needs a ComfyUI server (--server URL) for: {clean_part(', '.join(unknown))}")
        out.say("  (with --server, inspect also says what those take: limits, and the model files that are there)")
    out.console.print(table)
    _show_long_lists(out, described)


def _show_long_lists(out: Output, described: dict[str, Any]) -> None:
    """The options that the table only counts, in words."""
    for node in described["nodes"]:
        for entry in node["inputs"]:
            if len(entry["options"] or ()) > MANY:
                out.say(f"{clean_part(entry['set'])}: {clean_part(' | '.join(map(str, entry['options'])))}\n")


def _row(entry: dict[str, Any]) -> int:
    """The row of inputs that an input belongs to, such as 2 of lora_2; 0 where it belongs to none."""
    number = entry["set"].rpartition("_")[2]
    return int(number) if number.isdecimal() else 0


def _unused_rows(inputs: list[dict[str, Any]]) -> list[int]:
    """The rows behind the last one in which the workflow changes something: the table need not say each again."""
    used = {_row(entry) for entry in inputs if entry["value"] != entry.get("default", entry["value"])}
    rows = {_row(entry) for entry in inputs}
    return sorted(row for row in rows if row > max(used | {1})) if 1 in rows else []


def _takes(entry: dict[str, Any]) -> str:
    options = entry["options"]
    if options:
        return " | ".join(map(str, options)) if len(options) <= MANY else f"one of {len(options)}"
    word = {"INT": "whole number", "FLOAT": "number", "BOOLEAN": "true, false", "STRING": "text"}.get(
        entry["type"], "name"
    )
    low, high = entry.get("min"), entry.get("max")
    span = f" {low} to {high}" if low is not None and high is not None else ""
    return word + span
