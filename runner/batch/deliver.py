"""Pictures as they are handed over: in one folder, under names that a pattern gives, and as one ZIP file."""

from __future__ import annotations

import re
import string
import time
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.files import free_path, make_private_folder, numbered_paths, write_exclusively, written_whole
from ...core.imaging.encode import FORM_OF_SUFFIX
from ...core.imaging.files import SUFFIXES
from ..errors import Misuse, OutputUnwritable
from .inputs import PART_BYTES, safe_name

if TYPE_CHECKING:
    from .job_records import JobRow

FIELDS = ("name", "number", "date")
"""What a pattern may have in braces: the photo's own name, its place in the order, and the day."""

PICTURES = "pictures"
"""The folder inside a batch in which its pictures lie together."""

QUALITY = 95
"""Of a picture that is saved in another format than the workflow's."""


@dataclass(frozen=True)
class NamePattern:
    """How pictures are called, such as ``{name}.jpg``; without an ending each keeps its own.

    Raises Misuse for a field that is not one of `FIELDS`, for a folder, and for an ending that is not written.
    """

    text: str = "{name}"

    def __post_init__(self) -> None:
        try:
            parts = [part for part in string.Formatter().parse(self.text) if part[1] is not None]
        except ValueError as error:
            raise Misuse(f"--name {self.text!r} cannot be read ({error}); write it like '{{name}}.jpg'.") from error
        for _, name, form, conversion in parts:
            if name not in FIELDS or form or conversion:
                known = ", ".join(f"{{{each}}}" for each in FIELDS)
                raise Misuse(f"--name {self.text!r} has {{{name}}}; there are: {known}.")
        if not self.text.strip() or self.text.startswith(".") or re.search(r"[/\\\0]", self.text):
            raise Misuse(f"--name {self.text!r} is no file name; write one like {{name}}.jpg, the folder as --out.")
        if self.suffix and self.suffix not in FORM_OF_SUFFIX:
            raise Misuse(f"--name {self.text!r}: {self.suffix} is not written; end it in .jpg, .png or .webp.")

    @property
    def suffix(self) -> str:
        """The ending in small letters, or nothing."""
        found = re.search(r"\.[A-Za-z0-9]{1,5}$", self.text)
        return found[0].lower() if found else ""

    def fill(self, name: str, number: int, total: int, suffix: str) -> str:
        """The name of the `number`-th of `total` pictures, which is made from the photo `name`."""
        stem = self.text[: len(self.text) - len(self.suffix)]
        values = {"name": name, "number": f"{number:0{len(str(total))}}", "date": time.strftime("%Y-%m-%d")}
        filled = stem.format(**values).encode()[: PART_BYTES - 40].decode(errors="ignore").strip() or "photo"
        return filled + (self.suffix or suffix)


@dataclass(frozen=True)
class LeftOut:
    """A job of which no picture was handed over, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Collected:
    """The pictures of a batch in one `folder`; `archive` is the ZIP with them, where one was asked for.

    `pictures`: all of them by job. `new`: how many were not there yet. `left_out`: jobs without a confirmed picture.
    """

    folder: Path
    pictures: dict[str, list[Path]]
    new: int
    left_out: tuple[LeftOut, ...]
    archive: Path | None = None

    @property
    def files(self) -> list[Path]:
        """The pictures, each once."""
        return [path for paths in self.pictures.values() for path in paths]

    def as_dict(self) -> dict[str, Any]:
        """For machine output."""
        return {
            "folder": str(self.folder),
            "pictures": {name: [str(path) for path in paths] for name, paths in self.pictures.items()},
            "new": self.new,
            "left_out": {each.name: each.reason for each in self.left_out},
            "zip": None if self.archive is None else str(self.archive),
        }


def collect_rows(
    rows: Sequence[JobRow],
    batch: Path,
    folder: Path,
    pattern: NamePattern,
    *,
    unconfirmed: bool = False,
    archive: bool = False,
) -> Collected:
    """Copy the pictures of jobs of the batch in `batch` into `folder`, under the names of their photos.

    A picture that lies there already is kept and not copied again; no file is replaced. Jobs whose picture is not
    confirmed, or that have none, are left out, unless `unconfirmed`. Raises OutputUnwritable, and what reading a
    picture raises that must be saved in another format.
    """
    pictures: dict[str, list[Path]] = {}
    left_out: list[LeftOut] = []
    used: set[Path] = set()
    new = 0
    try:
        make_private_folder(folder)
        for number, row in enumerate(rows, 1):
            reason = _why_not(row, unconfirmed=unconfirmed)
            if reason:
                left_out.append(LeftOut(row.name, reason))
                continue
            for output in row.report.outputs:
                source = batch / output.file
                if source.suffix.lower() not in SUFFIXES or not source.is_file():
                    continue
                suffix = pattern.suffix or source.suffix.lower()
                target = folder / pattern.fill(_own_name(row), number, len(rows), suffix)
                path, fresh = place(picture_as(source, suffix), target, used)
                used.add(path)
                new += fresh
                pictures.setdefault(row.name, []).append(path)
        files = [path for paths in pictures.values() for path in paths]
        packed = write_zip(files, folder.parent / f"{folder.name}.zip") if archive and files else None
    except OSError as error:
        raise OutputUnwritable(
            f"The pictures cannot be written to {folder} ({error.strerror or error}); choose another --out."
        ) from error
    return Collected(folder, pictures, new, tuple(left_out), packed)


def _why_not(row: JobRow, *, unconfirmed: bool) -> str:
    """Why a job's picture is not handed over; empty where it is."""
    from .verdict_tables import kind, reason, word

    if row.state != "done":
        return reason(row) or word(row).lower()
    return "" if unconfirmed or kind(row) in {"passed", "unchecked"} else word(row).lower()


def _own_name(row: JobRow) -> str:
    """What the user calls it: the name of the only photo, unless the job was given another one."""
    stems = [given.path.stem for given in row.spec.photos[:1]]
    return stems[0] if stems and row.name == safe_name(stems[0]) else row.name


def picture_as(source: Path, suffix: str) -> bytes:
    """The file's bytes, saved anew where the ending `suffix` says another format; what it says of its making stays."""
    form = FORM_OF_SUFFIX.get(suffix)
    if form is None or form == FORM_OF_SUFFIX.get(source.suffix.lower()):
        return source.read_bytes()
    from ...core.imaging.encode import encode_picture
    from ...core.imaging.files import load_on_white
    from ...core.provenance.save import packet_to_keep

    packet = packet_to_keep(source) or None
    return encode_picture(load_on_white(source), form, quality=QUALITY, xmp=packet).data


def place(data: bytes, target: Path, used: Iterable[Path] = ()) -> tuple[Path, bool]:
    """Put a picture at `target` or a free name beside it, unless it lies there already; where, and whether it is new.

    A file that is in `used` is another picture's, even where both are the same.
    """
    for path in numbered_paths(target):
        if path in used:
            continue
        try:
            write_exclusively(path, data, private=True)
        except FileExistsError:
            if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
                return path, False
            continue
        return path, True
    raise AssertionError("names do not end")


def write_zip(files: Sequence[Path], target: Path) -> Path:
    """One ZIP of `files` under their names, at `target` or a free name beside it. Returns it. Raises OSError."""
    path = free_path(target)
    with written_whole(path, private=True) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as packed:
        for file in files:
            packed.write(file, file.name)
    return path
