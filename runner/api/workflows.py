"""Workflows: one run with its report, many as a batch, and every combination of some values as a comparison."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.interrupt import Stopped, stoppable
from ..backends.base import Backend, OnEvent, ignore
from ..backends.result import RunResult
from ..workflow.input_files import files_of
from ..workflow.overrides import Settings, settings_of

if TYPE_CHECKING:
    from ..batch.deliver import Collected
    from ..batch.job_records import BatchEvent, BatchResult, BatchView, JobRow
    from ..batch.overview import Overview
    from ..compare import CompareResult
    from ..report.schemas import RunReport
    from ..workflow.graph import Workflow
    from ..workflow.input_files import Given, Photos

    OnBatchEvent = Callable[[BatchEvent], None]
    OnView = Callable[[BatchView], None]


@dataclass(frozen=True)
class Finished:
    """A finished run: the result as it came, its report read once, and the two files that show it."""

    result: RunResult
    report: RunReport
    html: Path
    json: Path

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return self.report.as_dict() | {"report": {"html": str(self.html), "json": str(self.json)}}


def run(
    workflow: str | Path | Workflow,
    inputs: Photos | Iterable[Given] = (),
    output: str | Path | None = None,
    *,
    server: str | None = None,
    settings: Settings = (),
    headers: Mapping[str, str] | None = None,
    allow_black: bool = False,
    allow_files: bool = False,
    on_event: OnEvent = ignore,
    stopped: Stopped | None = None,
) -> Finished:
    """Run a workflow (a file, or the name of a bundled one) and write report.html and report.json beside its pictures.

    `inputs`: photos in the order of the workflow's nodes, or by the title of the node they are for. `output`: a folder,
    else output/NAME. `server`: a ComfyUI server's URL or @NAME; without it the workflow runs in this process.
    `allow_files`: photos beside the workflow or in ./input are read because it names them. Raises FilesNotAllowed,
    Misuse, OutputUnwritable, and what reading the workflow, its settings, its photos and the run raise.
    """
    from ..backends.execute import BackendOptions, connect
    from ..workflow.graph import Workflow
    from ..workflow.overrides import apply_settings

    chosen, photos = settings_of(settings), files_of(inputs)
    with closing(connect(server, BackendOptions(headers=headers, allow_black=allow_black))) as backend:
        graph = workflow.copy() if isinstance(workflow, Workflow) else backend.load(workflow)
        graph.allowing_files(allow_files)
        if chosen:
            apply_settings(graph, chosen, backend.catalog())
        folder = Path("output") / graph.name if output is None else Path(output)
        return run_once(graph, backend, folder, photos, on_event, stopped)


Arrange = Callable[[RunResult], tuple[Path, str]]
"""Moves the files of a result, and says in which folder its report belongs, and what the page is called there."""


def run_once(
    workflow: Workflow,
    backend: Backend,
    output: Path,
    photos: Sequence[Given] = (),
    on_event: OnEvent = ignore,
    stopped: Stopped | None = None,
    *,
    arrange: Arrange | None = None,
) -> Finished:
    """The same on a place that is open already, with a workflow that is ready to run.

    `arrange` moves the result's files to where they belong; its report then is theirs.
    """
    from ..backends.execute import check_writable, execute
    from ..report import HTML_NAME, write_report
    from ..report.schemas import RunReport

    check_writable(output)
    with tempfile.TemporaryDirectory(prefix="likeness-", ignore_cleanup_errors=True) as temp:
        result = stoppable(
            lambda stopped: execute(workflow, backend, output, photos, on_event, stopped, temp=Path(temp)), stopped
        )
        folder, name = (output, HTML_NAME) if arrange is None else arrange(result)
        report = RunReport.of(result)
        html, json = write_report(result, folder.absolute(), report, name)
    return Finished(result, report, html, json)


class _Callbacks:
    """A batch's display that hands on what happens."""

    def __init__(self, on_event: OnBatchEvent, on_view: OnView) -> None:
        self._on_event, self._on_view = on_event, on_view

    def event(self, event: BatchEvent) -> None:
        self._on_event(event)

    def update(self, view: BatchView) -> None:
        self._on_view(view)


def run_batch(
    workflow: str | Path,
    inputs: str | Path,
    output: str | Path,
    *,
    servers: Iterable[str] = (),
    settings: Settings = (),
    attempts: int | None = None,
    until_pass: bool = False,
    in_flight: int = 2,
    wait_seconds: float = 300.0,
    reports: bool = False,
    allow_black: bool = False,
    allow_files: bool = False,
    headers: Mapping[str, str] | None = None,
    on_event: OnBatchEvent = lambda event: None,
    on_view: OnView = lambda view: None,
    stopped: Stopped | None = None,
) -> BatchResult:
    """Run a workflow over a folder of photos, or a CSV or JSONL table, into the folder `output`.

    The same call again goes on where the last one ended. `until_pass`: a job is tried again with a new seed until the
    likeness is confirmed, `attempts` (4) times at most. `on_view` gets the whole batch four times a second. Raises
    Misuse, BadServerAddress, and what `likeness_studio.runner.batch.run_batch` raises.
    """
    from ..batch import run as batches
    from ..batch.job_records import UNTIL_PASS_ATTEMPTS, BatchOptions

    options = BatchOptions(
        workflow=str(workflow),
        inputs=Path(inputs),
        output=Path(output),
        servers=distinct(servers),
        settings=settings_of(settings),
        attempts=attempts or (UNTIL_PASS_ATTEMPTS if until_pass else 1),
        until_pass=until_pass,
        in_flight=in_flight,
        wait_seconds=wait_seconds,
        allow_black=allow_black,
        allow_files=allow_files,
        reports=reports,
        headers=dict(headers or {}),
    )
    display = _Callbacks(on_event, on_view)
    return stoppable(lambda stopped: batches.run_batch(options, display, stopped), stopped)


