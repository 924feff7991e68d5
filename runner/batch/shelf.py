"""Where a batch's files lie: tries in a working folder, and the one that is kept in the job's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core import host
from ..backends.result import RunResult
from ..errors import OutputUnwritable
from .job import Verdict
from .judge import score_of, verdict_of

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


class Shelf:
    """The folders of one batch in `folder`. Raises OutputUnwritable where something cannot be written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / WORK

    def begin(self, home: str, number: int) -> Path:
        """An empty folder for a job's n-th try."""
        place = self._trial(home, number)
        with writing(place):
            remove(place)
            place.mkdir(parents=True)
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
            (place / RECORD).write_text(text, "utf-8")
        return trial

    def earlier(self, home: str, numbers: list[int]) -> list[Trial]:
        """The tries of a job whose results are still there from before a kill."""
        found = []
        for number in numbers:
            place = self._trial(home, number)
            with suppress(OSError, ValueError, KeyError):
                kept = json.loads((place / RECORD).read_text("utf-8"))
                seconds = float(kept["result"]["seconds"])
                found.append(Trial(number, kept["verdict"], kept["score"], seconds, place, kept["result"]))
        return found

    def keep(self, home: str, trial: Trial) -> dict[str, Any]:
        """Make the files of `trial` the job's, drop the other tries; its record with files relative to the batch."""
        target = self._home(home)
        with writing(target):
            remove(target)
            (trial.folder / RECORD).unlink(missing_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
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
