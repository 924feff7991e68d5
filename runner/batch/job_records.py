"""The words of a batch: a job as the user asked for it, what became of it, and how the batch was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..backends.comfy.server import public_url
from ..backends.pool import ServerView
from ..errors import LedgerUnreadable
from ..workflow.input_files import Given
from ..workflow.overrides import Setting

if TYPE_CHECKING:
    from ..report.schemas import RunReport

State = Literal["pending", "leased", "done", "failed"]
"""Waiting; with a worker; finished with results; given up, with an error."""

Verdict = Literal["passed", "not_confirmed", "refused", "unchecked"]
"""What is known about the likeness: same person, not confirmed, the photo cannot be used, or no check in the graph."""

Outcome = Literal["passed", "not_confirmed", "unchecked", "refused", "failed", "released"]
"""How a try ended. Released: through no fault of the job, because its server died or the user stopped the batch."""


@dataclass(frozen=True)
class JobSpec:
    """One job as the inputs describe it. `name` is unique in its batch and safe as a folder's name."""

    name: str
    photos: tuple[Given, ...] = ()
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """One try of a job. `started` is in seconds of the epoch; `outcome` is None while it runs or was cut off.

    A released attempt ended through no fault of the job: the server died, or the user stopped the batch.
    """

    number: int
    server: str
    prompt_id: str | None
    seed: int | None
    started: float
    seconds: float | None = None
    outcome: Outcome | None = None
    score: float | None = None
    error_code: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Planned:
    """A job that is to be in the ledger. Jobs of one `affinity` run best one after another on one server."""

    key: str
    spec: JobSpec
    affinity: str = ""


@dataclass(frozen=True)
class Leased:
    """A job that was handed to a worker.

    `attempt` is the 1-based number of the try that comes next; tries that were released do not count, nor those from
    before a retry, up to number `counted_from` in the ledger. `earlier` are the tries that count. `resume` is a try
    that a kill cut off: its prompt may still run on its server, or be finished there. `released` says how often a
    server's fault sent the job back. `folder` is reserved for this job, relative to the batch's folder, until the next
    plan: no other job of this ledger has it.
    """

    key: str
    spec: JobSpec
    affinity: str
    attempt: int
    folder: str
    resume: Attempt | None = None
    earlier: tuple[Attempt, ...] = ()
    counted_from: int = 0
    released: int = 0


@dataclass(frozen=True)
class JobRow:
    """One job as the ledger has it. `folder` is relative to the batch's folder and there once the job is done.

    `result` is `RunResult.as_dict()` of the attempt that was kept, with files relative to the batch's folder. `page`
    is its report, relative to it as well, where that is not the folder's report.html.
    """

    key: str
    name: str
    spec: JobSpec
    state: State
    verdict: Verdict | None = None
    score: float | None = None
    folder: str | None = None
    server: str | None = None
    seconds: float | None = None
    finished: float | None = None
    error_code: str | None = None
    error: str | None = None
    result: Mapping[str, Any] | None = None
    attempts: tuple[Attempt, ...] = ()
    page: str | None = None

    @cached_property
    def report(self) -> RunReport:
        """The result as a report; an empty one where there is none."""
        from ..report.schemas import RunReport

        return RunReport.read(self.result or {})


@dataclass(frozen=True)
class Counts:
    """How many jobs are in which state, and how many of the finished ones have which verdict."""

    total: int = 0
    pending: int = 0
    leased: int = 0
    done: int = 0
    failed: int = 0
    passed: int = 0
    not_confirmed: int = 0
    refused: int = 0
    unchecked: int = 0

    @property
    def finished(self) -> int:
        """Jobs that nothing more will be done about."""
        return self.done + self.failed


@dataclass(frozen=True)
class BatchView:
    """A running batch at one moment: what the live table draws. Rates count this run only.

    `by_rules`: the workflow judges photos by rules, and nobody's identity.
    """

    counts: Counts
    servers: tuple[ServerView, ...]
    elapsed: float
    per_minute: float | None = None
    seconds_left: float | None = None
    running: tuple[str, ...] = ()
    by_rules: bool = False


