"""The live table of `likeness batch`: cheap on a terminal, plain lines in a log, JSON lines for programs."""

from __future__ import annotations

import sys
import time
from collections import deque
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import click

from ...core.errors import first_of
from ...core.outcome_words import BAD, JOBS, JobOutcome
from ..batch.verdict_tables import one_line
from .output import Output, clean, duration, echo

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    from ..backends.pool import ServerView
    from ..batch.job_records import BatchEvent, BatchView, Counts

INTERVAL, LONGEST_INTERVAL = 0.25, 2.0
"""Seconds between two drawings, at least and at most."""

SHARE = 0.02
"""The part of one core that drawing may take: where a drawing is dear, the next one comes later."""

LINE_SECONDS = 10.0
"""Seconds between two lines where nobody watches."""

FAILURES_SHOWN, NAMES_SHOWN, BAR_WIDTH = 4, 6, 32

STATES = {"ready": ("ready", "green"), "down": ("down", "bold red"), "trial": ("being tried", "yellow")}

NUMBERS = {"In flight": 9, "Done": 7, "Median": 8}
"""The columns of numbers in the table of servers, and their widths."""

ENDS: tuple[JobOutcome, ...] = ("passed", "not_confirmed", "refused", "failed", "unchecked")
"""In the order in which they are told."""

FAILURE_STYLES = {"refused": JOBS["refused"].colour, "failed": JOBS["failed"].colour, "server down": BAD.terminal}


class BatchDisplay:
    """What a batch shows while it runs: `update` with each new view, `event` with each event, `close` at the end.

    May be called from several threads. Nothing is drawn more than four times a second.
    """

    def __init__(self, out: Output) -> None:
        self._out = out
        self._live: Live | None = None
        self._terminal = not out.as_json and sys.stderr.isatty()
        self._failures: deque[tuple[str, str, str]] = deque(maxlen=FAILURES_SHOWN)
        self._next = 0.0
        self._closed = False
        self._lock = Lock()

    def update(self, view: BatchView) -> None:
        """Show the batch as it is now, unless it was shown just before."""
        with self._lock:
            now = time.monotonic()
            if self._closed or self._out.as_json or now < self._next:
                return
            if self._terminal:
                self._next = now + min(max(INTERVAL, self._draw(view) / SHARE), LONGEST_INTERVAL)
            else:
                echo(plain_line(view), err=True)
                self._next = now + LINE_SECONDS

    def event(self, event: BatchEvent) -> None:
        """Something happened: a JSON line for programs, a line or a place in the table where it went wrong."""
        with self._lock:
            if self._closed:
                return
            if self._out.as_json:
                self._out.line(event.as_dict())
                return
            if event.kind == "planning":
                self._planning(event)
                return
            if event.kind == "left_out":
                echo(left_out(event), err=True)
                return
            failure = failure_of(event)
            if failure is not None and self._terminal:
                self._failures.append(failure)
            elif failure is not None:
                echo(f"{failure[0]}: {failure[1]}: {failure[2]}", err=True)

    def _planning(self, event: BatchEvent) -> None:
        """Say how many photos of a large batch are read before its first job."""
        if self._terminal:
            click.echo(f"\rReading photos: {event.values.get('photos_read')} ", nl=False, err=True)

    def close(self) -> None:
        """Take the table away; what comes afterwards is not shown."""
        with self._lock:
            self._closed = True
            if self._live is not None:
                self._live.stop()
                self._live = None

    def _draw(self, view: BatchView) -> float:
        """Draw the table; how much of the processor's time that took, in seconds."""
        if self._live is None:
            self._live = _live()
            self._live.start()
        began = time.thread_time()
        self._live.update(render(view, list(self._failures), self._live.console.width), refresh=True)
        return time.thread_time() - began


def left_out(event: BatchEvent) -> str:
    """Which files of the inputs are no jobs."""
    names = [clean(name) for name in event.values["names"]]
    more = event.values["count"] - len(names)
    return f"Left out, because they are no photos: {', '.join(names)}{f' and {more} more' if more else ''}."


def _live() -> Live:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False)
    return Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)


def failure_of(event: BatchEvent) -> tuple[str, str, str] | None:
    """What went wrong, as (word, name, reason); None for an event that is no failure."""
    values = event.values
    refused = values.get("verdict") == "refused"
    error = str(values.get("error") or values.get("reason") or values.get("error_code") or "no reason given")
    reason = clean(one_line(error, refused))
    if event.kind == "server_down":
        return "server down", clean(values.get("server") or values.get("url") or ""), reason
    if event.kind != "job_finished":
        return None
    word = "refused" if refused else "failed" if values.get("state") == "failed" else None
    return None if word is None else (word, clean(values.get("name") or ""), reason)


def per_minute(jobs: float) -> str:
    """A rate with as many digits as it deserves."""
    return f"{jobs:,.0f} a minute" if jobs >= 10 else f"{jobs:.1f} a minute"


def rate(view: BatchView) -> str:
    """Jobs a minute and the time that is left, as far as they are known."""
    parts = [] if view.per_minute is None else [per_minute(view.per_minute)]
    if view.seconds_left is not None:
        parts.append(f"{duration(view.seconds_left)} left")
    return ", ".join(parts)


