"""`likeness batch`, `status`, `retry`: one workflow over many photos, how it is getting on, and again what failed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...core.errors import first_of
from ...core.outcome_words import JOBS
from .collect import naming_options, show_collected
from .output import FAILED, VERDICT_FAILED, Output, clean, current_output, duration, json_option, told_as_usage
from .run import HeaderParam, SettingParam, allow_files_option

if TYPE_CHECKING:
    from ..batch.job_records import BatchResult, Counts, JobRow
    from ..batch.overview import Overview
    from ..workflow.overrides import Setting
    from .batch_display import BatchDisplay

FLEET = (
    click.option("--server", "-s", "servers", multiple=True, help="A ComfyUI server's URL or @NAME; may be repeated."),
    click.option("--header", "headers", type=HeaderParam(), multiple=True, help="A header for the servers."),
    click.option(
        "--in-flight", type=click.IntRange(1, 64), default=2, show_default=True, help="Jobs at a time on each server."
    ),
    click.option(
        "--wait",
        "wait_seconds",
        type=click.FloatRange(min=0),
        default=300.0,
        show_default=True,
        help="Seconds to go on while no server answers.",
    ),
    click.option("--allow-black", is_flag=True, help="Accept a server's picture that is completely black."),
    allow_files_option,
)


def fleet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options servers, headers, in_flight, wait_seconds, allow_black and allow_files."""
    for option in reversed(FLEET):
        command = option(command)
    return command


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
@click.option(
    "--strict",
    is_flag=True,
    help="Leave with exit code 3 also where a picture is not known to be good, or a job saved nothing.",
)
@click.option("--flat", is_flag=True, help="Also put the confirmed pictures together into OUTPUT/pictures, by name.")
@naming_options
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
    strict: bool,
    flat: bool,
    name: str | None,
    archive: bool,
    allow_black: bool,
    allow_files: bool,
) -> None:
    """Run WORKFLOW over many photos. The same command again goes on where it ended; finished jobs are not run twice.

    --name and --zip go with --flat, and mean it; `likeness collect` does the same afterwards.

    Exit codes: 0 all done, 1 some jobs failed or were refused, 2 usage, 3 some likeness was not confirmed or some
    rule not met, 130 stopped.
    """
    from ..api import run_batch
    from ..batch.deliver import NamePattern

    with told_as_usage():
        NamePattern("{name}" if name is None else name)
    collected = {"name": name, "archive": archive} if flat or name is not None or archive else None
    show_batch(
        lambda display: run_batch(
            workflow,
            inputs,
            output,
            servers=servers,
            settings=settings,
            attempts=attempts,
            until_pass=until_pass,
            in_flight=in_flight,
            wait_seconds=wait_seconds,
            reports=reports,
            allow_black=allow_black,
            allow_files=allow_files,
            headers=dict(headers),
            on_event=display.event,
            on_view=display.update,
        ),
        collected,
        strict=strict,
    )


def show_batch(
    work: Callable[[BatchDisplay], BatchResult | None],
    collected: Mapping[str, Any] | None = None,
    *,
    strict: bool = False,
) -> None:
    """Run a batch with its table, say what came out, and leave with the exit code that fits.

    `collected`: how its pictures are put together at the end, or None. `strict`: only pictures that are known to be
    good will do.
    """
    from ..api import collect_pictures
    from .batch_display import BatchDisplay, show_summary

    out = current_output()
    display = BatchDisplay(out)
    try:
        result = work(display)
    finally:
        display.close()
    if result is None:
        out.result({"retried": 0}, lambda: out.say("There is no such job to run again."))
        return
    together = None if collected is None else collect_pictures(result.folder, **collected)
    values = {} if together is None else {"collected": together.as_dict()}
    out.result(
        result.as_dict() | values,
        lambda: show_summary(
            out,
            result.counts,
            seconds=result.seconds,
            sheet=result.sheet,
            csv=result.csv,
            jobs_run=result.jobs_run,
            by_rules=result.by_rules,
            to_look_at=result.to_look_at,
            saved_nothing=result.saved_nothing,
        ),
    )
    if together is not None:
        show_collected(out, together)
    if result.counts.failed:
        sys.exit(FAILED)
    if result.counts.not_confirmed or (strict and (result.to_look_at or result.saved_nothing)):
        sys.exit(VERDICT_FAILED)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1)
