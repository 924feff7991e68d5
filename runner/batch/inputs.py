"""A batch's inputs as named jobs: a folder of photos, a folder of folders, a CSV or a JSONL table."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from ...core.errors import LikenessError
from ..errors import BatchInputsInvalid
from ..workflow.graph import did_you_mean
from ..workflow.input_files import Given
from ..workflow.overrides import Setting
from .job_records import JobSpec

NAME_BYTES = 120

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
"""Names of devices, which Windows does not take for folders."""


def natural(path: Path) -> tuple[list[tuple[bool, int, str]], str]:
    """A key that sorts ``photo2`` before ``photo10``."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part], path.name


def safe_name(name: str) -> str:
    """A name for a folder on any system that says the same: letters of all scripts, digits, hyphens, underscores."""
    text = re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFC", name)).strip("_-")
    text = text.encode()[:NAME_BYTES].decode(errors="ignore").rstrip("_-")
    return f"{text}_" if _RESERVED.fullmatch(text) else text or "photo"


def with_unique_names(jobs: Sequence[JobSpec]) -> list[JobSpec]:
    """The jobs, where the second ``anna`` is called ``anna_2``. Names that differ only in case count as the same."""
    taken = {job.name.casefold() for job in jobs}
    used: set[str] = set()
    last: dict[str, int] = {}
    found = []
    for job in jobs:
        name, plain = job.name, job.name.casefold()
        while name.casefold() in used or (name is not job.name and name.casefold() in taken):
            last[plain] = last.get(plain, 1) + 1
            name = f"{job.name}_{last[plain]}"
        used.add(name.casefold())
        found.append(replace(job, name=name))
    return found


ANY_PHOTO = frozenset({"photo", "input"})
SEPARATORS = ",;\t"
JSON_KEYS = ("name", "inputs", "set")
PART_BYTES = 255
"""The longest file name that file systems take."""


MOST_FAULTS = 50
"""More faults of a table than this are counted instead of listed."""


class Faults:
    """What is wrong with the rows of a table, so that all of it is told at once."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.found: list[LikenessError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep what is wrong with one row, and go on with the next."""
        try:
            yield
        except LikenessError as error:
            self.found.append(error)

    def raise_all(self) -> None:
        """Raise the one fault itself, or one BatchInputsInvalid that lists all; nothing for none."""
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            lines = "".join(f"\n  - {' '.join(str(error).split())}" for error in self.found[:MOST_FAULTS])
            more = len(self.found) - MOST_FAULTS
            lines += f"\n  - and {more} more" if more > 0 else ""
            raise BatchInputsInvalid(f"{self.source} has {len(self.found)} faults, and nothing was run:{lines}")


def from_csv(source: Path) -> list[JobSpec]:
    """One job a row. The first row names the columns:

    ``name`` is the job's name and may be left out; ``photo`` or ``input`` is a photo for the first node that wants
    one; ``Title.input`` is a setting; any other column is a photo for the node of that title. Empty cells are left
    out. Cells are separated by commas, semicolons or tabs. Raises BatchInputsInvalid with every line that is wrong.
    """
    text = _text(source)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=re.sub('"[^"]*"', "", first).count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    jobs: list[JobSpec] = []
    columns: list[str] = []
    faults = Faults(source)
    try:
        for cells in reader:
            where = f"{source}, line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _columns(where, cells)
                continue
            with faults.noted():
                jobs.append(_csv_job(where, columns, cells, source.parent, len(jobs) + 1))
    except csv.Error as error:
        wrong = f"{source}, line {reader.line_num} is not CSV ({error}); mend the quotes."
        faults.found.append(BatchInputsInvalid(wrong))
    faults.raise_all()
    return jobs


def _columns(where: str, cells: list[str]) -> list[str]:
    columns = [cell.strip() for cell in cells]
    while columns and not columns[-1]:
        columns.pop()
    if "" in columns:
        _refuse(where, f"column {columns.index('') + 1} has no title", "name it or delete it")
    folded = [column.casefold() for column in columns]
    twice = next((column for column in columns if folded.count(column.casefold()) > 1), None)
    if twice is not None:
        _refuse(where, f"the column {twice!r} is there twice", "delete one")
    for column in columns:
        if "." in column:
            _setting(where, column, "")
    return columns


