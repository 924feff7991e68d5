"""Which folder each job of a plan has, and how results move when photos are renamed, swapped or replaced."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...core import host
from .changes import set_back
from .shelf import WORK, remove, writing

MOVING = ".moving"
"""Inside the working folder: results on their way from one home to another."""


def homes_for(names: Sequence[str], others: Collection[str]) -> list[str]:
    """A folder for each name: the name itself, or ``name_2`` and so on where one of `others` lies there.

    `others` are in one case; no two folders differ only in case.
    """
    taken = {*others, *(name.casefold() for name in names)}
    return [unused(name, taken) if name.casefold() in others else name for name in names]


def unused(name: str, taken: set[str]) -> str:
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
            (self._work / MOVING).mkdir(parents=True)
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
    except (ValueError, TypeError, KeyError, AttributeError):
        return False


def change_homes(write: sqlite3.Connection, known: Mapping[str, str], planned: Mapping[str, str], moves: Moves) -> None:
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
            result = json.dumps(_moved(json.loads(row["result"]), old, new))
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
