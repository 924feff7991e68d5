"""Durations and foreign text as the terminal shows them."""

from __future__ import annotations

from typing import Any


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
