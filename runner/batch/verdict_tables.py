"""What became of each job in the words that people read, as a CSV for spreadsheets and a JSON with everything."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from ...core.compare.labels import as_number
from ...core.files import beside, make_private_folder, written_whole
from ...core.outcome_words import JOBS, JobOutcome
from ..errors import OutputUnwritable
from ..report.schema_base import finite
from .job_records import Attempt, JobRow

PHOTO_AT_FAULT = re.compile(
    r"^[^:]{0,300} \(node [^)]{0,60}\) failed(?: on the server)?: "
    r"(?:1 of 1 reference photos [^.:]*\. Photo 1: |(?!\d+ of )[^:]* cannot be used\. )?"
)
"""What stands before the reason when a node refused the one photo that it was given; titles are short."""


def kind(row: JobRow) -> JobOutcome:
    """What a job has come to. A refused photo is a verdict even where the run failed because of it."""
    if row.state in {"pending", "leased"}:
        return "pending"
    if row.verdict == "refused":
        return "refused"
    return "failed" if row.state == "failed" else row.verdict or "unchecked"


def word(row: JobRow) -> str:
    """The heading of one job."""
    if row.state == "leased":
        return "Running"
    return JOBS[kind(row)].headed(by_rules=row.report.judged_by_rules)


def threshold(row: JobRow) -> float | None:
    """The threshold that the score was held against: that of the check with this score, else of the first."""
    reports = [report for report in row.report.likeness if report.threshold is not None]
    same = [report for report in reports if row.score is not None and report.best == row.score]
    return (same or reports)[0].threshold if reports else None


def kept_attempt(row: JobRow) -> Attempt | None:
    """The attempt that the row's verdict and score come from; of a failed job the last one."""
    tried = [attempt for attempt in row.attempts if attempt.outcome not in {None, "released"}]
    same = [attempt for attempt in tried if attempt.outcome == row.verdict and attempt.score == row.score]
    return (same or tried or [None])[-1]


def tries(row: JobRow) -> int:
    """How often the job was tried, without attempts that were cut off through no fault of its own."""
    return sum(attempt.outcome != "released" for attempt in row.attempts)


def reason(row: JobRow) -> str:
    """Why the job ended as it did, in one line; empty where there is nothing to say."""
    if row.error:
        return one_line(row.error, row.verdict == "refused")
    reasons = [
        image.reason
        for report in row.report.likeness
        for image in report.judged
        if image.passed is not True or row.verdict == "passed"
    ]
    reasons += [report.headline for report in row.report.compliance]
    reasons += [line for report in row.report.id_photos for line in report.broken]
    reasons += row.report.notes[-1:] if row.report.saved_nothing else []
    return next((" ".join(text.split()) for text in reasons if text), "")


def one_line(error: str, refused: bool) -> str:
    """An error's message in one line; of a refused photo only what is wrong with it, not which node noticed."""
    text = " ".join(error.split())
    return PHOTO_AT_FAULT.sub("", text) if refused else text


def output_files(row: JobRow) -> list[str]:
    """The files of the kept result, relative to the batch's folder as the ledger has them."""
    return [output.file for output in row.report.outputs if output.file]


CSV_NAME, JSON_NAME = "verdicts.csv", "verdicts.json"

BETWEEN = " | "
"""Between several photos or files in one cell."""

FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
"""A cell that begins so is a formula to a spreadsheet; the wide ones count too."""

SPLIT_FORMULA = re.compile(rf"([;\t\r\n][^\S\t\r\n]*)(?=[{re.escape(FORMULA)}])")
"""Where a formula would begin in a spreadsheet of a country that splits lines at semicolons."""


class VerdictTables(NamedTuple):
    """The tables of a batch, how many of its pictures are not known to be good, and how many jobs saved nothing."""

    csv: Path
    json: Path
    to_look_at: int
    saved_nothing: int


def write_verdicts(rows: Iterable[JobRow], folder: Path, name: str = CSV_NAME) -> VerdictTables:
    """Write ``verdicts.csv`` and ``verdicts.json`` into `folder`; return their paths. Raises OutputUnwritable.

    `name` is another name for the table.

    Rows are written as they come, so that a large batch needs no memory. An old file is replaced only by a whole one.
    """
    table = folder / name
    data = beside(table, ".json")
    try:
        make_private_folder(folder)
        with replaced(table, "utf-8-sig") as cells, replaced(data) as objects:
            writer = csv.writer(cells)
            between, to_look_at, saved_nothing = "[\n", 0, 0
            for row in rows:
                values = as_values(row)
                if between == "[\n":
                    writer.writerow(values)
                writer.writerow([cell(value) for value in values.values()])
                objects.write(between + as_json(values | _details(row)))
                between = ",\n"
                to_look_at += row.report.to_look_at
                saved_nothing += row.report.saved_nothing is True
            objects.write("\n]\n" if between == ",\n" else "[]\n")
    except OSError as error:
        raise OutputUnwritable(f"The verdicts cannot be written to {folder} ({error.strerror or error}).") from error
    return VerdictTables(table, data, to_look_at, saved_nothing)


def as_values(row: JobRow) -> dict[str, Any]:
    """One job as the columns of the table; `outputs` and `photos` are lists."""
    kept = kept_attempt(row)
    return {
        "name": row.name,
        "photos": [str(given.path) for given in row.spec.photos],
        "verdict": row.verdict,
        "score": finite(row.score),
        "threshold": threshold(row),
        "state": row.state,
        "error_code": row.error_code,
        "reason": reason(row),
        "attempts": tries(row),
        "seed": kept.seed if kept else None,
        "server": row.server,
        "seconds": None if (seconds := finite(row.seconds)) is None else round(seconds, 3),
        "outputs": output_files(row),
        "key": row.key,
        "look": [each.text for each in row.report.look],
        "picture": row.report.picture,
    }


@contextmanager
def replaced(path: Path, encoding: str = "utf-8") -> Iterator[TextIO]:
    """A text file for its owner that takes the place of `path` once it is whole, or leaves nothing. Raises OSError."""
    with (
        written_whole(path, private=True) as part,
        part.open("w", encoding=encoding, errors="replace", newline="") as file,
    ):
        yield file


def cell(value: Any) -> Any:
    """A value as a cell that a spreadsheet takes for what it is: a number, also one in words such as -0.5, or text."""
    if value is None or isinstance(value, int | float):
        return value
    text = BETWEEN.join(value) if isinstance(value, list) else str(value)
    if as_number(text) is not None:
        return text
    shown = SPLIT_FORMULA.sub(r"\1'", text)
    return "'" + shown if text.lstrip().startswith(tuple(FORMULA)) else shown


def _details(row: JobRow) -> dict[str, Any]:
    return {
        "settings": [str(setting) for setting in row.spec.settings],
        "finished": row.finished,
        "folder": row.folder,
        "tries": [asdict(attempt) for attempt in row.attempts],
        "result": row.result,
    }


def as_json(value: Any) -> str:
    """A value as JSON that every reader takes."""
    return json.dumps(_plain(value), ensure_ascii=False, default=str, allow_nan=False)


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
