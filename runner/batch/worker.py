"""One leased job from its first try to its place in the ledger, at one place."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...nodes.errors import Interrupted, LikenessError
from ..errors import OutputUnwritable
from ..report.sheet import thumbnail_job
from ..result import RunResult, Stopped
from ..session import execute
from ..workflow import Workflow
from .fleet import Fleet, Place
from .job import BatchEvent, Leased, State, Verdict
from .judge import Blame, blame
from .options import BatchOptions
from .seeds import reseeded, seed_for
from .shelf import Shelf, Trial

if TYPE_CHECKING:
    from ..settings import Setting
    from .ledger import Ledger

THUMBS = "thumbs"
"""Subfolder of the batch for the small pictures of its contact sheet."""

MOST_RELEASES = 4
"""How often a job is taken back from a server that failed under it; then it is taken to be the job's own fault."""


@dataclass(frozen=True)
class _Start:
    """A try that is about to begin. `row` is its number in the ledger, `number` counts the tries that count."""

    number: int
    row: int
    prompt_id: str
    seed: int | None
    resume: bool
    folder: Path


@dataclass
class Worker:
    """What all workers of a batch share.

    `graph` gives the workflow with a job's settings. `temp` is a folder for photos on their way.
    """

    options: BatchOptions
    ledger: Ledger
    fleet: Fleet
    shelf: Shelf
    graph: Callable[[tuple[Setting, ...]], Workflow]
    emit: Callable[[BatchEvent], None]
    stopped: Stopped
    give_up: Callable[[LikenessError], None]
    temp: Path

    def work(self, place: Place, job: Leased) -> None:
        """Do a leased job at `place`, and let the place go. Ends with the job done, failed or released."""
        seconds: float | None = None
        began = time.monotonic()
        try:
            self.emit(BatchEvent("job_started", {"name": job.spec.name, "server": place.name, "attempt": job.attempt}))
            seconds = self._tries(place, job, self.graph(job.spec.settings))
        except Interrupted:
            self.ledger.release(job.key, counts=False)
        except LikenessError as error:
            self._failed(place, job, error, time.monotonic() - began)
        finally:
            place.backend.affinity = job.affinity
            self.fleet.give_back(place, seconds)

    def _tries(self, place: Place, job: Leased, workflow: Workflow) -> float | None:
        """Try until the job is finished or the tries are used up; seconds of the last try, None when it failed."""
        best = self._best_before(job)
        number = job.attempt
        while True:
            start = self._start(place, job, number)
            try:
                trial = self._try(place, job, workflow, start)
            except LikenessError as error:
                fault = "stop" if isinstance(error, Interrupted) else blame(error, workflow)
                if fault == "chance" and number < self.options.attempts:
                    self._again(job, start, error)
                    number += 1
                    continue
                if fault not in {"chance", "job"} or best is None:
                    raise
                trial = best
            best = trial if best is None else max(best, trial, key=lambda each: each.rank)
            wanted = self.options.until_pass and trial.verdict == "not_confirmed"
            if trial.number != number or not wanted or number >= self.options.attempts:
                self._done(place, job, best)
                return trial.seconds
            self.ledger.end(job.key, start.row, trial.verdict, score=trial.score, seconds=trial.seconds)
            number += 1

    def _best_before(self, job: Leased) -> Trial | None:
        """The best of the tries that a killed runner has left."""
        kept = self.shelf.earlier(job.folder, [place for place, _ in enumerate(job.earlier, start=1)])
        return max(kept, key=lambda trial: trial.rank, default=None)

    def _start(self, place: Place, job: Leased, number: int) -> _Start:
        """Note in the ledger what will be submitted, before it is: a prompt that a kill cut off is asked for again."""
        cut_off = job.resume if number == job.attempt else None
        if (
            cut_off is not None
            and cut_off.prompt_id is not None
            and cut_off.server == place.name
            and place.backend.resumable
        ):
            prompt_id, seed, resume = cut_off.prompt_id, cut_off.seed, True
        else:
            prompt_id, seed, resume = str(uuid.uuid4()), self._seed(job, number), False
        folder = self.shelf.begin(job.folder, number)
        row = self.ledger.begin(job.key, place.name, prompt_id, seed)
        return _Start(number, row, prompt_id, seed, resume, folder)

    def _seed(self, job: Leased, number: int) -> int | None:
        """The seed of a try: until it passes, a retry goes on to seeds that the tries before it did not have."""
        return seed_for(job.key, number + (job.counted_from if self.options.until_pass else 0))

    def _try(self, place: Place, job: Leased, workflow: Workflow, start: _Start) -> Trial:
        """One try, from the photos to the results."""
        temp = self.temp / start.prompt_id
        try:
            result = execute(
                reseeded(workflow, start.seed),
                place.backend,
                start.folder,
                job.spec.photos,
                stopped=self.stopped,
                temp=temp,
                prompt_id=start.prompt_id,
                resume=start.resume,
            )
            self._report(result, start.folder)
        finally:
            if temp.exists():
                shutil.rmtree(temp, ignore_errors=True)
        return self.shelf.record(job.folder, start.number, result)

    def _report(self, result: RunResult, folder: Path) -> None:
        if self.options.reports:
            from ..report import write_report

            write_report(result, folder)

    def _again(self, job: Leased, start: _Start, error: LikenessError) -> None:
        """Close a try after an error that another try may not have."""
        self.ledger.end(job.key, start.row, "failed", error=error)
        values = {"name": job.spec.name, "attempt": start.number + 1, "error_code": error.code, "error": str(error)}
        self.emit(BatchEvent("job_retried", values))

    def _done(self, place: Place, job: Leased, best: Trial) -> None:
        record = self.shelf.keep(job.folder, best)
        self.ledger.done(
            job.key,
            verdict=best.verdict,
            score=best.score,
            folder=job.folder,
            server=place.name,
            seconds=best.seconds,
            result=record,
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