def retry_batch(
    folder: str | Path,
    names: Iterable[str] = (),
    *,
    failed: bool = False,
    not_confirmed: bool = False,
    servers: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
    on_chosen: Callable[[int], None] = lambda count: None,
    on_event: OnBatchEvent = lambda event: None,
    on_view: OnView = lambda view: None,
    stopped: Stopped | None = None,
) -> BatchResult | None:
    """Run jobs of the batch in `folder` again: those called `names`, and all that failed or were not confirmed.

    Everything else is as it was when the batch was started; other `servers` may be given. `on_chosen` is told how many
    jobs run again; None where there is no such job. Raises LedgerMissing, LedgerBusy, LedgerUnreadable,
    OutputUnwritable, UnknownJob, and what running the batch raises.
    """
    from ..batch import run as batches

    place = Path(folder)
    again = set_back(place, tuple(names), failed=failed, not_confirmed=not_confirmed)
    if not again:
        return None
    on_chosen(again)
    display, chosen = _Callbacks(on_event, on_view), tuple(servers)
    return stoppable(
        lambda stopped: batches.resume(
            place, servers=chosen, headers=dict(headers or {}), display=display, stopped=stopped
        ),
        stopped,
    )


def set_back(folder: Path, names: tuple[str, ...] = (), *, failed: bool = False, not_confirmed: bool = False) -> int:
    """Make the chosen jobs of the batch pending again; returns how many.

    Raises LedgerMissing, LedgerBusy, LedgerUnreadable, OutputUnwritable or UnknownJob.
    """
    from ..batch.ledger import Ledger

    Ledger.read(folder).close()
    with Ledger.open(folder) as ledger:
        return ledger.retry(failed=failed, not_confirmed=not_confirmed, names=names)


@dataclass(frozen=True)
class BatchStatus:
    """A batch at one moment, also while it runs, and its jobs that failed, where they were asked for."""

    overview: Overview
    failed: tuple[JobRow, ...]

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return self.overview.as_dict()


def batch_status(folder: str | Path, *, failed: bool = False) -> BatchStatus:
    """How the batch in `folder` is getting on; with `failed` also each job that failed.

    Raises LedgerMissing and LedgerUnreadable.
    """
    from ..batch.ledger import Ledger
    from ..batch.overview import overview

    with Ledger.read(Path(folder)) as ledger:
        return BatchStatus(overview(ledger), tuple(ledger.rows(state="failed")) if failed else ())


def collect_pictures(
    folder: str | Path,
    output: str | Path | None = None,
    *,
    name: str | None = None,
    unconfirmed: bool = False,
    archive: bool = False,
) -> Collected:
    """Copy the pictures of the batch in `folder` into one folder, under the names of their photos.

    `output`: that folder, else `pictures` inside the batch's. `name`: what they are called, such as ``{name}.jpg``;
    another ending saves them anew in that format. Those that are not confirmed are left out, unless `unconfirmed`.
    `archive`: also a ZIP of them. The same call again adds what is new; no file is replaced. Raises Misuse,
    LedgerMissing, LedgerUnreadable, OutputUnwritable, and what reading a picture raises.
    """
    from ..batch.deliver import PICTURES, NamePattern, collect_rows
    from ..batch.ledger import Ledger

    pattern, batch = NamePattern() if name is None else NamePattern(name), Path(folder)
    with Ledger.read(batch) as ledger:
        rows = list(ledger.rows())
    target = batch / PICTURES if output is None else Path(output)
    return collect_rows(rows, batch, target, pattern, unconfirmed=unconfirmed, archive=archive)


def compare(
    workflow: str | Path,
    vary: Iterable[str],
    output: str | Path,
    inputs: Photos | Iterable[Given] = (),
    *,
    seeds: Iterable[int] = (),
    servers: Iterable[str] = (),
    settings: Settings = (),
    in_flight: int = 2,
    wait_seconds: float = 300.0,
    allow_black: bool = False,
    allow_files: bool = False,
    headers: Mapping[str, str] | None = None,
    on_event: OnBatchEvent = lambda event: None,
    on_view: OnView = lambda view: None,
    stopped: Stopped | None = None,
) -> CompareResult:
    """Run a workflow with every combination of values, ``"Title.input=a,b,c"``, and write compare.html, .csv and .json.

    The same call again goes on where the last one ended. With `seeds` each combination runs once with each. Raises
    Misuse, BadServerAddress, and what `likeness_studio.runner.compare.compare` raises.
    """
    from ..compare import CompareOptions
    from ..compare.run import compare as compare_all

    options = CompareOptions(
        workflow=str(workflow),
        vary=tuple(vary),
        output=Path(output),
        photos=tuple(files_of(inputs)),
        seeds=tuple(seeds),
        servers=distinct(servers),
        settings=settings_of(settings),
        in_flight=in_flight,
        wait_seconds=wait_seconds,
        allow_black=allow_black,
        allow_files=allow_files,
        headers=dict(headers or {}),
    )
    display = _Callbacks(on_event, on_view)
    return stoppable(lambda stopped: compare_all(options, display, stopped), stopped)


def distinct(servers: Iterable[str]) -> tuple[str, ...]:
    """The servers in order, each once however it is written. Raises BadServerAddress."""
    from ..backends.comfy.server import normal_url

    return tuple({normal_url(server): server for server in reversed(tuple(servers))}.values())[::-1]