@dataclass(frozen=True)
class BatchEvent:
    """Something that happened in a batch, for programs."""

    kind: Literal[
        "left_out",
        "planning",
        "batch_started",
        "job_started",
        "job_retried",
        "job_finished",
        "server_down",
        "server_up",
    ]
    values: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The event for machine output."""
        return {"event": self.kind} | dict(self.values)


@dataclass(frozen=True)
class BatchResult:
    """A finished batch and the files that report it. `jobs_run` of its jobs ran this time, the others before.

    `by_rules`: it judges photos by rules, and nobody's identity. `to_look_at`: jobs whose picture may not be good.
    `saved_nothing`: jobs that ended without an error, a file and a verdict.
    """

    counts: Counts
    jobs_run: int
    seconds: float
    folder: Path
    sheet: Path
    csv: Path
    json: Path
    by_rules: bool = False
    to_look_at: int = 0
    saved_nothing: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The result for machine output."""
        files = {name: str(getattr(self, name)) for name in ("folder", "sheet", "csv", "json")}
        numbers = {
            "jobs_run": self.jobs_run,
            "to_look_at": self.to_look_at,
            "saved_nothing": self.saved_nothing,
            "seconds": round(self.seconds, 3),
        }
        return {"counts": vars(self.counts)} | numbers | files


UNTIL_PASS_ATTEMPTS = 4
"""How often a job is tried until it passes, unless the user says otherwise."""


@dataclass(frozen=True)
class BatchOptions:
    """A batch of `workflow` over `inputs` (a folder, CSV or JSONL) into `output`, on `servers` or in this process.

    `attempts` bounds the tries of a job. With `until_pass` a job whose likeness is not confirmed is tried again with
    a new seed. `in_flight` is how many jobs a server gets at a time. `wait_seconds` is how long the batch goes on
    while no server answers. `headers` go to the servers and are never kept.
    """

    workflow: str
    inputs: Path
    output: Path
    servers: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    attempts: int = 1
    until_pass: bool = False
    in_flight: int = 2
    wait_seconds: float = 300.0
    allow_black: bool = False
    reports: bool = False
    allow_files: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def as_config(self) -> dict[str, Any]:
        """The options as JSON values, with absolute paths, and without headers and logins. Raises BadServerAddress."""
        path = Path(self.workflow).expanduser()
        values = asdict(self) | {
            "workflow": str(path.absolute()) if path.is_file() else self.workflow,
            "inputs": str(self.inputs.absolute()),
            "servers": [server if server.startswith("@") else public_url(server) for server in self.servers],
            "settings": [asdict(setting) for setting in self.settings],
        }
        return {key: value for key, value in values.items() if key not in {"headers", "output"}}

    @classmethod
    def from_config(cls, values: Mapping[str, Any], output: Path, **changes: Any) -> BatchOptions:
        """The options of the batch in `output`, with some of them changed. Raises LedgerUnreadable."""
        try:
            known = dict(values) | {
                "inputs": Path(values["inputs"]),
                "output": output,
                "servers": tuple(values["servers"]),
                "settings": tuple(Setting(**setting) for setting in values["settings"]),
            }
            options = cls(**(known | changes))
            _check_types(options)
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerUnreadable(
                f"The ledger in {output} does not say how the batch was started; give the whole command again."
            ) from error
        return options


MOST = 1_000_000
"""Of anything that a batch's options count."""


def _check_types(options: BatchOptions) -> None:
    """Raise TypeError where an option that a ledger names is of another kind than its default, or beyond reason."""
    words = [options.workflow, *options.servers]
    words += [word for each in options.settings for word in (each.target, each.input, each.value)]
    counted = (options.attempts, options.in_flight)
    switches = (options.until_pass, options.allow_black, options.reports, options.allow_files)
    if not (
        all(isinstance(word, str) for word in words)
        and "\0" not in str(options.inputs)
        and all(isinstance(number, int) and 0 < number <= MOST for number in counted)
        and isinstance(options.wait_seconds, int | float)
        and options.wait_seconds >= 0
        and all(isinstance(switch, bool) for switch in switches)
    ):
        raise TypeError("an option is of the wrong kind")
