"""The pictures of a comparison as one labelled grid: a row for each series, a column for each value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from ..imaging.text import fitted, write

GAP, PAD = 16, 10
HEAD, FOOT = 44, 40
"""Height of the label above a picture and of the words below it, in pixels."""

LARGE_CELL, SMALL_CELL = 384, 256
MANY = 24
"""More pictures than this are shown smaller."""

ONE_ROW = 5
"""So many pictures of one series are shown in one row."""

PAPER, INK = "#f4f4f2", "#1d1f23"
SIZE = 24


@dataclass(frozen=True)
class Cell:
    """One picture with its label above and its outcome below, on a strip of `colour`."""

    picture: Image.Image
    label: str
    row: str
    words: str
    colour: str


def grid(cells: Sequence[Cell]) -> Image.Image:
    """All cells. Series of one length stand below one another, anything else in rows of the same length."""
    side = LARGE_CELL if len(cells) <= MANY else SMALL_CELL
    rows = _rows(cells)
    high = min(round(side * max(cell.picture.height / cell.picture.width for cell in cells)), side * 3 // 2)
    step_x, step_y = side + GAP, HEAD + high + FOOT + GAP
    columns = max(map(len, rows))
    sheet = Image.new("RGB", (columns * step_x + GAP, len(rows) * step_y + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for line, row in enumerate(rows):
        for column, cell in enumerate(row):
            _draw(sheet, draw, cell, (GAP + column * step_x, GAP + line * step_y), (side, high))
    return sheet


def _rows(cells: Sequence[Cell]) -> list[list[Cell]]:
    series: dict[str, list[Cell]] = {}
    for cell in cells:
        series.setdefault(cell.row, []).append(cell)
    if len(series) > 1:
        return list(series.values())
    columns = len(cells) if len(cells) <= ONE_ROW else math.ceil(math.sqrt(len(cells)))
    return [list(cells[first : first + columns]) for first in range(0, len(cells), columns)]


def _draw(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, cell: Cell, at: tuple[int, int], size: tuple[int, int]
) -> None:
    (x, y), (wide, high) = at, size
    write(draw, (x + 2, y + HEAD / 2), fitted(cell.label, SIZE, wide - 4), SIZE, INK, "lm")
    top = y + HEAD
    scale = min(wide / cell.picture.width, high / cell.picture.height)
    shown = cell.picture.resize(
        (max(1, round(cell.picture.width * scale)), max(1, round(cell.picture.height * scale))),
        Image.Resampling.LANCZOS,
    )
    sheet.paste(shown, (x + (wide - shown.width) // 2, top + (high - shown.height) // 2))
    draw.rectangle((x, top + high, x + wide - 1, top + high + FOOT - 1), fill=cell.colour)
    write(draw, (x + PAD, top + high + FOOT / 2), fitted(cell.words, SIZE - 3, wide - 2 * PAD), SIZE - 3, "white", "lm")
