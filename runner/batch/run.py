"""A batch from its inputs to its contact sheet: plan the jobs, hand them out, survive what happens, report."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ...core.errors import Interrupted, LikenessError
from ...core.interrupt import Stopped, never
from ..backends import Backend, BackendOptions, connect
from ..backends.backoff import OutageWait
from ..backends.execute import check_writable
from ..backends.pool import Fleet, Place
from ..errors import BatchInputsInvalid, NoServer, ServerUnreachable, WorkflowInvalid
from ..workflow.graph import Workflow
from ..workflow.input_files import search_folders
from ..workflow.object_info import MODEL_SUFFIXES
from ..workflow.overrides import Setting, apply_settings
from ..workflow.validate import refuse_unknown
from .contact_sheet import write_sheet
from .deliver import PICTURES
from .inputs import LINES, TABLES, Faults, read_inputs
from .job_records import BatchEvent, BatchOptions, BatchResult, BatchView, JobSpec, Planned
from .judge import judges_by_rules
from .keys import AWAY, batch_keys, file_hash, require_seeds
from .ledger import Ledger
from .result_folders import ResultFolders
from .verdict_tables import write_verdicts
from .worker import THUMBS, Worker

VIEW_SECONDS = 0.25
"""How often the display gets a new view."""

PLANNING_SECONDS = 1.0
"""How often the reading of the photos says how far it is."""

RATE_JOBS = 100
"""The rate and the time left are made of this many last jobs."""

JOB_SERVER_SECONDS = 5.0
"""How long a job waits for a server that went away under it, before another one takes the job."""

NAMES_TOLD = 20
"""More files than this that are no photos are counted instead of named."""

GRAPHS_KEPT = 256
"""How many graphs with settings of their own are kept for the jobs that share them."""

T = TypeVar("T")


class Display(Protocol):
    """Where a running batch shows itself."""

    def update(self, view: BatchView) -> None:
        """Draw the batch as it is now."""
        ...

    def event(self, event: BatchEvent) -> None:
        """Tell what has happened."""
        ...


class Silent:
    """A display that shows nothing."""

    def update(self, view: BatchView) -> None:
        """Nothing."""

    def event(self, event: BatchEvent) -> None:
        """Nothing."""


def run_batch(options: BatchOptions, display: Display | None = None, stopped: Stopped = never) -> BatchResult:
    """Run every job of a batch that is not done yet, and report on all of them.

    The same call again goes on where the last one ended, however it ended. Raises LedgerBusy, LedgerUnreadable,
    BatchInputsInvalid, NoServer, NothingToVary, OutputUnwritable, Interrupted, and what reading the workflow and the
    preflight raise; what is wrong with a single job does not end the batch.
    """
    inputs = read_inputs(options.inputs)
    check_writable(options.output)
    display = display or Silent()
    if inputs.left_out:
        names = [path.name for path in inputs.left_out[:NAMES_TOLD]]
        display.event(BatchEvent("left_out", {"count": len(inputs.left_out), "names": names}))
    with Ledger.open(options.output) as ledger:
        return _Batch(options, inputs.jobs, ledger, display, stopped).run()


def resume(
    folder: Path,
    *,
    servers: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    display: Display | None = None,
    stopped: Stopped = never,
) -> BatchResult:
    """Run what is left of the batch in `folder` as it was started; other `servers` may be given. See `run_batch`."""
    with Ledger.read(folder) as ledger:
        config = ledger.config
    changes: dict[str, Any] = {"servers": tuple(servers)} if servers else {}
    options = BatchOptions.from_config(config, folder, headers=dict(headers or {}), **changes)
    return run_batch(options, display, stopped)


class _Reader:
    """Hashes photos for the plan, says how far it is where that takes long, and ends when the user stops."""

    def __init__(self, batch: _Batch, jobs: int) -> None:
        self._batch, self._jobs = batch, jobs
        self._read, self._next = 0, time.monotonic() + PLANNING_SECONDS

    def __call__(self, path: Path) -> str:
        self._read += 1
        if self._batch.user_stopped():
            raise Interrupted("The batch was stopped; the same command goes on with it.")
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PLANNING_SECONDS
            self._batch.emit(BatchEvent("planning", {"photos_read": self._read, "jobs": self._jobs}))
        return file_hash(path, self._batch.ledger)


def affinity(spec: JobSpec) -> str:
    """The models that a job's own settings choose: jobs with the same ones run best one after another."""
    return " ".join(
        sorted(setting.value for setting in spec.settings if setting.value.lower().endswith(MODEL_SUFFIXES))
    )


