"""What may stand in a ledger: every value is looked at as it is read, whoever wrote it, and refused in one sentence."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from ..errors import LedgerUnreadable
from ..report.schema_base import is_number
from .job_records import Outcome, State, Verdict

LARGEST = 2**62
"""Numbers of jobs and tries, and the place after all places."""

LAST_MOMENT = 253_402_300_799
"""The end of the year 9999 in seconds of the epoch: the last one that can be written as a date."""

SEED_DIGITS = 20
"""A seed has 64 bits."""

NAME_BYTES = 255


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _count(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value <= LARGEST


def _seconds(value: Any) -> bool:
    return is_number(value) and 0 <= value <= LAST_MOMENT


def _seed(value: Any) -> bool:
    return isinstance(value, str) and value.isdecimal() and len(value) <= SEED_DIGITS


def is_folder_name(value: Any) -> bool:
    """Whether it names a folder right inside the batch's, and none of the ledger's own files and folders."""
    return (
        isinstance(value, str)
        and bool(value)
        and value not in {".", "..", ".work"}
        and not set(value) & {"/", "\\", "\0"}
        and len(value.encode("utf-8", "surrogatepass")) <= NAME_BYTES
    )


def _one_of(words: tuple[str, ...]) -> Callable[[Any], bool]:
    return lambda value: value in words


def _or_nothing(is_right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or is_right(value)


RIGHT: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("key", "name", "spec", "affinity", "value", "sha256"), _text),
    **dict.fromkeys(("server", "prompt_id", "error_code", "error", "last_error", "result"), _or_nothing(_text)),
    **dict.fromkeys(("id", "job", "number", "released", "counted_from"), _count),
    **dict.fromkeys(("seconds", "finished"), _or_nothing(_seconds)),
    "started": _seconds,
    "place": _or_nothing(_count),
    "score": _or_nothing(is_number),
    "seed": _or_nothing(_seed),
    "home": is_folder_name,
    "folder": _or_nothing(is_folder_name),
    "state": _one_of(get_args(State)),
    "verdict": _or_nothing(_one_of(get_args(Verdict))),
    "outcome": _or_nothing(_one_of(get_args(Outcome))),
}
"""What each column may hold, wherever a query names it: SQLite itself takes anything anywhere."""


def checked_rows(path: Path) -> Callable[[sqlite3.Cursor, tuple[Any, ...]], sqlite3.Row]:
    """What makes the rows of the ledger at `path`. Raises LedgerUnreadable for a value that no batch writes."""

    def checked(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> sqlite3.Row:
        row = sqlite3.Row(cursor, values)
        for column, value in zip(row.keys(), values, strict=True):
            is_right = RIGHT.get(column)
            if is_right is not None and not is_right(value):
                raise LedgerUnreadable(
                    f"{path} has {_shown(value)} where the {column} of a job stands, which no batch wrote; move it "
                    "away and start again: results that are there already are kept."
                )
        return row

    return checked


def json_object(text: str, what: str) -> dict[str, Any]:
    """The object that a text of the ledger is; `what` it is, for the error. Raises LedgerUnreadable."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(what) from error
    if not isinstance(values, dict):
        raise damaged(what)
    return values


def result_object(text: str, name: str) -> dict[str, Any]:
    """The result of the job called `name`, whose files are named by texts. Raises LedgerUnreadable."""
    what = f"result of {name}"
    result = json_object(text, what)
    if not are_outputs(result.get("outputs", [])):
        raise damaged(what)
    return result


def are_outputs(outputs: Any) -> bool:
    """Whether it is what a result says of its files."""
    return isinstance(outputs, list) and all(
        isinstance(output, dict) and isinstance(output.get("file"), str) and "\0" not in output["file"]
        for output in outputs
    )


def damaged(what: str) -> LedgerUnreadable:
    """The error for an entry that is not what a batch writes."""
    return LedgerUnreadable(f"The ledger's {what} is damaged; retry that job, or move the ledger away and start again.")


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    text = repr(value[:40]) if isinstance(value, str) else repr(value)
    return text if len(text) <= 44 else f"{text[:40]}…"
