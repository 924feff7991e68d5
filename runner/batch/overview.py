"""What can be said about a batch from its ledger alone, while a runner is at work or afterwards."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from .job_records import Counts, JobSpec
from .ledger import Ledger
from .ledger_tables import plain, spec_from_text

OWN = "…"
"""Stands for a job's own file in a message of several jobs."""

WINDOW_SECONDS = 900.0
"""The rate is that of the last quarter of an hour: what the batch does now, not what it did at its start."""


@dataclass(frozen=True)
class ServerWork:
    """What one server did for the batch. `tries` are those that ended there; `lost` those that its faults cut off."""

    url: str
    running: int
    tries: int
    lost: int
    median_seconds: float | None
    last_error: str | None


@dataclass(frozen=True)
class Failure:
    """Jobs that failed for one reason. `message` has `OWN` for each job's own file where the messages differ in it."""

    code: str
    message: str
    jobs: tuple[str, ...]


@dataclass(frozen=True)
class NotConfirmed:
    """A job whose picture is not confirmed to be the person, with its similarity."""

    name: str
    score: float | None


@dataclass(frozen=True)
class Overview:
    """A batch at one moment. Rates are in jobs a minute and are there while a runner is at work."""

    folder: str
    workflow: str | None
    active: bool
    counts: Counts
    per_minute: float | None
    seconds_left: float | None
    servers: tuple[ServerWork, ...]
    failures: tuple[Failure, ...]
    not_confirmed: tuple[NotConfirmed, ...]

    def as_dict(self) -> dict[str, Any]:
        """The overview for machine output."""
        return asdict(self)


def overview(ledger: Ledger) -> Overview:
    """Look at a batch. Raises LedgerUnreadable."""
    active, counts = ledger.active, ledger.counts()
    per_minute = _per_minute(ledger) if active else None
    waiting = counts.pending + counts.leased
    workflow = ledger.config.get("workflow")
    return Overview(
        folder=str(ledger.folder),
        workflow=None if workflow is None else str(workflow),
        active=active,
        counts=counts,
        per_minute=per_minute,
        seconds_left=60 * waiting / per_minute if per_minute else None,
        servers=tuple(_servers(ledger, active)),
        failures=tuple(_failures(ledger)),
        not_confirmed=tuple(
            NotConfirmed(row["name"], row["score"])
            for row in ledger.query(
                "SELECT name, score FROM jobs WHERE place NOTNULL AND verdict = 'not_confirmed'"
                " ORDER BY score IS NULL, score DESC, place"
            )
        ),
    )


def _per_minute(ledger: Ledger) -> float | None:
    now = time.time()
    since = max(ledger.runner_started, now - WINDOW_SECONDS)
    query = "SELECT count(*) AS jobs FROM jobs WHERE finished > ? AND place NOTNULL"
    finished = ledger.query(query, [since])[0]["jobs"]
    return 60 * finished / max(now - since, 0.001) if finished else None


def _servers(ledger: Ledger, active: bool) -> Iterable[ServerWork]:
    seconds: dict[str, list[float]] = {}
    for row in ledger.query(
        "SELECT server, seconds FROM attempts WHERE outcome <> 'released' AND outcome <> 'failed' AND seconds NOTNULL"
    ):
        seconds.setdefault(row["server"], []).append(row["seconds"])
    for row in ledger.query(
        "SELECT attempts.server, sum(outcome NOTNULL AND outcome <> 'released') AS tries,"
        " sum(outcome IS 'released' AND attempts.error_code NOTNULL) AS lost,"
        " sum(outcome IS NULL AND state = 'leased') AS running,"
        " (SELECT latest.error FROM attempts AS latest WHERE latest.server = attempts.server AND latest.error NOTNULL"
        "  ORDER BY latest.started DESC LIMIT 1) AS last_error"
        " FROM attempts JOIN jobs ON jobs.id = job GROUP BY attempts.server ORDER BY attempts.server"
    ):
        times = seconds.get(row["server"])
        yield ServerWork(
            url=row["server"],
            running=row["running"] if active else 0,
            tries=row["tries"],
            lost=row["lost"],
            median_seconds=median(times) if times else None,
            last_error=row["last_error"],
        )


def _failures(ledger: Ledger) -> Iterable[Failure]:
    """Jobs whose errors say the same but for the job's own files, the most frequent reason first."""
    reasons: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in ledger.query(
        "SELECT name, spec, error_code, error FROM jobs WHERE place NOTNULL AND state = 'failed' ORDER BY place"
    ):
        message = row["error"] or ""
        reason = row["error_code"] or "", _without_files(message, spec_from_text(row["name"], row["spec"]))
        reasons.setdefault(reason, []).append((row["name"], message))
    for (code, reason), jobs in sorted(reasons.items(), key=lambda entry: -len(entry[1])):
        messages = {message for _, message in jobs}
        yield Failure(code, messages.pop() if len(messages) == 1 else reason, tuple(name for name, _ in jobs))


def _without_files(message: str, spec: JobSpec) -> str:
    """A job's error with `OWN` in place of the job's own files, by path or by name."""
    files = {plain(text) for given in spec.photos for text in (str(given.path), given.path.name) if text}
    if not files:
        return message
    names = "|".join(re.escape(name) for name in sorted(files, key=len, reverse=True))
    return re.sub(rf"(?<![\w./\\-])(?:{names})(?![\w-])", OWN, message)