class _Batch:
    """One pass of a batch."""

    def __init__(
        self, options: BatchOptions, specs: Sequence[JobSpec], ledger: Ledger, display: Display, stopped: Stopped
    ) -> None:
        self.options, self.specs, self.ledger, self.display = options, specs, ledger, display
        self.shelf = ResultFolders(options.output)
        self.began = time.monotonic()
        self.user_stopped = stopped
        self._fatal: LikenessError | None = None
        self._broken_off = False
        self._answered: Backend | None = None
        self._ended: deque[float] = deque(maxlen=RATE_JOBS)
        self._running: dict[Future[None], str] = {}
        self._events = threading.Lock()
        self._shown = 0.0
        self._before = 0
        self.graph = lru_cache(GRAPHS_KEPT)(self._graph)

    def run(self) -> BatchResult:
        self.backends = self._connect()
        try:
            self.workflow = self._patiently(self._load)
            fleet = Fleet([Place(backend) for backend in self.backends], self._changed)
        except BaseException:
            for backend in self.backends:
                backend.close()
            raise
        try:
            self._plan()
            with tempfile.TemporaryDirectory(prefix="likeness-", ignore_cleanup_errors=True) as temp:
                self._dispatch(fleet, Path(temp))
        finally:
            fleet.close()
        self.shelf.clear()
        return self._report()

    def _connect(self) -> list[Backend]:
        options = BackendOptions(
            headers=self.options.headers,
            capacity=self.options.in_flight,
            outage_seconds=JOB_SERVER_SECONDS,
            allow_black=self.options.allow_black,
        )
        return [connect(server, options) for server in self.options.servers or [None]]

    def _load(self) -> Workflow:
        workflow = self._ask(lambda backend: self._applied(backend.load(self.options.workflow), backend))
        for backend in self.backends:
            if not backend.remote:
                refuse_unknown(workflow, backend.catalog())
        if self.options.until_pass:
            require_seeds(workflow)
        return workflow

    def _graph(self, settings: tuple[Setting, ...]) -> Workflow:
        """The workflow with a job's own settings."""
        if not settings:
            return self.workflow
        return self._ask(lambda backend: self._applied(self.workflow.copy(), backend, settings))

    def _applied(self, workflow: Workflow, backend: Backend, settings: Sequence[Setting] | None = None) -> Workflow:
        """`workflow` with some settings, or else with those of the whole batch."""
        chosen = self.options.settings if settings is None else settings
        if chosen:
            apply_settings(workflow, chosen, backend.catalog())
        return workflow.allowing_files(self.options.allow_files)

    def _ask(self, question: Callable[[Backend], T]) -> T:
        """What the first server says that can answer; the one that did the last time comes first.

        Raises what was said against the workflow, or else that the servers do not answer.
        """
        problem: LikenessError | None = None
        for backend in sorted(self.backends, key=lambda backend: backend is not self._answered):
            try:
                answer = question(backend)
            except LikenessError as error:
                if problem is None or isinstance(problem, AWAY):
                    problem = error
                continue
            self._answered = backend
            return answer
        assert problem is not None
        raise problem

    def _patiently(self, work: Callable[[], T]) -> T:
        """`work`, begun again while no server answers, as long as the batch may wait for one."""
        patience = OutageWait(self.options.wait_seconds, self.user_stopped)
        while True:
            try:
                return work()
            except ServerUnreachable:
                if not patience.pause():
                    raise

    def _plan(self) -> None:
        specs = self.specs
        if self.options.inputs.suffix.lower() in TABLES | LINES:
            self._check_rows()
        reader = _Reader(self, len(specs))
        keys = self._patiently(lambda: batch_keys(specs, self.graph, reader, search_folders(self.workflow)))
        jobs = [Planned(key, spec, affinity(spec)) for key, spec in zip(keys, specs, strict=True)]
        self.ledger.config = self.options.as_config()
        self.ledger.recover()
        counts = self.ledger.plan(jobs, reserved=[THUMBS, PICTURES])
        self._before = counts.finished
        self.emit(BatchEvent("batch_started", {"jobs": counts.total, "pending": counts.pending}))

    def _check_rows(self) -> None:
        """Refuse a table whose settings or titles do not fit the workflow, with all that is wrong, before any job.

        A photo that is missing is no fault of the table: its job fails, and the others run.
        """
        faults = Faults(self.options.inputs)
        for spec in self.specs:
            try:
                workflow = self.graph(spec.settings)
                for given in spec.photos:
                    if given.target is not None and given.path.exists():
                        workflow.find(given.target)
            except AWAY:
                return
            except LikenessError as error:
                problems = error.problems if isinstance(error, WorkflowInvalid) else [error]
                faults.found += [BatchInputsInvalid(f"{spec.name}: {problem}") for problem in problems]
        faults.raise_all()

    def _dispatch(self, fleet: Fleet, temp: Path) -> None:
        """Hand out jobs until none is left, the user stops, or something ends the batch."""
        worker = Worker(
            self.options, self.ledger, fleet, self.shelf, self.graph, self.emit, self._stopped, self._give_up, temp
        )
        size = sum(place.capacity for place in fleet.places)
        with ThreadPoolExecutor(size, thread_name_prefix="likeness-worker") as pool:
            try:
                while self._hand_out(fleet, worker, pool) or self._running:
                    fleet.changed.wait(VIEW_SECONDS)
                    fleet.changed.clear()
                    self._collect()
                    self._show(fleet)
                    self._look_after(fleet)
            except BaseException:
                self._broken_off = True
                raise
        if self._fatal is not None:
            raise self._fatal
        if self.user_stopped():
            raise Interrupted("The batch was stopped; the same command goes on with it.")

    def _hand_out(self, fleet: Fleet, worker: Worker, pool: ThreadPoolExecutor) -> bool:
        """Fill all places, unless the batch is to stop; whether jobs are left that wait for one."""
        if self._stopped():
            return False
        while (place := fleet.take()) is not None:
            job = self.ledger.lease(place.name, place.backend.affinity)
            if job is None:
                fleet.give_back(place)
                fleet.changed.clear()
                return False
            self._running[pool.submit(worker.work, place, job)] = job.spec.name
        return self.ledger.has_pending()

    def _collect(self) -> None:
        for future in [future for future in self._running if future.done()]:
            del self._running[future]
            self._ended.append(time.monotonic())
            error = future.exception()
            if isinstance(error, LikenessError):
                self._give_up(error)
            elif error is not None:
                raise error

    def _look_after(self, fleet: Fleet) -> None:
        """End the batch when no server is left to wait for."""
        names = ", ".join(place.name for place in fleet.places)
        reasons = " ".join(str(place.error) for place in fleet.places if place.error)
        if fleet.hopeless:
            self._give_up(NoServer(f"None of the servers can run the workflow ({names}): {reasons}"))
        elif fleet.down_for > self.options.wait_seconds:
            self._give_up(
                NoServer(
                    f"None of the servers has answered for {self.options.wait_seconds:g} s ({names}); start one, then "
                    f"run the same command again to go on. {reasons}"
                )
            )

    def _give_up(self, error: LikenessError) -> None:
        self._fatal = self._fatal or error

    def _stopped(self) -> bool:
        return self._broken_off or self._fatal is not None or self.user_stopped()

    def _changed(self, place: Place) -> None:
        if place.error is not None:
            self.emit(BatchEvent("server_down", {"server": place.name, "error": str(place.error)}))
        else:
            self.emit(BatchEvent("server_up", {"server": place.name}))

    def emit(self, event: BatchEvent) -> None:
        with self._events:
            self.display.event(event)

    def _show(self, fleet: Fleet) -> None:
        now = time.monotonic()
        if now - self._shown >= VIEW_SECONDS:
            self._shown = now
            self.display.update(self._view(fleet))

    def _view(self, fleet: Fleet) -> BatchView:
        counts = self.ledger.counts()
        rate = self._rate()
        return BatchView(
            counts=counts,
            servers=fleet.views(),
            elapsed=time.monotonic() - self.began,
            per_minute=None if rate is None else 60 * rate,
            seconds_left=None if rate is None else (counts.pending + counts.leased) / rate,
            running=tuple(self._running.values()),
            by_rules=judges_by_rules(self.workflow),
        )

    def _rate(self) -> float | None:
        """Jobs per second of late."""
        if len(self._ended) < 2:
            return None
        return (len(self._ended) - 1) / max(time.monotonic() - self._ended[0], 1e-6)

    def _report(self) -> BatchResult:
        folder, counts = self.options.output, self.ledger.counts()
        tables = write_verdicts(self.ledger.rows(), folder)
        sheet = write_sheet(self.ledger.rows(), folder, title=self.workflow.name, counts=counts, thumbs=folder / THUMBS)
        seconds, by_rules = time.monotonic() - self.began, judges_by_rules(self.workflow)
        files = {"folder": folder, "sheet": sheet, "csv": tables.csv, "json": tables.json}
        return BatchResult(
            counts,
            counts.finished - self._before,
            seconds,
            **files,
            by_rules=by_rules,
            to_look_at=tables.to_look_at,
            saved_nothing=tables.saved_nothing,
        )
