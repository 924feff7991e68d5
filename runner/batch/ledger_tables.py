"""One SQLite file for many threads: transactions, and every failure as one of our errors."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import LedgerBusy, LedgerMissing, LedgerUnreadable, OutputUnwritable, RunnerError
from .schema import TABLES, VERSION

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
        if kind in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT} or str(error).startswith("no such "):
            return LedgerUnreadable(
                f"{self.path} is damaged or is not the ledger of a batch ({error}); "
                "move it away and start again: results that are there already are kept, and all jobs run again."
            )
        return None


def _connect(path: Path, read_only: bool, still: bool) -> sqlite3.Connection:
    name, uri = str(path), False
    if read_only:
        # A plain read-only open would leave a write-ahead log behind; one that is there must be read.
        immutable = still and not path.with_name(f"{path.name}-wal").exists()
        name, uri = f"{path.absolute().as_uri()}?{'immutable=1' if immutable else 'mode=ro'}", True
    connection = sqlite3.connect(
        name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=uri, cached_statements=64
    )
    connection.row_factory = sqlite3.Row
    return connection
