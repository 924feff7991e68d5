"""`likeness compare`: one workflow with every combination of some values, and one report of what came of each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .batch import fleet_options
from .output import FAILED, Output, current_output, json_option
from .run import PhotoParam, SettingParam

if TYPE_CHECKING:
    from ..compare import CompareResult
    from ..workflow.input_files import Given
    from ..workflow.overrides import Setting

REASON = 80
"""Longest reason in the list of cells; the report has all of it."""


class SeedsParam(click.ParamType):
    """``1,2,3``."""

    name = "SEED,SEED..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Read whole numbers; anything else is a usage error."""
        try:
            return tuple(int(word) for word in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not of the form 1,2,3.", param, ctx)


@click.command()
@click.argument("workflow")
@click.option(
    "--vary",
    "-v",
    multiple=True,
    required=True,
    metavar="TITLE.INPUT=A,B,C",
    help="Values to try, one with a comma in it in double quotes; may be repeated.",
)
@click.option("--seeds", type=SeedsParam(), default=None, help="Run every combination once with each of these seeds.")
@click.option(
    "--input", "-i", "photos", type=PhotoParam(), multiple=True, help="A photo or folder, for a node or in order."
)
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, help="Folder for pictures and report.")
@click.option("--set", "settings", type=SettingParam(), multiple=True, help="Set a value for all runs.")
@fleet_options
@json_option
def compare(
    workflow: str,
    vary: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    photos: tuple[Given, ...],
    output: Path,
    servers: tuple[str, ...],
    headers: tuple[tuple[str, str], ...],
    settings: tuple[Setting, ...],
    in_flight: int,
    wait_seconds: float,
    allow_black: bool,
    allow_files: bool,
) -> None:
    """Run WORKFLOW with every combination of the values to try, and write compare.html, compare.csv and compare.json.

    The same command again goes on where it ended. A picture that is not the person is a result here and no failure.

    Exit codes: 0 all ran, 1 some runs failed or the command was refused, 2 usage, 130 stopped.
    """
    from ..api import compare as compare_all
    from .batch_display import BatchDisplay

    out = current_output()
    display = BatchDisplay(out)
    try:
        result = compare_all(
            workflow,
            vary,
            output,
            photos,
            seeds=seeds or (),
            servers=servers,
            settings=settings,
            in_flight=in_flight,
            wait_seconds=wait_seconds,
            allow_black=allow_black,
            allow_files=allow_files,
            headers=dict(headers),
            on_event=display.event,
            on_view=display.update,
        )
    finally:
        display.close()
    out.result(result.as_dict(), lambda: _show(out, result))
    if result.failed:
        sys.exit(FAILED)


def _show(out: Output, result: CompareResult) -> None:
    from ..report.html import number
    from .batch_display import clean, duration

    wide = max(len(clean(cell.label)) for cell in result.cells)
    for cell in result.cells:
        runs = len(cell.trials)
        confirmed = f"{cell.confirmed} of {runs} confirmed" if cell.checked else "not checked"
        if cell.failed:
            confirmed += f", {cell.failed} of {runs} failed"
        why = f"  {_short(clean(cell.problem))}" if cell.problem else ""
        seconds = "" if cell.seconds is None else f"  {cell.seconds:7.2f} s"
        out.say(f"{clean(cell.label):<{wide}}  {number(cell.likeness):>5}  {confirmed}{seconds}{why}")
    if result.best is not None and len(result.cells) > 1:
        words = "Most like the person:" if result.best.confirmed else "No combination is confirmed; nearest comes"
        out.say(f"{words} {clean(result.best.label)} ({number(result.best.likeness)})")
    earlier = f", {result.runs - result.runs_now} were there before" if result.runs_now < result.runs else ""
    out.say(f"Time      {result.runs_now} run{'s' * (result.runs_now != 1)} in {duration(result.seconds)}{earlier}")
    out.say(f"Report    {result.html}")
    out.say(f"Table     {result.csv}")


def _short(text: str) -> str:
    return text if len(text) <= REASON else text[: REASON - 1] + "…"
