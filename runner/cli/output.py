"""What every command prints through: a person sees text and bars, a program sees one JSON object a line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...core.errors import LikenessError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from ..backends.base import Event


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def clean(text: Any) -> str:
    """One line without control characters: a file name or a server's message must not steer the terminal."""
    return "".join(char if char.isprintable() else " " for char in " ".join(str(text).split()))


def harmless(text: Any) -> str:
    """The text with its lines and tabs, and without what steers a terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in str(text))


def echo(text: Any = "", *, err: bool = False, nl: bool = True) -> None:
    """Print what may hold names and words of others: nothing in it steers the terminal."""
    click.echo(harmless(text), err=err, nl=nl)


def print_columns(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print `rows` below `titles`, two blanks between the columns."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        echo("  ".join(cells).rstrip())


MOST_ROWS = 60
"""More rows of an overview than this are counted instead of listed: the page shows all."""


def print_overview(out: Output, titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table of what became of each of many photos, for people; the worst come first."""
    if out.as_json:
        return
    out.say()
    print_columns(titles, rows[:MOST_ROWS])
    if len(rows) > MOST_ROWS:
        out.say(f"… and {len(rows) - MOST_ROWS} more, which are on the sheet")
    out.say()


def short_path(path: Path) -> str:
    """A path as the user would type it from here, on one line."""
    with suppress(ValueError):
        path = path.relative_to(Path.cwd())
    return clean_part(str(path))


def clean_part(text: str) -> str:
    """A part of a line, with its blanks, and without control characters."""
    return harmless(text).replace("\n", " ")


STEERING = re.compile(r"[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What JSON may carry as it is and a terminal obeys; the rest of the control characters JSON escapes itself."""


DONE, FAILED, USAGE, VERDICT_FAILED, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes. `VERDICT_FAILED`: everything worked and a check, of likeness or of a photo by rules, said no."""

F = TypeVar("F", bound=Callable[..., Any])


class Output:
    """Where results, progress and errors of one command go. `as_json` is set by ``--json``."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self._bars: _Bars | None = None

    @property
    def console(self) -> Console:
        """Rich's console on standard output."""
        from rich.console import Console

        return Console(highlight=False, soft_wrap=True)

    def say(self, text: str = "") -> None:
        """A line of text for people; programs do not get it."""
        if not self.as_json:
            echo(text)

    def say_in_colour(self, *parts: str | tuple[str, str]) -> None:
        """A line of text for people, some parts of it with a style of rich's."""
        from rich.text import Text

        cleaned = [clean_part(part) if isinstance(part, str) else (clean_part(part[0]), part[1]) for part in parts]
        if not self.as_json:
            self.console.print(Text.assemble(*cleaned))

    def line(self, values: dict[str, Any]) -> None:
        """A JSON object on a line of its own."""
        text = json.dumps(values, ensure_ascii=False, default=str)
        click.echo(STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text))

    def result(self, values: dict[str, Any], show: Callable[[], None]) -> None:
        """The end of a command that worked: `values` for programs, `show` for people."""
        self.close()
        if self.as_json:
            self.line({"event": "result"} | values)
        else:
            show()

    def on_event(self, event: Event) -> None:
        """Progress of a run. Previews are for programs that run in this process."""
        if event.kind == "preview":
            return
        if self.as_json:
            self.line(event.as_dict())
            return
        if self._bars is None and sys.stderr.isatty():
            self._bars = _Bars()
        if self._bars is not None:
            self._bars.show(event)

    def error(self, error: LikenessError) -> None:
        """One line on standard error with the code; for programs also the last JSON object."""
        self.close()
        details = error.as_dict()
        if self.as_json:
            self.line({"event": "error"} | details)
        echo(f"error [{details['code']}] {error}", err=True)

    def usage(self, error: click.UsageError) -> None:
        """The last JSON object of a command that was called wrongly."""
        self.line({"event": "error", "code": "usage", "message": error.format_message()})

    def close(self) -> None:
        """Take the bars away."""
        if self._bars is not None:
            self._bars.close()
            self._bars = None


class _Bars:
    """Two lines at the bottom of the terminal: the whole run and the current node."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress: Progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=32),
            TextColumn("{task.fields[count]}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._all = self._progress.add_task("Workflow", total=None, count="")
        self._node = self._progress.add_task("", total=None, count="", visible=False)
        self._progress.start()

    def show(self, event: Event) -> None:
        """Move the bars."""
        bars = self._progress
        if event.total is not None:
            finished = (event.index or 0) + (event.kind in {"cached", "node_done"}) if event.kind != "start" else 0
            bars.update(self._all, total=event.total, completed=finished, count=f"{finished}/{event.total}")
        if event.kind == "node":
            bars.reset(self._node, total=None, description=clean(event.title or ""), count="", visible=True)
        if event.kind == "progress" and event.steps:
            bars.update(self._node, total=event.steps, completed=event.done, count=f"{event.done}/{event.steps}")

    def close(self) -> None:
        """Stop drawing."""
        self._progress.stop()


class StatusLine:
    """A line on a terminal that is written over; nothing where standard error is a file."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._width = 0

    def show(self, text: str) -> None:
        """Write over what was there."""
        if self._shown:
            click.echo("\r" + clean_part(text).ljust(self._width), nl=False, err=True)
            self._width = len(text)

    def clear(self) -> None:
        """Leave nothing of it."""
        if self._width:
            click.echo("\r" + " " * self._width + "\r", nl=False, err=True)
            self._width = 0


@contextmanager
def status_line(out: Output) -> Iterator[StatusLine]:
    """A line for progress, which is gone at the end."""
    line = StatusLine(sys.stderr.isatty() and not out.as_json)
    try:
        yield line
    finally:
        line.clear()


@contextmanager
def told_as_usage() -> Iterator[None]:
    """Arguments that do not go together are wrong usage."""
    from ..errors import Misuse

    try:
        yield
    except Misuse as error:
        raise click.UsageError(str(error)) from error


def current_output() -> Output:
    """The output object of the running command."""
    return click.get_current_context().ensure_object(Output)


def json_option(command: F) -> F:
    """Add ``--json`` to a command."""

    def choose(context: click.Context, _: click.Parameter, value: bool) -> None:
        context.ensure_object(Output).as_json = value

    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=choose,
        help="One JSON object a line, for programs.",
    )(command)