def _csv_job(where: str, columns: list[str], cells: list[str], folder: Path, number: int) -> JobSpec:
    if any(cell.strip() for cell in cells[len(columns) :]):
        _refuse(
            where, f"there are {len(cells)} cells and only {len(columns)} columns", "put cells with commas in quotes"
        )
    name, photos, assigned = "", [], []
    for column, cell in zip(columns, (cell.strip() for cell in cells), strict=False):
        if not cell:
            continue
        _check_text(where, cell)
        if column.casefold() == "name":
            name = cell
        elif "." in column:
            assigned.append(_setting(where, column, cell))
        else:
            photos.append(_given(where, folder, cell, None if column.casefold() in ANY_PHOTO else column))
    return _job(name, photos, assigned, number)


def from_jsonl(source: Path) -> list[JobSpec]:
    """One job a line: ``{"name": "anna", "inputs": ["me.jpg"], "set": {"Backdrop.colour": "navy"}}``.

    ``inputs`` is a path, a list of paths, or paths by the titles of nodes; all three keys may be left out. Empty lines
    and lines that start with ``#`` are skipped. Raises BatchInputsInvalid with every line that is wrong.
    """
    jobs: list[JobSpec] = []
    faults = Faults(source)
    for number, line in enumerate(_text(source).split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            with faults.noted():
                jobs.append(_json_job(f"{source}, line {number}", line, source.parent, len(jobs) + 1))
    faults.raise_all()
    return jobs


def _json_job(where: str, line: str, folder: Path, number: int) -> JobSpec:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BatchInputsInvalid(f"{where} is not JSON ({error}); write one object on each line.") from error
    if not isinstance(values, dict):
        _refuse(where, "it is not an object", 'write it like {"inputs": ["me.jpg"]}')
    unknown = next((key for key in values if key not in JSON_KEYS), None)
    if unknown is not None:
        hint = did_you_mean(unknown, JSON_KEYS)
        raise BatchInputsInvalid(f"{where}: the key {unknown!r} is unknown; rename or delete it{hint}")
    name = values.get("name", "")
    if not isinstance(name, str):
        _refuse(where, f"the name {name!r} is not text", "put it in quotes")
    _check_text(where, name)
    photos = list(_json_photos(where, folder, values.get("inputs", [])))
    return _job(name, photos, _json_settings(where, values.get("set", {})), number)


def _json_photos(where: str, folder: Path, value: Any, target: str | None = None) -> Iterator[Given]:
    match value:
        case str():
            yield _given(where, folder, value, target)
        case list():
            for entry in value:
                if not isinstance(entry, str):
                    _refuse(where, f"the input {entry!r} is not a path", "write paths in quotes")
                yield _given(where, folder, entry, target)
        case dict() if target is None:
            for title, entry in value.items():
                _check_text(where, title)
                if not title.strip():
                    _refuse(where, "an input has an empty title", "write a node's title")
                yield from _json_photos(where, folder, entry, title.strip())
        case _:
            _refuse(where, f"the inputs {value!r} are not paths", "write a list, or an object of titles and paths")


def _json_settings(where: str, values: Any) -> list[Setting]:
    if not isinstance(values, dict):
        _refuse(where, f"the settings {values!r} are not an object", 'write them like {"Backdrop.colour": "navy"}')
    found = []
    for name, value in values.items():
        if isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, str | int | float):
            _refuse(where, f"the value {value!r} of {name!r} is neither text nor a number", "write one of these")
        try:
            words = str(value)
        except ValueError:
            _refuse(where, f"the number of {name!r} has too many digits", "write a shorter one")
        _check_text(where, words)
        found.append(_setting(where, name, words))
    return found


def _text(source: Path) -> str:
    try:
        content = source.read_bytes()
    except OSError as error:
        raise BatchInputsInvalid(f"{source} cannot be read ({error.strerror}); check it.") from error
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BatchInputsInvalid(f"{source}, line {line} is not UTF-8 text; save the table as UTF-8.") from error


