"""Plain aligned columns, which stay whole when they go into a file or through grep."""

from __future__ import annotations

import click


def print_columns(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print `rows` below `titles`, two blanks between the columns."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
