"""`likeness batch`: one workflow over a folder or a table of photos, here or on many servers, to be gone on with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .fleet import distinct, fleet_options
from .output import FAILED, VERDICT_FAILED, current_output, json_option
from .run import SettingParam

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..backends.result import Stopped
    from ..batch.run import BatchResult, Display
    from ..workflow.overrides import Setting


@click.command()
@click.argument("workflow")
@click.option(
    "--inputs",
    "-i",
    type=click.Path(path_type=Path),
    required=True,
    help="A folder of photos, or a CSV or JSONL table with a row for each job.",
)
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, help="Folder for results and ledger.")
@click.option("--set", "settings", type=SettingParam(), multiple=True, help="Set a value for all jobs.")
@click.option("--attempts", type=click.IntRange(1, 100), help="Tries for each job [default: 1; with --until-pass 4].")
@click.option("--until-pass", is_flag=True, help="Try again with a new seed until the likeness is confirmed.")
@click.option("--reports", is_flag=True, help="Also write report.html and report.json for each job.")
@fleet_options
@json_option
def batch(
    workflow: str,
    inputs: Path,
    output: Path,
    servers: tuple[str, ...],
    headers: tuple[tuple[str, str], ...],
    settings: tuple[Setting, ...],
    attempts: int | None,
    until_pass: bool,
    in_flight: int,
    wait_seconds: float,
    reports: bool,
    allow_black: bool,
) -> None:
    """Run WORKFLOW over many photos. The same command again goes on where it ended; finished jobs are not run twice.

    Exit codes: 0 all done, 1 some jobs failed or were refused, 2 usage, 3 some likeness was not confirmed or some
    rule not met, 130 stopped.
    """
    from ..batch.options import UNTIL_PASS_ATTEMPTS, BatchOptions
    from ..batch.run import run_batch

    options = BatchOptions(
        workflow=workflow,
        inputs=inputs,
        output=output,
        servers=distinct(servers),
        settings=settings,
        attempts=attempts or (UNTIL_PASS_ATTEMPTS if until_pass else 1),
        until_pass=until_pass,
        in_flight=in_flight,
        wait_seconds=wait_seconds,
        allow_black=allow_black,
        reports=reports,
        headers=dict(headers),
    )
    show_batch(lambda display, stopped: run_batch(options, display, stopped))


def show_batch(work: Callable[[Display, Stopped], BatchResult]) -> None:
    """Run a batch with its table, say what came out, and leave with the exit code that fits."""
    from ...core.interrupt import stoppable
    from .batch_display import BatchDisplay, show_summary

    out = current_output()
    display = BatchDisplay(out)
    try:
        result = stoppable(lambda stopped: work(display, stopped))
    finally:
        display.close()
    out.result(
        result.as_dict(),
        lambda: show_summary(
            out,
            result.counts,
            seconds=result.seconds,
            sheet=result.sheet,
            csv=result.csv,
            jobs_run=result.jobs_run,
            by_rules=result.by_rules,
        ),
    )
    if result.counts.failed:
        sys.exit(FAILED)
    if result.counts.not_confirmed:
        sys.exit(VERDICT_FAILED)
