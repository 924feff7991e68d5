"""A batch's inputs as jobs: a folder of photos, a folder of folders, a CSV or a JSONL table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import BatchInputsInvalid
from ..workflow.input_files import Given
from .job import JobSpec
from .names import natural, safe_name, with_unique_names
from .table import from_csv, from_jsonl

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
