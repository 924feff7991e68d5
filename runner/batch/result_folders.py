"""Where a batch's files lie: one runner at a time, tries in a working folder, each job's own folder, and moves."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core import host
from ...core.files import make_private_folder, write_whole
from ..backends.result import RunResult
from ..errors import LedgerBusy, OutputUnwritable
from ..report.schema_base import finite
from .job_records import Verdict
from .judge import score_of, verdict_of
from .ledger_tables import set_back
from .ledger_values import are_outputs, result_object

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK = "ledger.lock"
LOCK_SECONDS = 0.5
"""`is_active` holds the lock for a moment: a runner that starts just then waits for it."""


class RunnerLock:
    """The lock of a batch's only runner: a file, and, where the system locks folders, the folder itself.

    The file alone can be deleted, and made anew by a second runner.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._file, self._descriptor = folder, _lock(folder), -1

    def acquire(self, timeout: float) -> None:
        """Raises Timeout while another runner has it, and OSError."""
        self._file.acquire(timeout=timeout)
        try:
            self._lock_folder()
        except BaseException:
            self.release()
            raise

    def _lock_folder(self) -> None:
        from filelock import Timeout

        try:
            import fcntl
        except ImportError:
            return
        self._descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Timeout(str(self._folder)) from error
        except OSError:  # some network disks lock files only
            return

    def release(self) -> None:
        """Let another runner have it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._file.release()


def take_lock(folder: Path) -> RunnerLock:
    """Be the runner of the batch in `folder`, which is made where it is missing.

    Raises LedgerBusy while another runner is, and OutputUnwritable.
    """
    from filelock import Timeout

    lock = RunnerLock(folder)
    try:
        make_private_folder(folder)
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout as error:
        raise LedgerBusy(
            f"Another runner is at work in {folder}; wait for it, stop it, or choose another --output."
        ) from error
    except OSError as error:
        raise OutputUnwritable(
            f"The batch cannot be written to {folder} ({error.strerror or error}); choose another --output."
        ) from error
    return lock


def is_active(folder: Path) -> bool:
    """Whether a runner is at work in `folder` now. Nothing is written."""
    from filelock import Timeout

    if not (folder / LOCK).exists():
        return False
    lock = RunnerLock(folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def _lock(folder: Path) -> BaseFileLock:
    from filelock import FileLock

    return FileLock(folder / LOCK, thread_local=False)


WORK = ".work"
RECORD = ".result.json"
"""Beside the pictures of a try: what it came to, for a batch that goes on after a kill."""

RANK: Mapping[Verdict, int] = {"passed": 2, "unchecked": 1, "not_confirmed": 0, "refused": -1}


@dataclass(frozen=True)
class Trial:
    """One try that has results. `record` is `RunResult.as_dict()` with files relative to `folder`."""

    number: int
    verdict: Verdict
    score: float | None
    seconds: float
    folder: Path
    record: Mapping[str, Any]

    @property
    def rank(self) -> tuple[int, float]:
        """Larger is better: the verdict first, then the score."""
        return RANK[self.verdict], self.score if self.score is not None else -1.0


class ResultFolders:
    """The folders of one batch in `folder`. Raises OutputUnwritable where something cannot be written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / WORK

    def begin(self, home: str, number: int) -> Path:
        """An empty folder for a job's n-th try."""
        place = self._trial(home, number)
        with writing(place):
            remove(place)
            make_private_folder(place)
        return place

    def record(self, home: str, number: int, result: RunResult) -> Trial:
        """Keep what a try came to."""
        place = self._trial(home, number)
        values = result.as_dict()
        for output in values["outputs"]:
            output["file"] = Path(output["file"]).resolve().relative_to(place.resolve()).as_posix()
        trial = Trial(number, verdict_of(result), score_of(result), result.seconds, place, values)
        with writing(place):
            text = json.dumps({"verdict": trial.verdict, "score": trial.score, "result": values}, default=str)
            write_whole(place / RECORD, text, private=True)
        return trial

    def earlier(self, home: str, numbers: list[int]) -> list[Trial]:
        """The tries of a job whose results are still there from before a kill."""
        found = []
        for number in numbers:
            place = self._trial(home, number)
            with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
                kept = json.loads((place / RECORD).read_text("utf-8"))
                result, verdict, seconds = kept["result"], kept["verdict"], finite(kept["result"]["seconds"])
                if verdict in RANK and seconds is not None and are_outputs(result["outputs"]):
                    found.append(Trial(number, verdict, finite(kept["score"]), seconds, place, result))
        return found

    def keep(self, home: str, trial: Trial) -> dict[str, Any]:
        """Make the files of `trial` the job's, drop the other tries; its record with files relative to the batch."""
        target = self._home(home)
        with writing(target):
            remove(target)
            (trial.folder / RECORD).unlink(missing_ok=True)
            make_private_folder(target.parent)
            trial.folder.rename(target)
        self.drop(home)
        outputs = [output | {"file": f"{home}/{output['file']}"} for output in trial.record["outputs"]]
        return {**trial.record, "outputs": outputs}

    def drop(self, home: str) -> None:
        """Remove what the tries of a job left."""
        remove(host.inside(self.work, home))

    def vacate(self, home: str) -> None:
        """Remove what lies in a job's folder: the results of another photo that had the job's name before."""
        remove(self._home(home))

    def clear(self) -> None:
        """Remove the working folder once nothing is in it."""
        with suppress(OSError):
            self.work.rmdir()

    def _home(self, home: str) -> Path:
        return host.inside(self.folder, home)

    def _trial(self, home: str, number: int) -> Path:
        return host.inside(self.work, home) / str(number)


