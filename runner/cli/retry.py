"""`likeness retry`: run failed, unconfirmed or named jobs of a batch again, with the command it was started with."""

from __future__ import annotations

from pathlib import Path

import click

from .output import current_output, json_option
from .run import HeaderParam


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
    out = current_output()
    again = set_back(folder, names, failed=failed, not_confirmed=not_confirmed)
    if not again:
        out.result({"retried": 0}, lambda: out.say("There is no such job to run again."))
        return
    out.say(f"{again} {'job runs' if again == 1 else 'jobs run'} again.")

    from ..batch.run import resume
    from .batch import show_batch

    show_batch(
        lambda display, stopped: resume(
            folder, servers=servers, headers=dict(headers), display=display, stopped=stopped
        )
    )


def set_back(folder: Path, names: tuple[str, ...] = (), *, failed: bool = False, not_confirmed: bool = False) -> int:
    """Make the chosen jobs of the batch pending again; returns how many.

    Raises LedgerMissing, LedgerBusy, LedgerUnreadable, OutputUnwritable or UnknownJob.
    """
    from ..batch.ledger import Ledger

    Ledger.read(folder).close()
    with Ledger.open(folder) as ledger:
        return ledger.retry(failed=failed, not_confirmed=not_confirmed, names=names)
