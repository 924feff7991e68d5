"""One leased job from its place in the fleet to its place in the ledger: what a batch adds to `attempts`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import Interrupted, LikenessError
from ...core.interrupt import Stopped
from ..backends.pool import Fleet, Place
from ..backends.result import RunResult
from ..errors import OutputUnwritable
from ..workflow.graph import Workflow
from .attempts import Attempts, CutOff, Kept, Task, Try
from .contact_sheet import thumbnail_job
from .job_records import BatchEvent, BatchOptions, Leased, State, Verdict
from .judge import Blame, blame
from .result_folders import ResultFolders, Trial

if TYPE_CHECKING:
    from ..workflow.overrides import Setting
    from .ledger import Ledger

THUMBS = "thumbs"
"""Subfolder of the batch for the small pictures of its contact sheet."""

MOST_RELEASES = 4
"""How often a job is taken back from a server that failed under it; then it is taken to be the job's own fault."""


@dataclass
class _LedgerJournal:
    """Notes the tries of one job in the ledger, and tells of those that failed."""

    ledger: Ledger
    emit: Callable[[BatchEvent], None]
    job: Leased
    server: str
    row: int = 0

    def begin(self, attempt: Try) -> None:
        """Open a row."""
        self.row = self.ledger.begin(self.job.key, self.server, attempt.prompt_id, attempt.seed)

    def unconfirmed(self, attempt: Try, trial: Trial) -> None:
        """Close the row with the verdict."""
        self.ledger.end(self.job.key, self.row, trial.verdict, score=trial.score, seconds=trial.seconds)

    def failed(self, attempt: Try, error: LikenessError) -> None:
        """Close the row with the error."""
        self.ledger.end(self.job.key, self.row, "failed", error=error)
        values = {"name": self.job.spec.name, "attempt": attempt.number + 1}
        self.emit(BatchEvent("job_retried", values | {"error_code": error.code, "error": str(error)}))


@dataclass
class Worker:
    """What all workers of a batch share.

    `graph` gives the workflow with a job's settings. `temp` is a folder for photos on their way.
    """

    options: BatchOptions
    ledger: Ledger
    fleet: Fleet
    shelf: ResultFolders
    graph: Callable[[tuple[Setting, ...]], Workflow]
    emit: Callable[[BatchEvent], None]
    stopped: Stopped
    give_up: Callable[[LikenessError], None]
    temp: Path

    def __post_init__(self) -> None:
        self._attempts = Attempts(
            self.shelf, self.temp, self.options.attempts, self.options.until_pass, finish=self._report
        )

    def work(self, place: Place, job: Leased) -> None:
        """Do a leased job at `place`, and let the place go. Ends with the job done, failed or released."""
        seconds: float | None = None
        began = time.monotonic()
        try:
            self.emit(BatchEvent("job_started", {"name": job.spec.name, "server": place.name, "attempt": job.attempt}))
            seconds = self._run(place, job, self.graph(job.spec.settings))
        except Interrupted:
            self.ledger.release(job.key, counts=False)
        except LikenessError as error:
            self._failed(place, job, error, time.monotonic() - began)
        finally:
            place.backend.affinity = job.affinity
            self.fleet.give_back(place, seconds)

    def _run(self, place: Place, job: Leased, workflow: Workflow) -> float:
        """Try the job until it is finished, and put it into the ledger; seconds of the last try."""
        task = Task(
            job.key,
            workflow,
            job.folder,
            job.spec.photos,
            first=job.attempt,
            seeds_used=job.counted_from,
            cut_off=_cut_off(job),
        )
        journal = _LedgerJournal(self.ledger, self.emit, job, place.name)
        kept = self._attempts.run(place.backend, task, journal, stopped=self.stopped)
        self._done(place, job, kept)
        return kept.seconds

    def _report(self, result: RunResult, folder: Path) -> None:
        if self.options.reports:
            from ..report import write_report

            write_report(result, folder)

    def _done(self, place: Place, job: Leased, kept: Kept) -> None:
        best = kept.best
        self.ledger.done(
            job.key,
            verdict=best.verdict,
            score=best.score,
            folder=job.folder,
            server=place.name,
            seconds=best.seconds,
            result=kept.record,
        )
        self._finished(job, "done", best.verdict, score=best.score, seconds=round(best.seconds, 3), server=place.name)

    def _failed(self, place: Place, job: Leased, error: LikenessError, seconds: float) -> None:
        """Put a failed job where it belongs: back into the queue, or to those that are given up."""
        fault = blame(error, self._graph_of(job))
        if fault in {"server", "unsuited"} and self._taken_back(place, job, error, fault):
            return
        if fault == "disk":
            self.give_up(error)
            self.ledger.release(job.key, error=error, counts=False)
            return
        verdict: Verdict | None = "refused" if fault == "photo" else None
        self.shelf.drop(job.folder)
        if self.ledger.forget_replaced(job.folder):
            self.shelf.vacate(job.folder)
        self.ledger.failed(job.key, error=error, verdict=verdict, server=place.name, seconds=seconds)
        self._finished(job, "failed", verdict, error_code=error.code, error=str(error), server=place.name)

    def _taken_back(self, place: Place, job: Leased, error: LikenessError, fault: Blame) -> bool:
        """Give the job to another server, unless that was done too often.

        A server that lacks what the workflow needs gets no more jobs; one that lacks what only this job needs does.
        """
        alone = fault == "unsuited" and bool(job.spec.settings)
        if not alone:
            self.fleet.trip(place, error, unsuited=fault == "unsuited")
        counts = alone or fault == "server"
        if counts and job.released + 1 >= MOST_RELEASES:
            return False
        self.ledger.release(job.key, error=error, counts=counts)
        self.emit(BatchEvent("job_retried", {"name": job.spec.name, "error_code": error.code, "error": str(error)}))
        return True

    def _graph_of(self, job: Leased) -> Workflow | None:
        with suppress(LikenessError):
            return self.graph(job.spec.settings)
        return None

    def _finished(self, job: Leased, state: State, verdict: Verdict | None, **values: object) -> None:
        row = self.ledger.row(job.key)
        try:
            if row is not None:
                thumbnail_job(row, self.options.output, self.options.output / THUMBS)
        except OutputUnwritable as error:
            self.give_up(error)
        self.emit(BatchEvent("job_finished", {"name": job.spec.name, "state": state, "verdict": verdict, **values}))


def _cut_off(job: Leased) -> CutOff | None:
    """The try of a job that a kill cut off, as far as it can be asked for."""
    found = job.resume
    return CutOff(found.server, found.prompt_id, found.seed) if found is not None and found.prompt_id else None
