"""Pictures that were made in different ways, judged side by side: the report, the labelled grid and the chart."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageDraw

from ..identity.verdict import Judgement, Verdict
from ..imaging.chart import Chart, chart_of
from ..imaging.text import fitted, write
from ..outcome_words import LIKENESS
from .labels import Label

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


@dataclass(frozen=True)
class Compared:
    """One picture: its label, what the judge says of it, and what was measured while it was made."""

    label: Label
    verdict: Verdict
    measured: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """For reports. `value` is the label's number, None where it has none."""
        judged = self.verdict.as_dict()
        kept = {name: judged[name] for name in ("outcome", "passed", "cosine", "score", "reason")}
        values = {"label": self.label.text, "series": self.label.series, "value": self.label.value, **kept}
        return values if self.measured is None else values | {"measured": dict(self.measured)}


@dataclass(frozen=True)
class Comparison:
    """All pictures. `axis` says what the values are; `measured` is what was measured for all pictures together."""

    pictures: list[Compared]
    judgement: Judgement
    axis: str
    measured: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def best(self) -> Compared | None:
        """The picture with the highest cosine; None where none has a usable face."""
        judged = [each for each in self.pictures if each.verdict.cosine is not None]
        return max(judged, key=lambda each: each.verdict.cosine or 0.0, default=None)

    def as_dict(self) -> dict[str, Any]:
        """The report."""
        whole = self.judgement.as_dict()
        for name in ("all_passed", "best", "images"):
            del whole[name]
        return whole | {
            "axis": self.axis,
            "best": None if self.best is None else self.best.label.text,
            "passed": sum(each.verdict.passed for each in self.pictures),
            "pictures": [each.as_dict() for each in self.pictures],
            "measured": [dict(entry) for entry in self.measured],
        }

    def chart(self) -> Chart:
        """Likeness against the value, a line for each series; bars where the labels are no numbers."""
        own = self.judgement.identity
        baseline = None if own.baseline is None else (min(own.agreement), own.baseline)
        return chart_of(
            (
                (
                    each.label.series,
                    each.label.words,
                    each.label.value,
                    () if each.verdict.cosine is None else (each.verdict.cosine,),
                    "" if each.verdict.cosine is not None else _words(each.verdict),
                )
                for each in self.pictures
            ),
            self.axis,
            self.judgement.gate.threshold,
            baseline,
        )

    def grid(self, pictures: Sequence[Image.Image]) -> Image.Image:
        """The labelled pictures; a picture without a usable face says so and has no number."""
        return grid(
            [
                Cell(picture, each.label.text, each.label.series, _cell_words(each), _colour(each.verdict))
                for picture, each in zip(pictures, self.pictures, strict=True)
            ]
        )

    def summary(self) -> str:
        """The comparison in a few lines for the canvas."""
        lines = [f"{each.label.text}: {_cell_words(each)}" for each in self.pictures]
        lines += [summary_of(entry) for entry in self.measured]
        return "\n".join([*lines, *self.judgement.warnings])


def _words(verdict: Verdict) -> str:
    return LIKENESS[verdict.outcome].word


def _cell_words(each: Compared) -> str:
    words = _words(each.verdict)
    if each.verdict.cosine is not None:
        words = f"{each.verdict.cosine:.2f} {words}"
    seconds = (each.measured or {}).get("seconds")
    return words if seconds is None else f"{words} · {seconds:.1f} s"


def _colour(verdict: Verdict) -> str:
    return LIKENESS[verdict.outcome].tone.label


def read_measured(reports: Sequence[str], batches: Sequence[int]) -> tuple[list[Any], list[Mapping[str, Any]]]:
    """Reports of Stop Measuring: one for each picture, and those that are of all pictures together.

    `batches` says how many pictures each entry of the list has. What cannot be read is left out.
    """
    read = [entry for text in reports if (entry := _report(text)) is not None]
    nothing: list[Any] = [None] * sum(batches)
    if len(read) != len(batches) or len(batches) == 1:
        return nothing, read
    return [entry for entry, count in zip(read, batches, strict=True) for _ in range(count)], []


def _report(text: str) -> Mapping[str, Any] | None:
    try:
        entry = json.loads(text)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "seconds" in entry else None


def summary_of(entry: Mapping[str, Any]) -> str:
    """One measured stage in a line: its name, seconds and peak memory."""
    name, seconds, peak = entry.get("name") or "Stage", entry.get("seconds"), entry.get("peak_memory_bytes")
    if seconds is None:
        return f"{name}: not measured; its beginning was taken from the cache of an earlier run."
    memory = "" if peak is None else f", at most {peak / 2**20:,.0f} MB on {entry.get('device')}"
    return f"{name}: {seconds:.2f} s{memory}"
