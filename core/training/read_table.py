"""Tables about photos read as rows of text: CSV of any separator, JSON lines, CelebA's text files, zipped or not."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import DatasetUnreadable
from ..imaging.files import SUFFIXES

MAX_TABLE = 500_000_000
"""Bytes of a table, after it is unpacked: CelebA's 40 attributes of 202,599 photos are 26 MB."""


def read_table(file: Path) -> Iterator[dict[str, str]]:
    """The rows of a table as they stand there, by the names of their columns, all values as text."""
    text = _text_of(file)
    if file.suffixes and ".jsonl" in file.suffixes:
        yield from _json_lines(file, text)
        return
    if ".txt" in file.suffixes:
        yield from _celeba_lines(file, text)
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text))
    try:
        names = [name.strip() for name in next(reader, [])]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise DatasetUnreadable(f"{file.name} has several columns called {twice[0]!r}; give each its own name.")
        for row in filter(None, reader):
            if len(row) != len(names):
                raise DatasetUnreadable(
                    f"{file.name} has {len(row)} cells in line {reader.line_num}, and {len(names)} columns; mend it."
                )
            yield {name: cell for name, cell in zip(names, row, strict=True) if name}
    except csv.Error as error:
        raise DatasetUnreadable(f"{file.name} is no table in line {reader.line_num} ({error}); mend it.") from error


def _separator(text: str) -> str:
    """What stands between the cells: a comma, or what spreadsheets of other countries and databases write."""
    head = text.split("\n", 1)[0]
    return max(",;\t", key=head.count)


def _json_lines(file: Path, text: str) -> Iterator[dict[str, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DatasetUnreadable(f"{file.name} is no JSON in line {number} ({error}); mend the table.") from error
        if not isinstance(entry, dict):
            raise DatasetUnreadable(f"{file.name} has no object in line {number}; mend the table.")
        nested = {key: value for key, value in entry.items() if isinstance(value, Mapping)}
        flat = {key: value for key, value in entry.items() if key not in nested}
        for inner in nested.values():
            flat |= inner
        yield {str(key): _word(value) for key, value in flat.items() if value is not None}


def _word(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _celeba_lines(file: Path, text: str) -> Iterator[dict[str, str]]:
    """CelebA's text files: values between blanks, the file first; a count and the attributes' names may go before."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if lines and len(lines[0]) == 1 and lines[0][0].isdigit():
        lines = lines[1:]
    if not lines:
        return
    headless = PurePosixPath(lines[0][0]).suffix.lower() in SUFFIXES
    names = ["value"] if headless else lines.pop(0)
    if lines and len(names) == len(lines[0]):
        names = names[1:]
    for words in lines:
        if len(words) != len(names) + 1:
            raise DatasetUnreadable(f"{file.name} has {len(words) - 1} values for {words[0]}, and {len(names)} names.")
        yield {"file": words[0], **dict(zip(names, words[1:], strict=True))}


def _text_of(file: Path) -> str:
    """The text of a table, unpacked where it is in a zip. Raises DatasetUnreadable."""
    try:
        if file.suffix.lower() != ".zip":
            size, data = file.stat().st_size, None
        else:
            with zipfile.ZipFile(file) as archive:
                inside = [each for each in archive.infolist() if not each.is_dir() and "__MACOSX" not in each.filename]
                if len(inside) != 1:
                    raise DatasetUnreadable(f"{file} holds {len(inside)} files; it must hold one table.")
                size = inside[0].file_size
                data = archive.open(inside[0]).read(MAX_TABLE + 1) if size <= MAX_TABLE else b""
        if size > MAX_TABLE or (data is not None and len(data) > MAX_TABLE):
            raise DatasetUnreadable(f"{file} has more than {MAX_TABLE // 1_000_000} MB; give a smaller table.")
        return (file.read_bytes() if data is None else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetUnreadable(f"{file} is not in UTF-8 ({error.reason}); save the table as UTF-8.") from error
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise DatasetUnreadable(f"{file} cannot be read as a table ({error}); check the name.") from error
