"""The two plots of docs/fairness.md as SVG: error by group on a scale of tenfold steps, and what each group asks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

INK, FAINT, PAPER = "#22282b", "#b9bfc2", "#ffffff"
COLOURS = ("#1f6f8b", "#c2571a")
LEFT, RIGHT, TOP, ROW, BOTTOM, WIDTH = 190, 24, 64, 26, 46, 860
FONT = 'font-family="system-ui, sans-serif" font-size="13"'


@dataclass(frozen=True)
class Dot:
    """A figure with its interval; `faint` where there are too few people. middle: None where only a bound is known."""

    row: int
    series: int
    low: float
    middle: float | None
    high: float
    faint: bool


@dataclass(frozen=True)
class Axis:
    """Values from left to right, on a scale of tenfold steps where `tenfold`."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    label: str
    tenfold: bool = False

    def x(self, value: float) -> float:
        """The place of a value in the picture."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.tenfold:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return round(LEFT + (at - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)


def plot(
    title: str,
    rows: Sequence[str],
    series: Sequence[str],
    dots: Sequence[Dot],
    axis: Axis,
    lines: Sequence[tuple[float, int, str]],
) -> str:
    """The whole picture. lines: upright lines as (value, series or -1, words)."""
    height = TOP + ROW * len(rows) + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" {FONT} fill="{INK}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
        f'<text x="16" y="24" font-size="15" font-weight="600">{escape(title)}</text>',
        *_legend(series),
        *_scale(rows, axis, height),
        *_uprights(axis, lines, height),
        *(part for dot in dots for part in _dot(dot, axis, len(series))),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _legend(series: Sequence[str]) -> Iterator[str]:
    x = 16
    for number, name in enumerate(series):
        yield f'<circle cx="{x + 5}" cy="43" r="5" fill="{COLOURS[number]}"/>'
        yield f'<text x="{x + 16}" y="47">{escape(name)}</text>'
        x += 40 + 8 * len(name)
    yield f'<circle cx="{x + 5}" cy="43" r="4.2" fill="{PAPER}" stroke="{INK}" stroke-width="1.6"/>'
    yield f'<text x="{x + 16}" y="47">fewer than 30 people</text>'


def _scale(rows: Sequence[str], axis: Axis, height: int) -> Iterator[str]:
    bottom = height - BOTTOM
    for value, words in axis.ticks:
        x = axis.x(value)
        yield f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}" stroke="{FAINT}" stroke-width="0.6"/>'
        yield f'<text x="{x}" y="{bottom + 17}" text-anchor="middle">{escape(words)}</text>'
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{height - 10}" text-anchor="middle">{escape(axis.label)}</text>'
    for number, name in enumerate(rows):
        y = TOP + ROW * (number + 0.5) + 4.5
        yield f'<text x="{LEFT - 12}" y="{y}" text-anchor="end">{escape(name)}</text>'


def _uprights(axis: Axis, lines: Sequence[tuple[float, int, str]], height: int) -> Iterator[str]:
    for value, series, words in lines:
        colour, x = (INK if series < 0 else COLOURS[series]), axis.x(value)
        yield (
            f'<line x1="{x}" y1="{TOP - 4}" x2="{x}" y2="{height - BOTTOM}" stroke="{colour}" stroke-width="1.4" '
            f'stroke-dasharray="5 4"><title>{escape(words)}</title></line>'
        )


def _dot(dot: Dot, axis: Axis, of: int) -> Iterator[str]:
    y = round(TOP + ROW * (dot.row + 0.5) + (dot.series - (of - 1) / 2) * 9, 1)
    colour, low, high = COLOURS[dot.series], axis.x(dot.low), axis.x(dot.high)
    yield f'<line x1="{low}" y1="{y}" x2="{high}" y2="{y}" stroke="{colour}" stroke-width="1.6"/>'
    if dot.middle is None:
        yield f'<path d="M{high} {y - 4}v8" stroke="{colour}" stroke-width="1.6"/>'
        return
    fill = PAPER if dot.faint else colour
    yield (f'<circle cx="{axis.x(dot.middle)}" cy="{y}" r="4.2" fill="{fill}" stroke="{colour}" stroke-width="1.6"/>')
