"""One job on one backend until it is done: new seeds until the likeness is confirmed, and the best try is kept.

A batch and a service share this. It knows neither a ledger nor a fleet: what must outlive this process is told to a
`Journal` before it happens, and an error that ends the job is raised, for `judge.blame` to say what is to be done.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...core.errors import Interrupted, LikenessError
from ...core.interrupt import Stopped, never
from ..backends.base import Backend, OnEvent, ignore
from ..backends.execute import execute
from ..backends.result import RunResult
from ..workflow.graph import Workflow
from ..workflow.input_files import Given
from .judge import blame
from .keys import reseeded, seed_for
from .result_folders import ResultFolders, Trial


@dataclass(frozen=True)
class CutOff:
    """A try whose end nobody saw, because its runner was killed: it may run at `backend` still, or be done there."""

    backend: str
    prompt_id: str
    seed: int | None = None


@dataclass(frozen=True)
class Task:
    """What is to be done: `workflow` with `photos`; its tries lie in `home`, a folder of the shelf that is its alone.

    `first` is the number of the try that comes next; of those before it the results may be there. New seeds are made
    of `key`: `seeds_used` says how many of them were used up before the tries were counted anew.
    """

    key: str
    workflow: Workflow
    home: str
    photos: Sequence[Given] = ()
    first: int = 1
    seeds_used: int = 0
    cut_off: CutOff | None = None


@dataclass(frozen=True)
class Try:
    """A try that is about to begin: with `resume` the backend is asked for a prompt that it may have already."""

    number: int
    prompt_id: str
    seed: int | None
    resume: bool
    folder: Path


@dataclass(frozen=True)
class Kept:
    """A finished job: its best try, what is known of it with files relative to the shelf, and the last try's time."""

    best: Trial
    record: Mapping[str, Any]
    seconds: float


class Journal(Protocol):
    """Who remembers the tries of one job. What these raise ends the job."""

    def begin(self, attempt: Try) -> None:
        """Note a try before anything of it is submitted: after a kill it can be asked for as a `CutOff`."""
        ...

    def unconfirmed(self, attempt: Try, trial: Trial) -> None:
        """A try has a result that is not the person, and another try follows."""
        ...

    def failed(self, attempt: Try, error: LikenessError) -> None:
        """A try has failed by chance, and another one follows."""
        ...


def nothing_more(result: RunResult, folder: Path) -> None:
    """What is done with the result of a try where nothing more is wanted."""


@dataclass(frozen=True)
class Attempts:
    """How jobs are tried: `most` times, and with `until_pass` also where the likeness is not confirmed.

    `temp` is a folder for photos on their way. `finish` is called with each result and the folder it lies in.
    Safe to use from several threads, each with a task of its own.
    """

    shelf: ResultFolders
    temp: Path
    most: int = 1
    until_pass: bool = False
    finish: Callable[[RunResult, Path], None] = nothing_more

    def run(
        self,
        backend: Backend,
        task: Task,
        journal: Journal,
        on_event: OnEvent = ignore,
        stopped: Stopped = never,
    ) -> Kept:
        """Try until the job is finished or the tries are used up, and make the best one's files the job's.

        An error that another try may not have is tried again, and one that ends the tries is forgotten where an
        earlier try has a result; any other is raised: what the backend, the shelf and the journal raise.
        """
        best = self._best_before(task)
        number = task.first
        while True:
            attempt = self._begin(backend, task, number)
            journal.begin(attempt)
            try:
                trial = self._try(backend, task, attempt, on_event, stopped)
            except Interrupted:
                raise
            except LikenessError as error:
                fault = blame(error, task.workflow)
                if fault == "chance" and number < self.most:
                    journal.failed(attempt, error)
                    number += 1
                    continue
                if fault not in {"chance", "job"} or best is None:
                    raise
                return self._keep(task, best, best.seconds)
            best = trial if best is None else max(best, trial, key=lambda each: each.rank)
            wanted = self.until_pass and trial.verdict == "not_confirmed"
            if not wanted or number >= self.most:
                return self._keep(task, best, trial.seconds)
            journal.unconfirmed(attempt, trial)
            number += 1

    def _best_before(self, task: Task) -> Trial | None:
        """The best of the tries that a killed runner has left."""
        return max(
            self.shelf.earlier(task.home, list(range(1, task.first))), key=lambda trial: trial.rank, default=None
        )

    def _begin(self, backend: Backend, task: Task, number: int) -> Try:
        """What the n-th try will be: the prompt that a kill cut off where the backend may have it, else a new one."""
        folder = self.shelf.begin(task.home, number)
        cut_off = task.cut_off if number == task.first else None
        if cut_off is not None and backend.resumable and cut_off.backend == backend.name:
            return Try(number, cut_off.prompt_id, cut_off.seed, True, folder)
        return Try(number, str(uuid.uuid4()), self._seed(task, number), False, folder)

    def _seed(self, task: Task, number: int) -> int | None:
        """The seed of a try: until it passes, a retry goes on to seeds that the tries before it did not have."""
        return seed_for(task.key, number + (task.seeds_used if self.until_pass else 0))

    def _try(self, backend: Backend, task: Task, attempt: Try, on_event: OnEvent, stopped: Stopped) -> Trial:
        """One try, from the photos to the results."""
        temp = self.temp / attempt.prompt_id
        try:
            result = execute(
                reseeded(task.workflow, attempt.seed),
                backend,
                attempt.folder,
                task.photos,
                on_event,
                stopped,
                temp=temp,
                prompt_id=attempt.prompt_id,
                resume=attempt.resume,
            )
            self.finish(result, attempt.folder)
        finally:
            if temp.exists():
                shutil.rmtree(temp, ignore_errors=True)
        return self.shelf.record(task.home, attempt.number, result)

    def _keep(self, task: Task, best: Trial, seconds: float) -> Kept:
        return Kept(best, self.shelf.keep(task.home, best), seconds)
