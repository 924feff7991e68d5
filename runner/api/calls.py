"""What the calls of the library have in common: how they are stopped, and how settings may be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ..workflow.overrides import Setting, parse

if TYPE_CHECKING:
    from ...core.interrupt import Stopped

T = TypeVar("T")

Settings = Mapping[str, Any] | Iterable[str | Setting]
"""Values to set: ``{"Title.input": value}``, or ``"Title.input=value"`` one by one."""


class Misuse(ValueError):
    """The arguments of a call do not go together. The command line tells it as wrong usage."""


def run_stoppable(work: Callable[[Stopped], T], stopped: Stopped | None) -> T:
    """Do `work`; it ends early when `stopped` says so, or without one on Ctrl-C and SIGTERM. Raises Interrupted."""
    if stopped is not None:
        return work(stopped)
    from ...core.interrupt import stoppable

    return stoppable(work)


def settings_of(settings: Settings) -> tuple[Setting, ...]:
    """Settings as they may be written, one by one. Raises Misuse."""
    entries = [f"{k}={v}" for k, v in settings.items()] if isinstance(settings, Mapping) else settings
    try:
        return tuple(each if isinstance(each, Setting) else parse(each) for each in entries)
    except ValueError as error:
        raise Misuse(str(error)) from error
