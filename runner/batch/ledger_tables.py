"""The ledger's file: tables, transactions, rows to dataclasses and back, and the steps that changes are made of."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...core.errors import LikenessError
from ...core.files import make_private_file
from ..errors import LedgerBusy, LedgerMissing, LedgerUnreadable, OutputUnwritable, RunnerError
from ..workflow.input_files import Given
from ..workflow.overrides import Setting
from .job_records import Attempt, JobRow, JobSpec
from .ledger_values import checked_rows, damaged, json_object, result_object

VERSION = 1
"""Kept in ``PRAGMA user_version``; a ledger with a higher one was made by a newer release."""

TABLES = """
CREATE TABLE config (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    place INTEGER,                       -- order in the current plan; NULL for jobs of earlier plans only
    name TEXT NOT NULL,
    home TEXT NOT NULL UNIQUE,           -- the folder that is reserved for the job's results
    spec TEXT NOT NULL,
    affinity TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'leased', 'done', 'failed')),
    released INTEGER NOT NULL DEFAULT 0, -- how often a server's fault sent it back
    counted_from INTEGER NOT NULL DEFAULT 0, -- attempts up to this number are from before a retry
    verdict TEXT CHECK (verdict IN ('passed', 'not_confirmed', 'refused', 'unchecked')),
    score REAL,
    folder TEXT,
    server TEXT,
    seconds REAL,
    finished REAL,
    error_code TEXT,
    error TEXT,
    result TEXT
);
CREATE UNIQUE INDEX current_names ON jobs (name) WHERE place IS NOT NULL;
CREATE INDEX next_jobs ON jobs (state, place);
CREATE INDEX next_alike ON jobs (state, affinity, place);
CREATE INDEX finished_jobs ON jobs (finished) WHERE finished IS NOT NULL;
CREATE INDEX states ON jobs (place, state, verdict);

