"""Tables of a TOML file as dataclasses: pydantic holds them against the annotations, and a fault is one sentence."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import host

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from pydantic import GetCoreSchemaHandler, TypeAdapter
    from pydantic_core import CoreSchema, ErrorDetails

T = TypeVar("T", bound="DataclassInstance")

MOST_BYTES = 1_000_000
"""A larger file is no table of ours, and would take a server seconds to read."""


@dataclass(frozen=True)
class ReadAs:
    """In ``Annotated[X, ReadAs(form, make)]``: the `form` in which an X is written, and what makes one of it.

    A ValueError of `make` says what is wrong, to follow on the key's name.
    """

    form: Any
    make: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core.core_schema import no_info_after_validator_function

        return no_info_after_validator_function(self.make, handler.generate_schema(self.form))


class TomlFile:
    """A TOML file that was read: `tables`, and errors of the class `invalid` that name file, line, table and key.

    Raises `invalid` where the file is too large, cannot be read, or is not TOML.
    """

    def __init__(self, file: Path, invalid: type[Exception] = ValueError) -> None:
        self.file, self.invalid = file, invalid
        try:
            large = file.stat().st_size > MOST_BYTES
            text = "" if large else file.read_text(encoding="utf-8")
            self.tables: dict[str, Any] = tomllib.loads(text)
        except (OSError, UnicodeDecodeError) as error:
            raise invalid(
                f"{host.shown(file)} cannot be read ({host.reason_of(error)}); save it as UTF-8 text or move it away."
            ) from error
        except (ValueError, RecursionError) as error:
            raise invalid(f"{host.shown(file)} is not TOML: {error}; correct that line.") from error
        if large:
            raise invalid(
                f"{host.shown(file)} is larger than {MOST_BYTES:,} bytes, which no such file is; move it away."
            )
        self._lines = text.splitlines()

    def checked(self, where: str, table: Any, form: type[T], **named: str) -> T:
        """The table called `where` as a `form`, with the fields `named` that do not stand in it.

        Nothing is converted but what TOML lacks: a list may be a tuple, a text an enumeration's value. That is how
        pydantic reads JSON where it is strict.
        """
        from pydantic import ValidationError

        if not isinstance(table, dict):
            raise self.wrong(where, "", "must be a table of keys and values")
        known = sorted({each.name for each in fields(form) if each.init} - set(named))
        for key in (key for key in table if key not in known):
            near = difflib.get_close_matches(key, known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"known keys are {', '.join(known)}."
            raise self.wrong(where, key, f"is not known here; {advice}")
        try:
            text = json.dumps([table | named])
        except (TypeError, ValueError, RecursionError) as error:
            raise self.wrong(where, "", f"holds what no such table has ({error}); put dates into quotes") from error
        try:
            return _adapter(form).validate_json(text)[0]
        except ValidationError as error:
            fault = error.errors()[0]
            raise self.wrong(where, str((*fault["loc"], "")[1]), _said(fault)) from error

    def wrong(self, where: str, key: str, what: str) -> Exception:
        """An error that says `what` is wrong with the table called `where`, or with a key of it."""
        line = self._line(where, key)
        place = f"line {line}, " if line else ""
        end = "" if what.endswith(("?", ".")) else "."
        return self.invalid(f"{host.shown(self.file)}, {place}[{where}]{key and f' key {key}'} {what}{end}")

    def _line(self, where: str, key: str) -> int:
        """The line of a table's key, else of its header, counted from 1; 0 when it is not written as a header."""
        header = 0
        plain = where.replace('"', "")
        for number, line in enumerate(self._lines, 1):
            if line.strip().startswith("["):
                if header:
                    break
                if line.partition("]")[0].strip(" [").replace('"', "").replace("'", "") == plain:
                    header = number
            elif header and key and re.match(rf"\s*{re.escape(key)}\s*=", line):
                return number
        return header


def read_tables(file: Path, form: type[T], invalid: type[Exception] = ValueError) -> dict[str, T]:
    """The tables of `file` in its order, as dataclasses of one `form`, whose first field takes the table's name."""
    toml, first = TomlFile(file, invalid), fields(form)[0].name
    return {name: toml.checked(name, table, form, **{first: name}) for name, table in toml.tables.items()}


@cache
def _adapter(form: type[Any]) -> TypeAdapter[list[Any]]:
    """For one table in a list: what stands in one takes its strictness from there, a dataclass alone does not."""
    from pydantic import ConfigDict, TypeAdapter

    one: Any = list[form]  # pyright: ignore[reportInvalidTypeForm]
    return TypeAdapter(one, config=ConfigDict(strict=True, extra="forbid"))


def _said(fault: ErrorDetails) -> str:
    """A fault as pydantic found it, to follow on the key's name."""
    inside = fault["loc"][-1] if len(fault["loc"]) > 2 else None
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])  # pyright: ignore[reportTypedDictNotRequiredAccess]
    if fault["type"] == "missing":
        return "is missing; add it" if inside is None else f"lacks the value {inside}; add it"
    if fault["type"] == "unexpected_keyword_argument":
        return f"has a key {inside}, which is not known here; leave it out"
    should = re.sub(r"^\w+ should", "should", fault["msg"]).replace("an object", "a table")
    return f"is {repr(fault['input'])[:100]} and {should}; correct it"