@click.option("--failed", is_flag=True, help="All jobs that failed.")
@click.option("--not-confirmed", is_flag=True, help="All jobs whose picture is not confirmed to be the person.")
@click.option("--server", "-s", "servers", multiple=True, help="Use these servers instead of those of the batch.")
@click.option(
    "--header", "headers", type=HeaderParam(), multiple=True, help="A header for the servers; it is never kept."
)
@json_option
def retry(
    folder: Path,
    names: tuple[str, ...],
    failed: bool,
    not_confirmed: bool,
    servers: tuple[str, ...],
    headers: tuple[tuple[str, str], ...],
) -> None:
    """Run jobs of the batch in FOLDER again: those called NAME, and those that the options choose.

    Everything else is as it was in the command that started the batch. Exit codes are those of `likeness batch`.
    """
    if not (names or failed or not_confirmed):
        raise click.UsageError("Say which jobs: their names, --failed, or --not-confirmed.")
    from ..api import retry_batch

    out = current_output()
    show_batch(
        lambda display: retry_batch(
            folder,
            names,
            failed=failed,
            not_confirmed=not_confirmed,
            servers=servers,
            headers=dict(headers),
            on_chosen=lambda again: out.say(f"{again} {'job runs' if again == 1 else 'jobs run'} again."),
            on_event=display.event,
            on_view=display.update,
        )
    )


SHOWN_REASONS = 20
"""More reasons of failures than this are counted instead of listed."""

SHOWN_NAMES = 5
"""More names than this are counted instead of listed."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--failed", is_flag=True, help="List each failed job with its error.")
@json_option
def status(folder: Path, failed: bool) -> None:
    """Show the state of the batch in FOLDER, also while it runs: counts, rate, servers, failures, verdicts."""
    from ..api import batch_status

    out = current_output()
    found = batch_status(folder, failed=failed)
    for row in found.failed:
        _show_failed(out, row)
    out.result(found.as_dict(), lambda: _show(out, found.overview))


def _show_failed(out: Output, row: JobRow) -> None:
    if out.as_json:
        error = {"code": row.error_code, "message": row.error}
        out.line({"event": "job_failed", "name": row.name, "server": row.server} | error)
    out.say(f"{row.name}  [{row.error_code}] {clean(row.error or '')}")


def _show(out: Output, found: Overview) -> None:
    counts = found.counts
    out.say(f"Batch     {found.folder}{f' ({found.workflow})' if found.workflow else ''}")
    out.say(f"Jobs      {counts.total}: {_states(counts)}")
    if counts.finished:
        out.say(f"Verdicts  {_verdicts(counts)}")
    out.say(f"Runner    {_runner(found)}")
    for server in found.servers:
        words = [f"{server.running} running"] if found.active else []
        words.append(f"{server.tries} {'try' if server.tries == 1 else 'tries'} ended")
        words += [f"{server.lost} cut off"] if server.lost else []
        words += [f"{server.median_seconds:.1f} s each"] if server.median_seconds is not None else []
        last = f"; last error: {clean(server.last_error)}" if server.last_error else ""
        out.say(f"Server    {server.url}: {', '.join(words)}{last}")
    for failure in found.failures[:SHOWN_REASONS]:
        out.say(f"Failed    {first_of(failure.jobs, SHOWN_NAMES)}: [{failure.code}] {clean(failure.message)}")
    if more := sum(len(failure.jobs) for failure in found.failures[SHOWN_REASONS:]):
        out.say(f"Failed    {more} more for other reasons; --failed lists all")
    if found.not_confirmed:
        names = [
            job.name if job.score is None else f"{job.name} (similarity {job.score:.2f})" for job in found.not_confirmed
        ]
        out.say(f"Verdict   not confirmed: {first_of(names, SHOWN_NAMES)}")


def _states(counts: Counts) -> str:
    words = [f"{counts.done} done", f"{counts.failed} failed"]
    words += [f"{counts.leased} running"] if counts.leased else []
    return ", ".join([*words, f"{counts.pending} waiting"])


def _verdicts(counts: Counts) -> str:
    numbers = {
        JOBS["passed"].word: counts.passed,
        JOBS["not_confirmed"].word: counts.not_confirmed,
        f"photo {JOBS['refused'].word}": counts.refused,
        JOBS["unchecked"].word: counts.unchecked,
    }
    return ", ".join(f"{number} {word}" for word, number in numbers.items() if number) or "none yet"


def _runner(found: Overview) -> str:
    waiting = found.counts.pending + found.counts.leased
    if not found.active:
        left = waiting or not found.counts.total
        return "none; start the same command again to go on" if left else "none; nothing is left to do"
    if found.per_minute is None:
        return "at work; no job is finished yet"
    left = f", about {duration(found.seconds_left)} left" if found.seconds_left else ""
    return f"at work; {found.per_minute:.1f} jobs a minute{left}"