def _setting(where: str, name: str, value: str) -> Setting:
    _check_text(where, name)
    target, _, socket = name.rpartition(".")
    if not target.strip() or not socket.strip():
        _refuse(where, f"{name!r} does not name a setting", "write it as Title.input")
    return Setting(target.strip(), socket.strip(), value)


def _given(where: str, folder: Path, path: str, target: str | None) -> Given:
    path = path.strip()
    _check_text(where, path)
    if not path:
        _refuse(where, "a path is empty", "write it or leave the input out")
    try:
        found = (folder / Path(path).expanduser()).absolute()
    except RuntimeError:
        _refuse(where, f"the home folder in {path!r} is not known", "write the whole path")
    if any(len(part.encode()) > PART_BYTES for part in found.parts):
        _refuse(where, f"the path {path[:40]!r}... is longer than a file name can be", "check it")
    return Given(found, target)


def _check_text(where: str, text: str) -> None:
    """Text that no file system and no terminal takes."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        _refuse(where, f"{text[:40]!r} has characters that no file name can have", "type it anew")


def _job(name: str, photos: list[Given], assigned: list[Setting], number: int) -> JobSpec:
    if not name and photos:
        first = photos[0].path
        name = first.name if first.is_dir() else first.stem
    return JobSpec(safe_name(name or f"job_{number}"), tuple(photos), tuple(assigned))


def _refuse(where: str, what: str, remedy: str) -> NoReturn:
    raise BatchInputsInvalid(f"{where}: {what}; {remedy}.")


TABLES, LINES = frozenset({".csv", ".tsv"}), frozenset({".jsonl", ".ndjson"})


@dataclass(frozen=True)
class Inputs:
    """The jobs, and the files and folders that were left out because they are no photos."""

    jobs: list[JobSpec]
    left_out: list[Path]


def read_inputs(source: Path) -> Inputs:
    """The jobs of `source`, with names that are unique and the same each time. Raises BatchInputsInvalid.

    A folder: each photo is a job, in the order that people count in; in a folder without photos each folder with
    photos is a job. A CSV or JSONL: each row is a job, see `table.py`. A photo that is missing or broken is not an
    error here: its job will fail with the reason.
    """
    if source.is_dir():
        return _from_folder(source)
    if not source.exists():
        raise BatchInputsInvalid(f"There is no folder or table at {source}; check the path.")
    suffix = source.suffix.lower()
    if suffix not in TABLES | LINES:
        raise BatchInputsInvalid(f"{source} is neither a folder nor a .csv or .jsonl table; give one of these.")
    jobs = (from_csv if suffix in TABLES else from_jsonl)(source)
    if not jobs:
        raise BatchInputsInvalid(f"{source} has no jobs; write one row for each photo.")
    return Inputs(with_unique_names(jobs), [])


def _from_folder(source: Path) -> Inputs:
    from ...core.imaging.files import SUFFIXES

    try:
        entries = sorted((path for path in source.iterdir() if not path.name.startswith(".")), key=natural)
        photos = [path for path in entries if _is_photo(path)]
        found = photos or [path for path in entries if path.is_dir() and any(map(_is_photo, path.iterdir()))]
    except OSError as error:
        raise BatchInputsInvalid(
            f"The folder {source} cannot be read ({error.strerror}); check its permissions."
        ) from error
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise BatchInputsInvalid(f"There is no photo in {source} or in a folder of it; photos end in {kinds}.")
    jobs = [JobSpec(safe_name(path.name if path.is_dir() else path.stem), (Given(path.absolute()),)) for path in found]
    return Inputs(with_unique_names(jobs), [path for path in entries if path not in set(found)])


def _is_photo(path: Path) -> bool:
    """By its name. A link to nowhere, or a format that is not read, is a job that fails: none is left out silently."""
    from ...core.imaging.files import FOREIGN_SUFFIXES, SUFFIXES

    known = path.suffix.lower() in SUFFIXES | FOREIGN_SUFFIXES
    return known and not path.name.startswith(".") and not path.is_dir()
