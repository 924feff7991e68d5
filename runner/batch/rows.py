"""How jobs and attempts stand in the ledger's tables: dataclasses to rows and back."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...core.errors import LikenessError
from ..errors import LedgerUnreadable
from ..workflow.input_files import Given
from ..workflow.overrides import Setting
from .job import Attempt, JobRow, JobSpec

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
    try:
        values = json.loads(text)
        photos = tuple(Given(Path(path), target) for path, target in values["photos"])
        return JobSpec(name, photos, tuple(Setting(*setting) for setting in values["settings"]))
    except (ValueError, TypeError, KeyError) as error:
        raise LedgerUnreadable(
            f"The ledger's entry of {name} is damaged; move the ledger away, start again."
        ) from error


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
    try:
        result = None if row["result"] is None else json.loads(row["result"])
    except ValueError as error:
        raise LedgerUnreadable(f"The ledger's result of {row['name']} is damaged; retry that job.") from error
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
        result=result,
        attempts=tuple(attempt_from(attempt) for attempt in attempts),
    )
