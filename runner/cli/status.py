"""`likeness status`: how a batch is getting on, from its ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import Output, current_output, json_option
from .words import clean, duration

if TYPE_CHECKING:
    from ..batch.job import Counts, JobRow
    from ..batch.overview import Overview

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
    from ..batch.ledger import Ledger
    from ..batch.overview import overview

    out = current_output()
    with Ledger.read(folder) as ledger:
        found = overview(ledger)
        for row in ledger.rows(state="failed") if failed else ():
            _show_failed(out, row)
    out.result(found.as_dict(), lambda: _show(out, found))


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
        out.say(f"Failed    {_names(failure.jobs)}: [{failure.code}] {clean(failure.message)}")
    if more := sum(len(failure.jobs) for failure in found.failures[SHOWN_REASONS:]):
        out.say(f"Failed    {more} more for other reasons; --failed lists all")
    if found.not_confirmed:
        names = [
            job.name if job.score is None else f"{job.name} (similarity {job.score:.2f})" for job in found.not_confirmed
        ]
        out.say(f"Verdict   not confirmed: {_names(names)}")


def _states(counts: Counts) -> str:
    words = [f"{counts.done} done", f"{counts.failed} failed"]
    words += [f"{counts.leased} running"] if counts.leased else []
    return ", ".join([*words, f"{counts.pending} waiting"])


def _verdicts(counts: Counts) -> str:
    numbers = {
        "same person": counts.passed,
        "not confirmed": counts.not_confirmed,
        "photo refused": counts.refused,
        "not checked": counts.unchecked,
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


def _names(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
