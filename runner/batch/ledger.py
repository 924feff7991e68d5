"""The memory of a batch: every job's state, attempts and result, safe against kills, full disks and second runners."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ...core.errors import LikenessError
from ..errors import LedgerMissing, OutputUnwritable, UnknownJob
from ..report.schema_base import finite
from ..workflow.graph import did_you_mean
from .job_records import Counts, JobRow, Leased, Outcome, Planned, State, Verdict
from .ledger_tables import (
    Database,
    attempt_from,
    attempts_of,
    end_open,
    error_columns,
    job_from,
    lease_next,
    leased_id,
    public,
    public_values,
    set_back,
    spec_from_text,
    spec_to_text,
)
from .ledger_values import json_object
from .result_folders import Moves, folders_for, forget_replaced, is_active, move_folders, set_back_missing, take_lock

if TYPE_CHECKING:
    from .result_folders import RunnerLock

FILE = "ledger.sqlite"
PAGE = 500


class Ledger:
    """The jobs of one batch. Use `open` or `read`, as a context manager. Safe in threads.

    pending -> leased -> done or failed, and from leased back to pending by `release` or `recover`; only `retry` leads
    from done or failed back to pending. Every change is one transaction. All methods raise OutputUnwritable when the
    disk is full or read-only, and LedgerUnreadable when the file is damaged; the ledger then is as it was before.
    A change that the state does not allow is an error of the caller's: ValueError.
    """

    def __init__(self, folder: Path, database: Database, lock: RunnerLock | None) -> None:
        self.folder = folder
        self._database = database
        self._lock = lock

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The ledger in `folder`, made where it is missing, for the one runner of the batch.

        Raises LedgerBusy while another runner has it. The lock is free once its process is gone, however it ended.
        """
        lock = take_lock(folder)
        try:
            database = Database(folder / FILE)
        except BaseException:
            lock.release()
            raise
        ledger = cls(folder, database, lock)
        try:
            ledger._remember({"runner": {"pid": os.getpid(), "started": time.time()}})
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The ledger in `folder` to look at, also while a runner is at work. Nothing is written.

        Raises LedgerMissing or LedgerUnreadable.
        """
        path = folder / FILE
        if not path.is_file():
            raise LedgerMissing(f"There is no batch in {folder}: it has no {FILE}; check the folder.")
        return cls(folder, Database(path, read_only=True, still=not is_active(folder)), None)

    def close(self) -> None:
        """Close the file and let another runner have it."""
        try:
            self._database.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def active(self) -> bool:
        """Whether a runner is at work in this folder now."""
        return self._lock is not None or is_active(self.folder)

    @property
    def runner_started(self) -> float:
        """When the latest runner opened the ledger, in seconds of the epoch."""
        return finite(self._remembered("runner").get("started")) or 0.0

    @property
    def config(self) -> dict[str, Any]:
        """What the batch was started with: JSON values. Users and passwords in URLs are left out when it is set."""
        return self._remembered("batch")

    @config.setter
    def config(self, values: Mapping[str, Any]) -> None:
        self._remember({"batch": public_values(values)})

    def _remembered(self, name: str) -> dict[str, Any]:
        rows = self._database.query("SELECT value FROM config WHERE name = ?", [name])
        return json_object(rows[0]["value"], f"word on its {name}") if rows else {}

    def _remember(self, values: Mapping[str, Any]) -> None:
        with self._database.write() as write:
            for name, value in values.items():
                write.execute("INSERT OR REPLACE INTO config VALUES (?, ?)", [name, json.dumps(value)])

    def plan(self, jobs: Sequence[Planned], reserved: Collection[str] = ()) -> Counts:
        """Make `jobs` the jobs of this batch, in this order.

        New ones are pending; known ones keep their state and take the new name; all others are kept but no longer
        counted, listed or run. Done ones whose files are gone are pending again. Each job's folder is called as the
        job is, where nothing else lies there and it is not `reserved`: results move along with their job's name, and a
        job that is no longer planned loses its result when another one takes its folder. Keys and names must be
        unique: ValueError.
        """
        if len({job.key for job in jobs}) < len(jobs) or len({job.spec.name.casefold() for job in jobs}) < len(jobs):
            raise ValueError("Two jobs of a plan have the same key or the same name.")
        moves = Moves(self.folder)
        try:
            with self._database.write() as write:
                known = {row["key"]: row["home"] for row in write.execute("SELECT key, home FROM jobs")}
                others = _names_in(self.folder) - {home.casefold() for home in known.values()}
                others |= {name.casefold() for name in reserved}
                homes = folders_for([job.spec.name for job in jobs], others)
                self._place(write, jobs, homes, known, moves)
        except BaseException:
            moves.undo()
            raise
        moves.finish()
        return self.counts()

    def _place(
        self,
        write: sqlite3.Connection,
        jobs: Sequence[Planned],
        homes: Sequence[str],
        known: Mapping[str, str],
        moves: Moves,
    ) -> None:
        """Make `jobs` current, each in its home."""
        write.execute("UPDATE jobs SET place = NULL")
        planned = {job.key: home for job, home in zip(jobs, homes, strict=True)}
        set_back_missing(write, self.folder, planned)
        move_folders(write, known, planned, moves)
        write.executemany(
            "INSERT INTO jobs (key, place, name, home, spec, affinity)"
            " VALUES (:key, :place, :name, :home, :spec, :affinity) ON CONFLICT (key) DO UPDATE SET"
            " place = excluded.place, name = excluded.name, spec = excluded.spec, affinity = excluded.affinity",
            (
                {
                    "key": job.key,
                    "place": place,
                    "name": job.spec.name,
                    "home": planned[job.key],
                    "spec": spec_to_text(job.spec),
                    "affinity": job.affinity,
                }
                for place, job in enumerate(jobs)
            ),
        )
        write.execute("UPDATE jobs SET folder = NULL WHERE place NOTNULL AND state = 'pending'")

    def recover(self) -> int:
        """Make the leases of a runner that is gone pending again; returns how many. Call it once after `open`.

        A try that was cut off stays open: `lease` hands it out as `resume`.
        """
        with self._database.write() as write:
            return write.execute("UPDATE jobs SET state = 'pending', server = NULL WHERE state = 'leased'").rowcount

    def lease(self, server: str, affinity: str = "") -> Leased | None:
        """The next pending job, now leased; None when none is pending.

        First those that were cut off on this server, then those of this affinity, then in order; those that were cut
        off on another server last, because they may still be running there.
        """
        with self._database.write() as write:
            row = lease_next(write, public(server), affinity)
            if row is None:
                return None
            attempts = [attempt_from(each) for each in attempts_of(write, [row["id"]])]
        counted = [each for each in attempts if each.number > row["counted_from"] and each.outcome != "released"]
        earlier = tuple(each for each in counted if each.outcome is not None)
        return Leased(
            key=row["key"],
            spec=spec_from_text(row["name"], row["spec"]),
            affinity=row["affinity"],
            attempt=len(earlier) + 1,
            folder=row["home"],
            resume=next((each for each in attempts if each.outcome is None), None),
            earlier=earlier,
            counted_from=row["counted_from"],
            released=row["released"],
        )

    def begin(self, key: str, server: str, prompt_id: str | None, seed: int | None = None) -> int:
        """Note a try of a leased job before it is sent to the server; returns the try's number.

        An earlier try that is still open ends as released.
        """
        with self._database.write() as write:
            job = leased_id(write, key)
            end_open(write, job, "released")
            number = write.execute("SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE job = ?", [job]).fetchone()[
                0
            ]
            write.execute(
                "INSERT INTO attempts (job, number, server, prompt_id, seed, started) VALUES (?, ?, ?, ?, ?, ?)",
                [job, number, public(server), prompt_id, None if seed is None else str(seed), time.time()],
            )
            return number

    def end(
        self,
        key: str,
        number: int,
        outcome: Outcome,
        *,
        score: float | None = None,
        seconds: float | None = None,
        error: LikenessError | None = None,
    ) -> None:
        """Close a try after which the job goes on. The last try is closed by `done`, `failed` or `release` itself."""
        with self._database.write() as write:
            job = leased_id(write, key)
            if not end_open(write, job, outcome, score=score, seconds=seconds, error=error, number=number):
                raise ValueError(f"Attempt {number} of job {key} is not open.")

    def release(self, key: str, *, error: LikenessError | None = None, counts: bool) -> None:
        """Make a leased job pending again; its open try ends as released.

        `counts` says that a server was at fault; without it the user stopped the batch.
        """
        with self._database.write() as write:
            job = leased_id(write, key)
            end_open(write, job, "released", error=error)
            write.execute(
                "UPDATE jobs SET state = 'pending', server = NULL, released = released + ? WHERE id = ?",
                [int(counts), job],
            )

    def done(
        self,
        key: str,
        *,
        verdict: Verdict,
        score: float | None,
        folder: str,
        server: str,
        seconds: float,
        result: Mapping[str, Any],
    ) -> None:
        """A leased job has its results; an open try ends with the same verdict, score and seconds."""
        with self._database.write() as write:
            job = leased_id(write, key)
            forget_replaced(write, folder)
            end_open(write, job, verdict, score=score, seconds=seconds)
            write.execute(
                "UPDATE jobs SET state = 'done', verdict = ?, score = ?, folder = ?, server = ?, seconds = ?,"
                " finished = ?, error_code = NULL, error = NULL, result = ? WHERE id = ?",
                [verdict, score, folder, public(server), seconds, time.time(), json.dumps(result, default=str), job],
            )

    def failed(
        self,
        key: str,
        *,
        error: LikenessError,
        verdict: Verdict | None = None,
        server: str | None = None,
        seconds: float | None = None,
    ) -> None:
        """A leased job is given up; an open try ends as refused or failed with the same error."""
        code, message = error_columns(error)
        with self._database.write() as write:
            job = leased_id(write, key)
            end_open(write, job, "refused" if verdict == "refused" else "failed", seconds=seconds, error=error)
            write.execute(
                "UPDATE jobs SET state = 'failed', verdict = ?, score = NULL, folder = NULL, server = ?, seconds = ?,"
                " finished = ?, error_code = ?, error = ?, result = NULL WHERE id = ?",
                [verdict, server and public(server), seconds, time.time(), code, message, job],
            )

    def retry(self, *, failed: bool = False, not_confirmed: bool = False, names: Collection[str] = ()) -> int:
        """Make finished jobs pending again; returns how many. Their tries are kept and counted anew.

        `names` takes jobs in whatever way they finished. Raises UnknownJob, and then changes nothing.
        """
        with self._database.write() as write:
            wanted = {row["name"]: row["id"] for row in write.execute("SELECT id, name FROM jobs WHERE place NOTNULL")}
            for name in names:
                if name not in wanted:
                    raise UnknownJob(f"The batch in {self.folder} has no job {name!r}{did_you_mean(name, wanted)}")
            chosen = [
                row["id"]
                for row in write.execute(
                    "SELECT id FROM jobs WHERE place NOTNULL AND"
                    " (? AND state = 'failed' OR ? AND state = 'done' AND verdict = 'not_confirmed')",
                    [failed, not_confirmed],
                )
            ]
            jobs = {*chosen, *(wanted[name] for name in names)}
            return sum(set_back(write, job, "done", "failed") for job in jobs)

    def forget_replaced(self, home: str) -> bool:
        """Whether pictures of an earlier photo of this name lie in `home`; asked once, by the one who removes them."""
        with self._database.write() as write:
            return forget_replaced(write, home)

    def counts(self) -> Counts:
        """How many jobs of the current plan are in which state and have which verdict."""
        numbers = dict.fromkeys(("pending", "leased", "done", "failed"), 0)
        verdicts = dict.fromkeys(("passed", "not_confirmed", "refused", "unchecked"), 0)
        for row in self._database.query(
            "SELECT state, verdict, count(*) AS jobs FROM jobs WHERE place NOTNULL GROUP BY state, verdict"
        ):
            numbers[row["state"]] += row["jobs"]
            if row["verdict"] is not None:
                verdicts[row["verdict"]] += row["jobs"]
        return Counts(total=sum(numbers.values()), **numbers, **verdicts)

    def has_pending(self) -> bool:
        """Whether a job waits for a worker. Asked after each job: it does not count them."""
        return bool(self._database.query("SELECT 1 FROM jobs WHERE state = 'pending' AND place NOTNULL LIMIT 1"))

    def rows(self, state: State | None = None, *, all_plans: bool = False) -> Iterator[JobRow]:
        """The jobs with their attempts, in order; those of earlier plans last, where asked for.

        Rows are read in pages, so that a long list neither fills memory nor holds up the workers.
        """
        place = "coalesce(place, 1 << 62)"
        after = (-1, -1)
        while True:
            with self._database.look() as look:
                page = look.execute(
                    f"SELECT *, {place} AS rank FROM jobs WHERE ({place}, id) > (?, ?)"  # noqa: S608 - no values in it
                    " AND (? OR place NOTNULL) AND (? IS NULL OR state = ?) ORDER BY rank, id LIMIT ?",
                    [*after, all_plans, state, state, PAGE],
                ).fetchall()
                attempts: dict[int, list[sqlite3.Row]] = {row["id"]: [] for row in page}
                for attempt in attempts_of(look, list(attempts)):
                    attempts[attempt["job"]].append(attempt)
            if not page:
                return
            yield from (job_from(row, attempts[row["id"]]) for row in page)
            after = (page[-1]["rank"], page[-1]["id"])

    def row(self, key: str) -> JobRow | None:
        """One job by its key, of this plan or an earlier one."""
        with self._database.look() as look:
            rows = look.execute("SELECT * FROM jobs WHERE key = ?", [key]).fetchall()
            return job_from(rows[0], attempts_of(look, [rows[0]["id"]])) if rows else None

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Rows of a question of the reader's own, for reports; see `schema.py`. It must not write."""
        return self._database.query(sql, values)

    def remember_hash(self, path: Path, size: int, mtime_ns: int, sha256: str) -> None:
        """Keep a file's content hash, so that resuming does not read every photo again."""
        with self._database.write() as write:
            write.execute(
                "INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?)", [os.fsencode(path), size, mtime_ns, sha256]
            )

    def known_hash(self, path: Path, size: int, mtime_ns: int) -> str | None:
        """The hash of a file that has not changed since it was kept, or None."""
        query = "SELECT sha256 FROM hashes WHERE path = ? AND size = ? AND mtime_ns = ?"
        rows = self._database.query(query, [os.fsencode(path), size, mtime_ns])
        return rows[0]["sha256"] if rows else None


def _names_in(folder: Path) -> set[str]:
    """What lies in a folder, in one case: the user's own files there are never taken for a job's."""
    try:
        return {entry.casefold() for entry in os.listdir(folder)}  # noqa: PTH208 - names only
    except OSError as error:
        raise OutputUnwritable(f"{folder} cannot be read ({error.strerror}); choose another --output.") from error
