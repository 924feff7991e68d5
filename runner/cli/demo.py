"""`likeness demo`: what `make demo` shows, a studio headshot of the demo photo with its evidence."""

from __future__ import annotations

from pathlib import Path

import click

from .output import current_output, json_option
from .run import connect, finish, prepare

WORKFLOW = "studio_headshot"
PHOTO = Path(__file__).resolve().parent.parent / "demo.jpg"
MODELS = ("yunet", "sface", "u2net")
"""What the workflow needs; fetched first, so that the download has a bar of its own."""


@click.command()
@click.option("--output", "-o", type=click.Path(path_type=Path), default=Path("output/demo"), show_default=True)
@json_option
def demo(output: Path) -> None:
    """Make a studio headshot of the demo photo on this machine: no server, no GPU, no account."""
    from ...core.models import store
    from ..backends.execute import run_once
    from ..workflow.input_files import Given

    out = current_output()
    store.paths(*MODELS)
    with connect(None, {}) as client:
        finished = run_once(prepare(client, WORKFLOW, ()), client.backend, output, [Given(PHOTO)], out.on_event)
    finish(out, finished)
