"""A chart of likeness as a picture: lines or bars, the threshold, and how well the person's own photos agree."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw

from .chart import Chart, Point, Series, apart
from .text import fitted, width_of, write

WIDTH, HEIGHT = 1280, 760
"""Size of the picture in pixels."""

FINE = 2
"""Drawn so many times larger and scaled down, so that lines are smooth."""

PAPER, INK, SOFT, GRID = "#ffffff", "#1d1f23", "#5c6068", "#e3e3df"
OWN, OWN_SOFT, GATE = "#3a6ea8", "#dbe6f2", "#b3341f"
COLOURS = ("#1c5d99", "#c2571a", "#2a7f4f", "#7a4ea3", "#8a6412", "#0f7c82", "#a83268", "#4d4f56")
"""Of the lines; told apart by the shape of their marks too."""

SMALL, NORMAL, LARGE = 20, 22, 28
SIDES = ("circle", "square", "triangle", "diamond")
LEGEND_ROW = 34
RIGHT = 200
"""Room to the right of the axes, where the threshold and the baseline are named."""


@dataclass(frozen=True)
class _Frame:
    """Where the axes are, in pixels of the fine picture, and how values become places."""

    left: float
    top: float
    right: float
    bottom: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return self.bottom - (min(max(value, low), high) - low) / (high - low) * (self.bottom - self.top)


def plot(chart: Chart, title: str) -> Image.Image:
    """Draw a chart, WIDTH x HEIGHT pixels and higher where many series need a longer legend."""
    legend = _legend_rows(chart)
    height = HEIGHT + max(len(legend) - 1, 0) * LEGEND_ROW
    picture = Image.new("RGB", (WIDTH * FINE, height * FINE), PAPER)
    draw = ImageDraw.Draw(picture)
    top = 96 + len(legend) * LEGEND_ROW
    frame = _Frame(
        100 * FINE, top * FINE, (WIDTH - RIGHT) * FINE, (height - 92) * FINE, chart.x_range(), chart.y_range()
    )
    write(draw, (100 * FINE, 24 * FINE), fitted(title, LARGE * FINE, (WIDTH - 136) * FINE), LARGE * FINE, INK)
    _legend(draw, legend)
    _axes(draw, frame, chart, height)
    for part in (_limits, _lines) if chart.numeric else (_bars, _limits):
        part(draw, frame, chart)
    return picture.resize((WIDTH, height), Image.Resampling.LANCZOS)


def _axes(draw: ImageDraw.ImageDraw, frame: _Frame, chart: Chart, height: int) -> None:
    if chart.baseline is not None:
        low, middle = (frame.y(value) for value in chart.baseline)
        draw.rectangle((frame.left, min(low, middle), frame.right, max(low, middle)), fill=OWN_SOFT)
    for value, words in chart.y_ticks():
        y = frame.y(value)
        draw.line((frame.left, y, frame.right, y), fill=GRID, width=FINE)
        write(draw, (frame.left - 12 * FINE, y), words, SMALL * FINE, SOFT, "rm")
    ticks = chart.x_ticks()
    room = (frame.right - frame.left) / max(len(ticks), 1) - 12 * FINE
    for value, words in ticks:
        x = frame.x(value)
        draw.line((x, frame.bottom, x, frame.bottom + 6 * FINE), fill=SOFT, width=FINE)
        write(draw, (x, frame.bottom + 12 * FINE), fitted(words, SMALL * FINE, room), SMALL * FINE, SOFT, "ma")
    draw.line((frame.left, frame.bottom, frame.right, frame.bottom), fill=SOFT, width=2 * FINE)
    middle = (frame.left + frame.right) / 2
    write(draw, (middle, (height - 18) * FINE), chart.x_label, NORMAL * FINE, INK, "md")
    _upright(draw, (30 * FINE, (frame.top + frame.bottom) / 2), "likeness (cosine)")


def _upright(draw: ImageDraw.ImageDraw, middle: tuple[float, float], text: str) -> None:
    """Words that run upwards."""
    size = NORMAL * FINE
    layer = Image.new("L", (round(width_of(text, size)) + 8, size * 2), 0)
    write(ImageDraw.Draw(layer), (4, size), text, size, "#ffffff", "lm")
    turned = layer.rotate(90, expand=True)
    draw.bitmap((round(middle[0] - turned.width / 2), round(middle[1] - turned.height / 2)), turned, fill=INK)


def _limits(draw: ImageDraw.ImageDraw, frame: _Frame, chart: Chart) -> None:
    """The threshold and how well the person's own photos agree, each named to the right of its line."""
    if chart.baseline is not None:
        y = frame.y(chart.baseline[1])
        draw.line((frame.left, y, frame.right, y), fill=OWN, width=2 * FINE)
    if chart.threshold is not None:
        _dashed(draw, frame, frame.y(chart.threshold))
    names = chart.limits()
    places = apart([frame.y(limit.cosine) for limit in names], (SMALL + 4) * FINE)
    for limit, y in zip(names, places, strict=True):
        colour = GATE if limit.kind == "gate" else OWN
        write(draw, (frame.right + 12 * FINE, y), limit.words, SMALL * FINE, colour, "lm")


def _dashed(draw: ImageDraw.ImageDraw, frame: _Frame, y: float) -> None:
    draw.line((frame.left, y, frame.right, y), fill=PAPER, width=5 * FINE)
    x, dash = frame.left, 14 * FINE
    while x < frame.right:
        draw.line((x, y, min(x + dash * 0.6, frame.right), y), fill=GATE, width=3 * FINE)
        x += dash