def verdicts(counts: Counts, *, by_rules: bool = False) -> list[tuple[str, str]]:
    """How many jobs came to which end, as (words, colour). A job is counted once: a refused photo is not a failure.

    `by_rules`: photos were judged by rules, and nobody's identity was checked.
    """
    numbers = {name: getattr(counts, name) for name in ENDS}
    judged = counts.passed + counts.not_confirmed + counts.refused + counts.unchecked
    numbers["failed"] = max(counts.finished - judged, 0)
    always = {"passed", "not_confirmed"} if counts.unchecked < counts.finished else set()
    return [
        (f"{numbers[name]:,} {JOBS[name].said(by_rules=by_rules)}", JOBS[name].colour)
        for name in ENDS
        if numbers[name] or name in always
    ]


def plain_line(view: BatchView) -> str:
    """The state of the batch in one line, for logs."""
    counts = view.counts
    down = [clean(server.url) for server in view.servers if server.state == "down"]
    parts = [
        f"{counts.finished:,}/{counts.total:,} done",
        *(words for words, _ in verdicts(counts, by_rules=view.by_rules)),
        rate(view),
    ]
    if down:
        parts.append("down: " + " ".join(down))
    return " · ".join(part for part in parts if part)


def render(view: BatchView, failures: list[tuple[str, str, str]], width: int) -> Group:
    """The whole table, for a terminal of `width` columns."""
    from rich.console import Group

    parts: list[Any] = [_progress(view, width), _verdict_line(view)]
    if view.servers:
        parts.append(_servers(view.servers, width))
        parts += [_line((clean(each.url), "bold"), f"  {_trouble(each)}") for each in view.servers if _trouble(each)]
    if view.running:
        text = first_of([clean(name) for name in view.running], NAMES_SHOWN)
        parts.append(_line(("Running  ", "dim"), text))
    for word, name, reason in failures:
        parts.append(_line((f"{word}  ", FAILURE_STYLES[word]), (name, "bold"), f"  {reason}"))
    return Group(*parts)


def _line(*parts: str | tuple[str, str]) -> Text:
    """One line, cut off at the end of the terminal's."""
    from rich.text import Text

    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _progress(view: BatchView, width: int) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Column, Table

    counts = view.counts
    row = Table.grid(*(Column(no_wrap=True) for _ in range(4)), padding=(0, 2))
    bar = ProgressBar(
        total=max(counts.total, 1), completed=counts.finished, width=min(BAR_WIDTH, width // 4), complete_style="green"
    )
    row.add_row(bar, f"{counts.finished:,}/{counts.total:,}", duration(view.elapsed), rate(view))
    return row


def _verdict_line(view: BatchView) -> Text:
    parts = [part for each in verdicts(view.counts, by_rules=view.by_rules) for part in ("  ·  ", each)]
    return _line(*parts[1:])


def _servers(servers: tuple[ServerView, ...], width: int) -> Table:
    """One line for each server. Texts are cut here: rich would make the short columns pay for the long ones."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    urls = [_cut(clean(server.url), max(width // 3, 20)) for server in servers]
    states = [STATES[server.state] for server in servers]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, header_style="dim")
    fixed = {"Server": max(map(len, urls)), "State": max(len(word) for word, _ in states)} | NUMBERS
    for name, wide in fixed.items():
        table.add_column(name, width=max(wide, len(name)), no_wrap=True, justify="right" if name in NUMBERS else "left")
    for server, url, (word, style) in zip(servers, urls, states, strict=True):
        table.add_row(
            Text(url),
            Text(word, style),
            f"{server.in_flight}/{server.capacity}",
            f"{server.done:,}",
            "–" if server.median_seconds is None else f"{server.median_seconds:.1f} s",
        )
    return table


def _trouble(server: ServerView) -> str:
    """The last error of a server, and when it is tried next."""
    error = clean(server.last_error or "")
    if server.state != "down" or server.next_try is None:
        return error
    return f"next try in {duration(max(server.next_try, 0))}" + (f": {error}" if error else "")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def show_summary(
    out: Output,
    counts: Counts,
    *,
    seconds: float,
    sheet: Path | None = None,
    csv: Path | None = None,
    jobs_run: int | None = None,
    by_rules: bool = False,
    to_look_at: int = 0,
    saved_nothing: int = 0,
) -> None:
    """What came of the batch, for people. `jobs_run` of its jobs took these `seconds`; the others were done before."""
    parts: list[str | tuple[str, str]] = [*verdicts(counts, by_rules=by_rules)]
    waiting = counts.total - counts.finished
    if waiting:
        parts.append(f"{waiting:,} not finished")
    out.say_in_colour("Verdicts  ", *[each for part in parts for each in (" · ", part)][1:])
    if to_look_at:
        which = "picture that is" if to_look_at == 1 else "pictures that are"
        out.say(f"Look at   {to_look_at:,} {which} not known to be good")
    if saved_nothing:
        jobs = "job" if saved_nothing == 1 else "jobs"
        out.say(f"Nothing   {saved_nothing:,} {jobs} saved no file; end the workflow in one that saves, as Save Image")
    ran = counts.finished if jobs_run is None else jobs_run
    speed = f", {per_minute(60 * ran / seconds)}" if ran and seconds > 0 else ""
    earlier = f" ({counts.finished - ran:,} were done before)" if ran < counts.finished else ""
    out.say(f"Time      {ran:,} {'job' if ran == 1 else 'jobs'} in {duration(seconds)}{speed}{earlier}")
    if sheet is not None:
        out.say(f"Sheet     {sheet}")
    if csv is not None:
        out.say(f"Table     {csv}")
