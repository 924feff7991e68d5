"""What the calls of the library have in common: what is wrong with their arguments, and how settings are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..workflow.overrides import Setting, parse

Settings = Mapping[str, Any] | Iterable[str | Setting]
"""Values to set: ``{"Title.input": value}``, or ``"Title.input=value"`` one by one."""


class Misuse(ValueError):
    """The arguments of a call do not go together. The command line tells it as wrong usage."""


def settings_of(settings: Settings) -> tuple[Setting, ...]:
    """Settings as they may be written, one by one. Raises Misuse."""
    entries = [f"{k}={v}" for k, v in settings.items()] if isinstance(settings, Mapping) else settings
    try:
        return tuple(each if isinstance(each, Setting) else parse(each) for each in entries)
    except ValueError as error:
        raise Misuse(str(error)) from error
