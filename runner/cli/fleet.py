"""The options of commands that spread work over servers: batch and compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from .run import HeaderParam

FLEET = (
    click.option("--server", "-s", "servers", multiple=True, help="A ComfyUI server's URL or @NAME; may be repeated."),
    click.option("--header", "headers", type=HeaderParam(), multiple=True, help="A header for the servers."),
    click.option(
        "--in-flight", type=click.IntRange(1, 64), default=2, show_default=True, help="Jobs at a time on each server."
    ),
    click.option(
        "--wait",
        "wait_seconds",
        type=click.FloatRange(min=0),
        default=300.0,
        show_default=True,
        help="Seconds to go on while no server answers.",
    ),
    click.option("--allow-black", is_flag=True, help="Accept a server's picture that is completely black."),
)


def fleet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options servers, headers, in_flight, wait_seconds and allow_black."""
    for option in reversed(FLEET):
        command = option(command)
    return command


def distinct(servers: Iterable[str]) -> tuple[str, ...]:
    """The servers in order, each once however it is written. Raises BadServerAddress."""
    from ..backends.comfy.server import normal_url

    return tuple({normal_url(server): server for server in reversed(tuple(servers))}.values())[::-1]