def _lines(draw: ImageDraw.ImageDraw, frame: _Frame, chart: Chart) -> None:
    for number, series in enumerate(chart.series):
        colour = COLOURS[number % len(COLOURS)]
        for line in series.lines():
            places = [(frame.x(x), frame.y(cosine)) for x, cosine in line]
            draw.line(places, fill=colour, width=3 * FINE, joint="curve")
        for point in series.points:
            alone = len(chart.series) == 1 and point.middle is not None
            _point(draw, frame, point, number, colour, f"{point.middle:.2f}" if alone else "")


def _point(draw: ImageDraw.ImageDraw, frame: _Frame, point: Point, number: int, colour: str, words: str) -> None:
    x = frame.x(point.x)
    if point.low is None or point.high is None or point.middle is None:
        y = frame.bottom - (16 + number * (SMALL + 2)) * FINE
        _cross(draw, (x, y), colour)
        write(draw, (x + 14 * FINE, y), point.problem, SMALL * FINE, colour, "lm")
        return
    if point.high > point.low:
        draw.line((x, frame.y(point.low), x, frame.y(point.high)), fill=colour, width=2 * FINE)
    y = frame.y(point.middle)
    _mark(draw, (x, y), SIDES[number % len(SIDES)], colour)
    if words:
        top = min(y, frame.y(point.high)) - 14 * FINE
        write(draw, (x, top), words, SMALL * FINE, INK, "md", halo=4 * FINE)


def _mark(draw: ImageDraw.ImageDraw, at: tuple[float, float], shape: str, colour: str) -> None:
    x, y, r = *at, 8 * FINE
    outline = {"fill": colour, "outline": PAPER, "width": 2 * FINE}
    if shape == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), **outline)
    elif shape == "square":
        draw.rectangle((x - r, y - r, x + r, y + r), **outline)
    elif shape == "triangle":
        draw.polygon(((x, y - r * 1.2), (x + r * 1.15, y + r), (x - r * 1.15, y + r)), fill=colour, outline=PAPER)
    else:
        draw.polygon(
            ((x, y - r * 1.3), (x + r * 1.3, y), (x, y + r * 1.3), (x - r * 1.3, y)), fill=colour, outline=PAPER
        )


def _cross(draw: ImageDraw.ImageDraw, at: tuple[float, float], colour: str) -> None:
    x, y, r = *at, 7 * FINE
    draw.line((x - r, y - r, x + r, y + r), fill=colour, width=3 * FINE)
    draw.line((x - r, y + r, x + r, y - r), fill=colour, width=3 * FINE)


def _bars(draw: ImageDraw.ImageDraw, frame: _Frame, chart: Chart) -> None:
    count = len(chart.series)
    slot = (frame.right - frame.left) / max(frame.x_range[1] - frame.x_range[0], 1)
    wide = min(slot * 0.7 / max(count, 1), 120 * FINE)
    for number, series in enumerate(chart.series):
        colour = COLOURS[number % len(COLOURS)]
        for point in series.points:
            middle = frame.x(point.x) + (number - (count - 1) / 2) * wide
            _bar(draw, frame, point, (middle, wide * 0.88), colour)


def _bar(draw: ImageDraw.ImageDraw, frame: _Frame, point: Point, place: tuple[float, float], colour: str) -> None:
    x, wide = place
    if point.middle is None or point.low is None or point.high is None:
        _cross(draw, (x, frame.bottom - 14 * FINE), colour)
        words = fitted(point.problem, SMALL * FINE, max(wide, 90 * FINE))
        write(draw, (x, frame.bottom - 28 * FINE), words, SMALL * FINE, colour, "md")
        return
    zero, y = frame.y(0.0), frame.y(point.middle)
    draw.rectangle((x - wide / 2, min(zero, y), x + wide / 2, max(zero, y)), fill=colour)
    if point.high > point.low:
        draw.line((x, frame.y(point.low), x, frame.y(point.high)), fill=INK, width=2 * FINE)
    words = f"{point.middle:.2f}"
    if width_of(words, SMALL * FINE) <= wide * 1.3:
        write(draw, (x, min(y, frame.y(point.high)) - 6 * FINE), words, SMALL * FINE, INK, "md")


Entry = tuple[int, str]


def _legend_rows(chart: Chart) -> list[list[tuple[Entry, float]]]:
    """The names of the series in rows, each with its place from the left in pixels of the fine picture."""
    if len(chart.series) < 2:
        return []
    rows: list[list[tuple[Entry, float]]] = [[]]
    x, left, right = 100.0 * FINE, 100 * FINE, (WIDTH - 36) * FINE
    for number, series in enumerate(chart.series):
        name = fitted(_name(series), NORMAL * FINE, right - left - 30 * FINE)
        wide = width_of(name, NORMAL * FINE) + 66 * FINE
        if rows[-1] and x + wide > right:
            rows.append([])
            x = left
        rows[-1].append(((number, name), x))
        x += wide
    return rows


def _legend(draw: ImageDraw.ImageDraw, rows: list[list[tuple[Entry, float]]]) -> None:
    for line, row in enumerate(rows):
        y = (84 + line * LEGEND_ROW) * FINE
        for (number, name), x in row:
            _mark(draw, (x + 10 * FINE, y), SIDES[number % len(SIDES)], COLOURS[number % len(COLOURS)])
            write(draw, (x + 28 * FINE, y), name, NORMAL * FINE, INK, "lm")


def _name(series: Series) -> str:
    return series.name or "other"
