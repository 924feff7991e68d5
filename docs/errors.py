"""Make docs/errors.md from the registry: the tree of exceptions, and each code with its meaning and its hint.

.venv/bin/python docs/errors.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import likeness_studio.runner.errors  # noqa: F401 - registers the runner's errors
from likeness_studio.core.errors import LikenessError, registry

PAGE = Path(__file__).with_suffix(".md")
INTRO = """\
# Errors

This page is made from the registry of errors by `python docs/errors.py`.

Everything that Likeness Studio raises on purpose is a `LikenessError`. The errors of what the pack can do are in
`likeness_studio.core.errors`, those about documents, prints, LoRA files and provenance in
`likeness_studio.core.errors.formats`; those of the runner (`RunnerError` and all below it) are in
`likeness_studio.runner.errors`. With `--json` a command
that fails ends in an object with `code`, `message`, `meaning` and `hint`, and some errors add more, such as the node.
Branch on the code: it stays the same, the words may change.
A command that was called wrongly ends in the code `usage`, which is no exception.

## The tree

A class without a code is never raised itself: catch it to catch all below it.
"""
TABLE = """
## The codes

| Code | What it means | What to do |
| --- | --- | --- |
"""


def ours(cls: type[LikenessError]) -> bool:
    """Whether the class is the pack's own, and not a test's."""
    return cls.__module__.startswith("likeness_studio.")


def tree(cls: type[LikenessError] = LikenessError, depth: int = 0) -> Iterator[str]:
    """The class and all below it, a line each: its code, or for an abstract one what it stands for."""
    about = f"`{cls.code}`" if cls.code else (cls.__doc__ or "").splitlines()[0]
    yield f"{'  ' * depth}- **{cls.__name__}**: {about}"
    for below in sorted(filter(ours, cls.__subclasses__()), key=lambda each: each.__name__):
        yield from tree(below, depth + 1)


def row(code: str, cls: type[LikenessError]) -> str:
    """A line of the table."""
    return f"| `{code}` | {cls.meaning} | {cls.hint} |".replace("\n", " ")


def page() -> str:
    """The whole page."""
    rows = (row(code, cls) for code, cls in registry().items() if ours(cls))
    return INTRO + "\n" + "\n".join(tree()) + "\n" + TABLE + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
