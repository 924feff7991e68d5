"""`likeness server`: a ComfyUI on this machine that is started, watched, restarted and stopped for the user."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .output import FAILED, INTERRUPTED, Output, current_output, echo, harmless, json_option

if TYPE_CHECKING:
    from ..managed import Managed, Options, ServerState

_NAME = click.option("--name", default="default", show_default=True, help="Which server; address it as @NAME.")
_OURS = {"--port": "--port", "--listen": "--listen", "--base-directory": "--base"}
"""What ComfyUI must be told by us, and the option for it."""


@click.group()
def server() -> None:
    """A ComfyUI server of this machine: start it, see how it is, stop it."""


@server.command()
@_NAME
@click.option("--comfyui", type=click.Path(path_type=Path), help="ComfyUI's folder [default: COMFYUI_PATH, comfy-cli].")
@click.option("--python", type=click.Path(path_type=Path), help="The Python that runs it [default: its own venv].")
@click.option("--cpu", is_flag=True, help="Run on the CPU.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port [default: the first free one from 8188 on].")
@click.option("--listen", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--recycle-after", type=click.IntRange(1), help="Restart it after that many prompts, against leaks.")
@click.option("--hang-after", type=click.FloatRange(1), help="Restart it after that many seconds without an answer.")
@click.option("--base", type=click.Path(path_type=Path), help="Folder of its models, custom_nodes, input and output.")
@click.option("--wait", type=click.FloatRange(0), default=180, show_default=True, help="Seconds to wait until ready.")
@click.option("--no-install", is_flag=True, help="Change nothing in ComfyUI: fail where the pack is not ready there.")
@click.argument("extra", nargs=-1, type=click.UNPROCESSED)
@json_option
def start(**chosen: Any) -> None:
    """Start a ComfyUI and wait until it is ready; words after -- go to ComfyUI.

    This pack is linked into ComfyUI's custom_nodes, and packages that it needs and that ComfyUI's Python lacks are
    installed into that Python, unless they are there already; --no-install does neither.

    It is restarted when it crashes or hangs, and runs on when this terminal is closed, until `likeness server stop`.
    """
    from ...core.interrupt import stoppable
    from ..managed import start as start_server

    out = current_output()
    given = _given()
    options = _options(chosen)

    with _waiting(out, options.name) as say:
        running = stoppable(lambda stopped: start_server(options, say, stopped))
    different = running.not_applied(options, given) if running.already_running else []
    _show_started(out, running, [_option_name(field) for field in different])


def _given() -> list[str]:
    """The fields of Options that the user named on the command line and that a running server keeps."""
    context = click.get_current_context()
    named = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    kept = ["limits" if name == "hang_after" else name for name in named]
    return [name for name in kept if name not in {"name", "wait", "no_install"}]


def _option_name(field: str) -> str:
    """A field of Options as the user writes it."""
    written = {"limits": "--hang-after", "extra": "words after --"}
    return written.get(field, f"--{field.replace('_', '-')}")


def _options(chosen: dict[str, Any]) -> Options:
    from ..managed import Limits, Options

    for word in chosen["extra"]:
        if (ours := _OURS.get(word.partition("=")[0])) is not None:
            raise click.UsageError(f"Give {ours} before the --, not {word} after it.")
    hang = chosen.pop("hang_after")
    install = not chosen.pop("no_install")
    return Options(**chosen, install=install, limits=Limits(hang=hang) if hang else Limits())


@contextmanager
def _waiting(out: Output, name: str) -> Iterator[Callable[[str], None]]:
    """A spinner with the time, on a terminal; gives what prints a line above it."""
    if out.as_json or not sys.stderr.isatty():
        yield lambda text: echo(text, err=True)
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        bar.add_task(f"Starting ComfyUI ({name})", total=None)
        yield lambda text: bar.console.print(harmless(text), markup=False, highlight=False, soft_wrap=True)


def _show_started(out: Output, running: Managed, not_applied: Sequence[str] = ()) -> None:
    def show() -> None:
        words = "runs already" if running.already_running else known.state
        out.say(f"Server   @{running.name} {words}")
        out.say(f"URL      {running.url}")
        out.say(f"Log      {known.log}")

    known = running.status()
    values = {"server": known.as_dict(), "already_running": running.already_running, "not_applied": [*not_applied]}
    out.result(values, show)
    if not_applied:
        again = f"likeness server stop --name {running.name}"
        echo(f"Not applied, as it runs already: {', '.join(not_applied)}. First {again}, then start it.", err=True)
        sys.exit(FAILED)


@server.command()
@_NAME
@json_option
def restart(name: str) -> None:
    """Stop the server and start it again as it was started, on the same port."""
    from ...core.interrupt import stoppable
    from ..managed import Managed

    out = current_output()
    with _waiting(out, name) as say:
        running = stoppable(lambda stopped: Managed(name, "").restart(say, stopped))
    _show_started(out, running)


@server.command()
@_NAME
@click.option("--all", "everyone", is_flag=True, help="Stop every managed server.")
@json_option
def stop(name: str, everyone: bool) -> None:
    """Stop the server: its supervisor, ComfyUI, and whatever was left of either."""
    from ..managed import Managed, statuses

    named = click.get_current_context().get_parameter_source("name") is ParameterSource.COMMANDLINE
    if everyone and named:
        raise click.UsageError("Give --all or --name, not both.")
    out = current_output()
    names = [known.name for known in statuses()] if everyone else [name]
    stopped = {each: Managed(each, "").stop() for each in names}

    def show() -> None:
        for each, was_running in stopped.items():
            out.say(f"@{each} {'was stopped' if was_running else 'was not running'}")
        if not stopped:
            out.say("No managed server was ever started.")

    out.result({"stopped": [each for each, was_running in stopped.items() if was_running]}, show)


@server.command()
@click.option("--name", help="Only this one [default: all].")
@json_option
def status(name: str | None) -> None:
    """Show the managed servers. Ends with 0 when there is one and every one that should run is ready, else with 1."""
    from ..managed import Managed, statuses

    out = current_output()
    known = [Managed(name, "").status()] if name else statuses()
    wanted = known if name else [each for each in known if each.state != "stopped"]
    out.result({"servers": [each.as_dict() for each in known]}, lambda: _show_table(out, known))
    if not wanted or any(each.state != "ready" for each in wanted):
        sys.exit(FAILED)


def _show_table(out: Output, known: list[ServerState]) -> None:
    rows = [("name", "state", "url", "jobs", "restarts", "recycled", "started")]
    rows += [
        (each.name, each.state, each.url, str(each.jobs), str(each.restarts), str(each.recycled), each.started)
        for each in known
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows if known else ():
        out.say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for each in known:
        if each.last_error and each.state != "stopped":
            out.say(f"@{each.name}: {each.last_error}")
    if not known:
        out.say("No managed server was ever started; start one: likeness server start.")


@server.command()
@_NAME
@click.option("-n", "--lines", type=click.IntRange(0), default=50, show_default=True, help="How many of the last ones.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on showing what is added, until Ctrl-C.")
def logs(name: str, lines: int, following: bool) -> None:
    """Show what ComfyUI printed."""
    from ..managed import Managed
    from ..managed.child import follow

    managed = Managed(name, "")
    log = Path(managed.status().log)
    try:
        for line in managed.log(lines):
            echo(line)
        for text in follow(log, lambda: False) if following else ():
            echo(text, nl=False)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