def remove(folder: Path) -> None:
    """Remove a folder with what is in it, where it is there."""
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn failures to write near `place` into OutputUnwritable."""
    try:
        yield
    except OSError as error:
        raise OutputUnwritable(
            f"{place} cannot be written ({error.strerror or error}); make room or choose another --output."
        ) from error


MOVING = ".moving"
"""Inside the working folder: results on their way from one home to another."""


def folders_for(names: Sequence[str], others: Collection[str]) -> list[str]:
    """A folder for each name: the name itself, or ``name_2`` and so on where one of `others` lies there.

    `others` are in one case; no two folders differ only in case.
    """
    taken = {*others, *(name.casefold() for name in names)}
    return [unused_name(name, taken) if name.casefold() in others else name for name in names]


def unused_name(name: str, taken: set[str]) -> str:
    """The first of `name_2`, `name_3` and so on that nothing else is under; it is added to `taken`."""
    number = 2
    while (home := f"{name}_{number}").casefold() in taken:
        number += 1
    taken.add(home.casefold())
    return home


class Moves:
    """Folders of a batch that get other names, in two steps so that they may swap.

    `take` clears the old places and the new ones; then the ledger is written; then `finish` puts the folders
    in place. A kill in between leaves results missing where the ledger has them, never another job's in their place.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._work = folder / WORK
        self._taken: list[tuple[str, str]] = []

    def take(self, moves: Sequence[tuple[str, str]]) -> None:
        """Take folders away, as pairs of old and new name, and remove what lies under the new names."""
        remove(self._work / MOVING)
        if not moves:
            return
        with writing(self._work):
            make_private_folder(self._work / MOVING)
        for old, new in moves:
            source = host.inside(self.folder, old)
            if source.is_dir():
                with writing(source):
                    source.rename(self._waiting(len(self._taken)))
                self._taken.append((old, new))
        for _, new in moves:
            remove(host.inside(self.folder, new))

    def drop_tries(self, homes: Collection[str]) -> None:
        """Forget the tries under these homes: the next job there must not take them for its own."""
        for home in homes if self._work.is_dir() else ():
            remove(host.inside(self._work, home))

    def finish(self) -> None:
        """Put the folders where they now belong."""
        self._put([new for _, new in self._taken])

    def undo(self) -> None:
        """Put the folders back, as far as that can be done."""
        with suppress(OSError):
            self._put([old for old, _ in self._taken])

    def _put(self, names: Sequence[str]) -> None:
        for number, name in enumerate(names):
            with writing(self.folder / name):
                self._waiting(number).rename(host.inside(self.folder, name))
        self._taken.clear()
        remove(self._work / MOVING)

    def _waiting(self, number: int) -> Path:
        return self._work / MOVING / str(number)


def set_back_missing(write: sqlite3.Connection, folder: Path, keys: Collection[str]) -> None:
    """Make done jobs among `keys` pending when a file of their result is no longer in the batch's folder."""
    gone = [
        row["id"]
        for row in write.execute("SELECT id, key, result FROM jobs WHERE state = 'done'")
        if row["key"] in keys and not _is_there(folder, row["result"])
    ]
    for job in gone:
        set_back(write, job, "done")


def _is_there(folder: Path, result: str | None) -> bool:
    try:
        return all((folder / output["file"]).is_file() for output in json.loads(result or "{}").get("outputs", ()))
    except (ValueError, TypeError, KeyError, AttributeError, OSError, RecursionError):
        return False


def move_folders(write: sqlite3.Connection, known: Mapping[str, str], planned: Mapping[str, str], moves: Moves) -> None:
    """Give known jobs the homes that are `planned`; both are homes by key. Results move along.

    A job that is not planned and whose home is taken has no home any more; if it is done, it is pending again.
    """
    wanted = {home.casefold() for home in planned.values()}
    changed = {key: home for key, home in known.items() if planned.get(key, home) != home}
    lost = {key: home for key, home in known.items() if key not in planned and home.casefold() in wanted}
    moves.drop_tries({*changed.values(), *lost.values()})
    for key in (*changed, *lost):
        # no home may be there twice, not even for a moment
        write.execute("UPDATE jobs SET home = '.none_' || id WHERE key = ?", [key])
    done: list[tuple[str, str]] = []
    for key, home in lost.items():
        job = write.execute("SELECT id FROM jobs WHERE key = ?", [key]).fetchone()["id"]
        if set_back(write, job, "done"):
            # its pictures lie there until the other job has some, see `forget_replaced`
            write.execute("UPDATE jobs SET folder = ? WHERE id = ?", [home, job])
    for key, old in changed.items():
        new = planned[key]
        write.execute("UPDATE jobs SET home = ? WHERE key = ?", [new, key])
        row = write.execute("SELECT id, state, result FROM jobs WHERE key = ?", [key]).fetchone()
        if row["state"] == "done":
            done.append((old, new))
            result = json.dumps(_moved(result_object(row["result"], new), old, new))
            write.execute("UPDATE jobs SET folder = ?, result = ? WHERE id = ?", [new, result, row["id"]])
    moves.take(done)


def forget_replaced(write: sqlite3.Connection, home: str) -> bool:
    """Note that results of a job that lost this home no longer lie there; whether they did."""
    return bool(write.execute("UPDATE jobs SET folder = NULL WHERE place IS NULL AND folder = ?", [home]).rowcount)


def _moved(result: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """A result's record with its files under another folder."""
    outputs = [
        output | {"file": f"{new}/{output['file'].removeprefix(f'{old}/')}"} for output in result.get("outputs", ())
    ]
    return {**result, "outputs": outputs} if outputs else result
