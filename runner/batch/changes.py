"""The steps that the ledger's transactions are made of."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence

from ...core.errors import LikenessError
from .rows import error_columns

_CANDIDATES = "SELECT * FROM jobs WHERE state = 'pending' AND place NOTNULL"
_OPEN = "SELECT job FROM attempts WHERE outcome IS NULL"
_CHOICES = (
    f"{_CANDIDATES} AND id IN ({_OPEN} AND server = :server) ORDER BY place LIMIT 1",
    f"{_CANDIDATES} AND :affinity <> '' AND affinity = :affinity AND id NOT IN ({_OPEN}) ORDER BY place LIMIT 1",
    f"{_CANDIDATES} AND id NOT IN ({_OPEN}) ORDER BY place LIMIT 1",
    f"{_CANDIDATES} ORDER BY place LIMIT 1",
)


def lease_next(write: sqlite3.Connection, server: str, affinity: str) -> sqlite3.Row | None:
    """Mark the pending job that this server had best take as leased; its row, or None when there is none."""
    for choice in _CHOICES:
        row = write.execute(choice, {"server": server, "affinity": affinity}).fetchone()
        if row is not None:
            taken = "UPDATE jobs SET state = 'leased', server = ? WHERE id = ? AND state = 'pending'"
            if write.execute(taken, [server, row["id"]]).rowcount != 1:
                raise ValueError(f"Job {row['key']} is not pending and cannot be leased.")
            return row
    return None


def leased_id(write: sqlite3.Connection, key: str) -> int:
    """The row number of a leased job; ValueError for any other."""
    row = write.execute("SELECT id, state FROM jobs WHERE key = ?", [key]).fetchone()
    if row is None or row["state"] != "leased":
        raise ValueError(f"Job {key} is {row['state'] if row else 'unknown'} and not leased.")
    return row["id"]


def attempts_of(look: sqlite3.Connection, jobs: Sequence[int]) -> list[sqlite3.Row]:
    """The attempts of these jobs, in order."""
    marks = ",".join("?" * len(jobs))
    query = f"SELECT * FROM attempts WHERE job IN ({marks}) ORDER BY job, number"  # noqa: S608 - question marks only
    return look.execute(query, jobs).fetchall()


def end_open(
    write: sqlite3.Connection,
    job: int,
    outcome: str,
    *,
    score: float | None = None,
    seconds: float | None = None,
    error: LikenessError | None = None,
    number: int | None = None,
) -> bool:
    """Close the open attempt of a job, or only the one of that number; whether there was one."""
    code, message = error_columns(error)
    return bool(
        write.execute(
            "UPDATE attempts SET outcome = :outcome, score = :score, seconds = coalesce(:seconds, :now - started),"
            " error_code = :code, error = :message"
            " WHERE job = :job AND outcome IS NULL AND (:number IS NULL OR number = :number)",
            {
                "outcome": outcome,
                "score": score,
                "seconds": seconds,
                "now": time.time(),
                "code": code,
                "message": message,
                "job": job,
                "number": number,
            },
        ).rowcount
    )


def set_back(write: sqlite3.Connection, job: int, *states: str) -> int:
    """Make a job that is in one of these states pending, without result and with its tries counted anew; 1 or 0."""
    return write.execute(
        "UPDATE jobs SET state = 'pending', released = 0, verdict = NULL, score = NULL, folder = NULL,"
        " server = NULL, seconds = NULL, finished = NULL, error_code = NULL, error = NULL, result = NULL,"
        " counted_from = (SELECT coalesce(max(number), 0) FROM attempts WHERE job = id)"
        " WHERE id = ? AND state IN (SELECT value FROM json_each(?))",
        [job, json.dumps(states)],
    ).rowcount
