"""What became of one job, in the words that people read: the contact sheet and the tables say the same."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

from ..backends.result import judged_images
from .job import Attempt, JobRow

Kind = Literal["passed", "not_confirmed", "unchecked", "refused", "failed", "pending"]

PHOTO_AT_FAULT = re.compile(
    r"^[^:]* \(node [^)]*\) failed(?: on the server)?: (?:1 of 1 reference photos [^.:]*\. Photo 1: )?"
)
"""What stands before the reason when a node refused the one photo that it was given."""

WORDS: dict[Kind, str] = {
    "passed": "Same person",
    "not_confirmed": "Not confirmed",
    "unchecked": "Not checked",
    "refused": "Refused",
    "failed": "Failed",
    "pending": "Pending",
}
"""What a job has come to, as a heading; in the order in which they are counted."""


def kind(row: JobRow) -> Kind:
    """What a job has come to. A refused photo is a verdict even where the run failed because of it."""
    if row.state in {"pending", "leased"}:
        return "pending"
    if row.verdict == "refused":
        return "refused"
    return "failed" if row.state == "failed" else row.verdict or "unchecked"


RULES: dict[Kind, str] = {"passed": "Meets the rules", "not_confirmed": "Rules not met"}
"""The headings of a job that judged photos by rules and no likeness."""

JUDGED_BY_RULES = ("compliance", "id_photos")
"""Where a result has the reports on photos that were judged by rules."""


def word(row: JobRow) -> str:
    """The heading of one job."""
    if row.state == "leased":
        return "Running"
    by_rules = any(result_list(row, name) for name in JUDGED_BY_RULES) and not result_list(row, "likeness")
    return (RULES if by_rules else {}).get(kind(row)) or WORDS[kind(row)]


def finite(value: Any) -> float | None:
    """A number as a float; None for what is none, NaN and infinity included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def mappings(values: Any) -> list[Mapping[str, Any]]:
    """The objects of a list: a server may have sent anything."""
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list | tuple) else []


def result_list(row: JobRow, name: str) -> list[Mapping[str, Any]]:
    """The objects that the kept result has under `name`."""
    return mappings((row.result or {}).get(name))


def threshold(row: JobRow) -> float | None:
    """The threshold that the score was held against: that of the check with this score, else of the first."""
    reports = [report for report in result_list(row, "likeness") if finite(report.get("threshold")) is not None]
    same = [report for report in reports if row.score is not None and report.get("best") == row.score]
    return finite((same or reports)[0]["threshold"]) if reports else None


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
        str(image.get("reason") or "")
        for report in result_list(row, "likeness")
        for image in judged_images(report)
        if image.get("passed") is not True or row.verdict == "passed"
    ]
    reasons += [str(report.get("headline") or "") for report in result_list(row, "compliance")]
    frames = [report.get("broken") for report in result_list(row, "id_photos")]
    reasons += [str(line) for lines in frames if isinstance(lines, list) for line in lines]
    return next((" ".join(text.split()) for text in reasons if text), "")


def one_line(error: str, refused: bool) -> str:
    """An error's message in one line; of a refused photo only what is wrong with it, not which node noticed."""
    text = " ".join(error.split())
    return PHOTO_AT_FAULT.sub("", text) if refused else text


def output_files(row: JobRow) -> list[str]:
    """The files of the kept result, relative to the batch's folder as the ledger has them."""
    return [str(output["file"]) for output in result_list(row, "outputs") if output.get("file")]