CREATE TABLE attempts (
    job INTEGER NOT NULL REFERENCES jobs (id),
    number INTEGER NOT NULL,
    server TEXT NOT NULL,
    prompt_id TEXT,
    seed TEXT,                           -- seeds have 64 bits without a sign, SQLite's integers 63
    started REAL NOT NULL,
    seconds REAL,
    outcome TEXT CHECK (outcome IN ('passed', 'not_confirmed', 'unchecked', 'refused', 'failed', 'released')),
    score REAL,
    error_code TEXT,
    error TEXT,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX open_attempts ON attempts (job) WHERE outcome IS NULL;

CREATE TABLE hashes (
    path BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) WITHOUT ROWID;
"""


BUSY_SECONDS = 10.0
"""How long a write waits for another program that has the file open, such as a database browser."""

_UNWRITABLE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_PERM: "it is not permitted",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk failed or is full",
}


class Database:
    """A connection behind a lock. `write` is one transaction: all of it is kept, or nothing.

    A write is safe once it returns, also when the process is killed; a power cut may take the last ones, never more.
    """

    def __init__(self, path: Path, *, read_only: bool = False, still: bool = False) -> None:
        """`still` says that nobody else has the file open: it is then read without leaving anything beside it."""
        self.path = path
        self._lock = threading.Lock()
        with self._errors():
            self._connection = _connect(path, read_only, still)
        try:
            with self._errors():
                self._prepare(read_only)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file; what was committed stays."""
        with self._lock, self._errors():
            self._connection.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that can write. An error inside undoes it."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def look(self) -> Iterator[sqlite3.Connection]:
        """Several queries that see the same moment."""
        with self._transaction("BEGIN") as connection:
            yield connection

    def query(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """All rows of one query."""
        with self._lock, self._errors():
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, self._errors():
            try:
                self._connection.execute(begin)
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _prepare(self, read_only: bool) -> None:
        """Make the tables of a new file; refuse a file of another layout."""
        connection = self._connection
        connection.execute("BEGIN")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        connection.execute("COMMIT")
        if version > VERSION:
            raise LedgerUnreadable(
                f"{self.path} was made by a newer version of Likeness Studio; update it, or choose another --output."
            )
        if version == 0 and tables:
            raise LedgerUnreadable(f"{self.path} is not the ledger of a batch; move it away, or choose another folder.")
        if version == 0 and read_only:
            raise LedgerMissing(f"The batch in {self.path.parent} has not begun yet; look again in a moment.")
        if read_only:
            return
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if version == 0:
            connection.executescript(f"BEGIN IMMEDIATE;{TABLES}PRAGMA user_version = {VERSION};COMMIT;")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """SQLite's errors as ours."""
        try:
            yield
        except sqlite3.Error as error:
            known = self._translated(error)
            if known is None:
                raise
            raise known from error

    def _translated(self, error: sqlite3.Error) -> RunnerError | None:
        kind = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if kind in _UNWRITABLE:
            reason = _UNWRITABLE[kind]
            return OutputUnwritable(
                f"The ledger {self.path} cannot be written: {reason} ({error}); "
                "make room or make it writable, then start the same command again."
            )
        if kind in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return LedgerBusy(f"Another program has locked {self.path}; close it and start the same command again.")
        if kind in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT} or isinstance(
            error, sqlite3.OperationalError | sqlite3.IntegrityError | sqlite3.DataError
        ):
            return LedgerUnreadable(
                f"{self.path} is damaged or is not the ledger of a batch ({error}); "
                "move it away and start again: results that are there already are kept, and all jobs run again."
            )
        return None


def _refuse_emptied(path: Path) -> None:
    """Raise LedgerUnreadable for an empty file beside what a batch made: who emptied it took away what was done."""
    log = path.with_name(f"{path.name}-wal")
    if not path.is_file() or path.stat().st_size or (log.is_file() and log.stat().st_size):
        return
    if any(not each.name.startswith(path.stem) for each in path.parent.iterdir()):
        raise LedgerUnreadable(
            f"{path} is empty, though {path.parent} has more in it; put its copy back, or delete it to begin anew."
        )


def _connect(path: Path, read_only: bool, still: bool) -> sqlite3.Connection:
    name, uri = str(path), False
    if not read_only:
        _refuse_emptied(path)
        try:
            make_private_file(path)
        except OSError as error:
            raise OutputUnwritable(f"The ledger {path} cannot be written ({error.strerror or error}).") from error
    else:
        # A plain read-only open would leave a write-ahead log behind; one that is there must be read.
        immutable = still and not path.with_name(f"{path.name}-wal").exists()
        name, uri = f"{path.absolute().as_uri()}?{'immutable=1' if immutable else 'mode=ro'}", True
    connection = sqlite3.connect(
        name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=uri, cached_statements=64
    )
    connection.row_factory = checked_rows(path)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


_LOGIN = re.compile(r"(?<=://)[^/\s]*@")


def plain(text: str) -> str:
    """Text that SQLite and any terminal take: bytes of file names that are not UTF-8 are written as ``\\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode()


def public(text: str) -> str:
    """Text without the user and password of any URL in it."""
    return _LOGIN.sub("", text)


def public_values(value: Any) -> Any:
    """A JSON value without the users and passwords of URLs."""
    if isinstance(value, str):
        return public(value)
    if isinstance(value, Mapping):
        return {str(name): public_values(entry) for name, entry in value.items()}
    return [public_values(entry) for entry in value] if isinstance(value, list | tuple) else value


def error_columns(error: LikenessError | None) -> tuple[str | None, str | None]:
    """The code and message of an error; a failed node's code is that of its cause."""
    if error is None:
        return None, None
    return str(error.as_dict()["code"]), public(plain(str(error)))


def spec_to_text(spec: JobSpec) -> str:
    """A job's photos and settings as JSON; the name has a column of its own."""
    photos = [[str(given.path), given.target] for given in spec.photos]
    settings = [[setting.target, setting.input, setting.value] for setting in spec.settings]
    return json.dumps({"photos": photos, "settings": settings})


def spec_from_text(name: str, text: str) -> JobSpec:
    """The job back from JSON. Raises LedgerUnreadable."""
    values = json_object(text, f"entry of {name}")
    try:
        photos = tuple(Given(Path(path), target) for path, target in values["photos"])
        settings = tuple(Setting(*setting) for setting in values["settings"])
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(f"entry of {name}") from error
    words = [word for each in settings for word in (each.target, each.input, each.value)]
    words += [given.target for given in photos if given.target is not None]
    if not all(isinstance(word, str) for word in words) or any("\0" in str(given.path) for given in photos):
        raise damaged(f"entry of {name}")
    return JobSpec(name, photos, settings)


def attempt_from(row: sqlite3.Row) -> Attempt:
    """An attempt from a row of its table."""
    return Attempt(
        number=row["number"],
        server=row["server"],
        prompt_id=row["prompt_id"],
        seed=None if row["seed"] is None else int(row["seed"]),
        started=row["started"],
        seconds=row["seconds"],
        outcome=row["outcome"],
        score=row["score"],
        error_code=row["error_code"],
        error=row["error"],
    )


def job_from(row: sqlite3.Row, attempts: Iterable[sqlite3.Row]) -> JobRow:
    """A job from its row and those of its attempts. Raises LedgerUnreadable."""
    return JobRow(
        key=row["key"],
        name=row["name"],
        spec=spec_from_text(row["name"], row["spec"]),
        state=row["state"],
        verdict=row["verdict"],
        score=row["score"],
        folder=row["folder"],
        server=row["server"],
        seconds=row["seconds"],
        finished=row["finished"],
        error_code=row["error_code"],
        error=row["error"],
        result=None if row["result"] is None else result_object(row["result"], row["name"]),
        attempts=tuple(attempt_from(attempt) for attempt in attempts),
    )


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
