"""How far a download is: a bar on a terminal, the host's progress elsewhere, and a place to stop it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from .. import host

Advance = Callable[[int], None]
_HOST_STEPS = 100


@contextmanager
def meter(label: str, total: int, *, quiet: bool = False) -> Iterator[Advance]:
    """Yield ``advance(done)``, to be called with the bytes done so far out of `total`.

    Every call is also a point where the user can stop the run (Interrupted, or ComfyUI's own exception).
    """
    on_terminal = sys.stderr is not None and sys.stderr.isatty() and not host.inside_comfyui()
    if not quiet and on_terminal and find_spec("rich"):
        with _bar(label, total) as advance:
            yield advance
    elif quiet:
        yield lambda done: host.check_interrupted()
    else:
        if sys.stderr is not None and not host.inside_comfyui():
            print(f"Fetching {label} ({total / 1e6:.1f} MB) ...", file=sys.stderr, flush=True)
        yield _host_steps(total)


@contextmanager
def _bar(label: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)

        def advance(done: int) -> None:
            host.check_interrupted()
            bar.update(task, completed=done)

        yield advance


def _host_steps(total: int) -> Advance:
    progress = host.Progress(_HOST_STEPS)

    def advance(done: int) -> None:
        host.check_interrupted()
        steps = min(_HOST_STEPS * done // max(total, 1), _HOST_STEPS) - progress.done
        if steps > 0:
            progress.step(steps)

    return advance
