"""`likeness collect`: the pictures of a batch in one folder, under their own names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import Output, clean, current_output, json_option, short_path, told_as_usage

if TYPE_CHECKING:
    from ..batch.deliver import Collected

NAMES_SHOWN = 8

NAMING = (
    click.option(
        "--name",
        help="What the pictures are called, with {name}, {number} and {date}; '{name}.jpg' makes JPEGs.",
    ),
    click.option("--zip", "archive", is_flag=True, help="Also one ZIP file with the pictures."),
)


def naming_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options name and archive."""
    for option in reversed(NAMING):
        command = option(command)
    return command


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", "-o", type=click.Path(path_type=Path), help="The folder for them [default: FOLDER/pictures].")
@naming_options
@click.option("--unconfirmed", is_flag=True, help="Also pictures that are not confirmed to be the person.")
@json_option
def collect(folder: Path, out: Path | None, name: str | None, archive: bool, unconfirmed: bool) -> None:
    """Copy the pictures of the batch in FOLDER into one folder, each under the name of its photo.

    The same command again adds what is new; no file is replaced. What is not confirmed is left out and named.

    Exit codes: 0 done, 1 failed, 2 usage.
    """
    from ..api import collect_pictures

    output = current_output()
    with told_as_usage():
        found = collect_pictures(folder, out, name=name, unconfirmed=unconfirmed, archive=archive)
    output.result(found.as_dict(), lambda: show_collected(output, found))


def show_collected(out: Output, found: Collected) -> None:
    """Where the pictures are, and which are not among them."""
    count, total = found.new, len(found.files)
    kept = f" ({total - count} were there already)" if total > count else ""
    out.say(f"Pictures  {clean(short_path(found.folder))}: {total} {'picture' if total == 1 else 'pictures'}{kept}")
    for each in found.left_out[:NAMES_SHOWN]:
        out.say(f"Left out  {clean(each.name)}: {clean(each.reason)}")
    if len(found.left_out) > NAMES_SHOWN:
        out.say(f"Left out  {len(found.left_out) - NAMES_SHOWN} more")
    if found.archive is not None:
        out.say(f"ZIP       {clean(short_path(found.archive))}")
