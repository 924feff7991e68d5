"""A chart of likeness as SVG inside a page: its colours come from the page's style, so that it is light or dark."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from ...core.imaging.chart import Chart, Point, apart

WIDTH, HEIGHT = 980, 430
LEFT, RIGHT, TOP, BOTTOM = 58, 126, 24, 56
COLOURS = 8
"""So many colours has the style sheet for series."""

MARKS = ("circle", "square", "triangle", "diamond")


@dataclass(frozen=True)
class _Frame:
    """How values become places in the picture."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_range
        return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return round(HEIGHT - BOTTOM - (min(max(value, low), high) - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)


def svg(chart: Chart, about: str) -> Markup:
    """The chart. `about` is what a screen reader says of it."""
    frame = _Frame(chart.x_range(), chart.y_range())
    parts, limits = _axes(chart, frame), _limits(chart, frame)
    parts += [*limits, *_lines(chart, frame)] if chart.numeric else [*_bars(chart, frame), *limits]
    inner = Markup("\n").join(parts)
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">\n{}\n</svg>').format(
        WIDTH, HEIGHT, about, inner
    )


def mark(number: int) -> Markup:
    """The mark of a series for a legend."""
    return Markup('<svg class="key" viewBox="-9 -9 18 18" aria-hidden="true">{}</svg>').format(_mark(0, 0, number))


def _text(x: float, y: float, words: str, style: str) -> Markup:
    return Markup('<text x="{}" y="{}" class="{}">{}</text>').format(x, y, style, words)


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(x1, y1, x2, y2, style)


def _axes(chart: Chart, frame: _Frame) -> list[Markup]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts: list[Markup] = []
    if chart.baseline is not None:
        low, middle = (frame.y(value) for value in chart.baseline)
        parts.append(
            Markup('<rect x="{}" y="{}" width="{}" height="{}" class="band"/>').format(
                LEFT, min(low, middle), right - LEFT, round(abs(low - middle), 1)
            )
        )
    for value, words in chart.y_ticks():
        y = frame.y(value)
        parts += [
            _line(LEFT, y, right, y, "rule"),
            _text(LEFT - 10, y + 4.5, words.replace("-", "\N{MINUS SIGN}"), "end"),
        ]
    ticks = chart.x_ticks()
    letters = max(int((right - LEFT) / max(len(ticks), 1) / 7.5), 3)
    for value, words in ticks:
        x = frame.x(value)
        parts += [_line(x, bottom, x, bottom + 5, "axis"), _tick(x, bottom + 21, words, letters)]
    parts.append(_line(LEFT, bottom, right, bottom, "axis"))
    parts.append(_text((LEFT + right) / 2, HEIGHT - 10, chart.x_label, "mid title"))
    parts.append(
        Markup('<text transform="translate(15 {}) rotate(-90)" class="mid title">likeness (cosine)</text>').format(
            (TOP + bottom) / 2
        )
    )
    return parts


def _tick(x: float, y: float, words: str, letters: int) -> Markup:
    """A label that is cut off where the next one begins, whole when it is pointed at."""
    shown = words if len(words) <= letters else words[: letters - 1] + "…"
    return Markup('<text x="{}" y="{}" class="mid">{}<title>{}</title></text>').format(x, y, shown, words)


def _limits(chart: Chart, frame: _Frame) -> list[Markup]:
    right, parts = WIDTH - RIGHT, []
    if chart.baseline is not None:
        y = frame.y(chart.baseline[1])
        parts.append(_line(LEFT, y, right, y, "own"))
    if chart.threshold is not None:
        y = frame.y(chart.threshold)
        parts += [_line(LEFT, y, right, y, "under"), _line(LEFT, y, right, y, "gate")]
    names = chart.limits()
    places = apart([frame.y(limit.cosine) for limit in names], 17)
    for limit, y in zip(names, places, strict=True):
        parts.append(_text(right + 8, round(y + 4.5, 1), limit.words, f"{limit.kind}-words"))
    return parts


def _lines(chart: Chart, frame: _Frame) -> list[Markup]:
    parts: list[Markup] = []
    for number, series in enumerate(chart.series):
        style = f"s{number % COLOURS}"
        for line in series.lines():
            places = " ".join(f"{frame.x(x)},{frame.y(cosine)}" for x, cosine in line)
            parts.append(Markup('<polyline points="{}" class="line {}"/>').format(places, style))
        parts += [_point(point, frame, number, series.name, alone=len(chart.series) == 1) for point in series.points]
    return parts


def _point(point: Point, frame: _Frame, number: int, name: str, *, alone: bool) -> Markup:
    x, style = frame.x(point.x), f"s{number % COLOURS}"
    about = _about(point, name)
    if point.middle is None or point.low is None or point.high is None:
        return _missing(x, style, about, number)
    parts = [Markup("<title>{}</title>").format(about)]
    if point.high > point.low:
        parts.append(_line(x, frame.y(point.low), x, frame.y(point.high), f"range {style}"))
    parts.append(_mark(x, frame.y(point.middle), number))
    if alone:
        parts.append(_text(x, frame.y(point.high) - 12, _figure(point.middle), "mid halo"))
    return Markup("<g>{}</g>").format(Markup("").join(parts))


def _missing(x: float, style: str, about: str, row: int = 0) -> Markup:
    """A cross above the axis; those of several lines at one place stand above one another."""
    y = HEIGHT - BOTTOM - 12 - 15 * row
    cross = Markup('<path d="M{} {}l10 10m0 -10l-10 10" class="range {}"/>').format(x - 5, y - 5, style)
    return Markup("<g><title>{}</title>{}</g>").format(about, cross)


def _bars(chart: Chart, frame: _Frame) -> list[Markup]:
    count = len(chart.series)
    slot = (WIDTH - LEFT - RIGHT) / max(frame.x_range[1] - frame.x_range[0], 1)
    wide = min(slot * 0.7 / max(count, 1), 90)
    parts: list[Markup] = []
    for number, series in enumerate(chart.series):
        style = f"s{number % COLOURS}"
        for point in series.points:
            x = round(frame.x(point.x) + (number - (count - 1) / 2) * wide, 1)
            parts.append(_bar(point, frame, (x, wide * 0.88), style, series.name))
    return parts


def _bar(point: Point, frame: _Frame, place: tuple[float, float], style: str, name: str) -> Markup:
    x, wide = place
    about = _about(point, name)
    if point.middle is None or point.low is None or point.high is None:
        return _missing(x, style, about)
    zero, y = frame.y(0.0), frame.y(point.middle)
    parts = [
        Markup("<title>{}</title>").format(about),
        Markup('<rect x="{}" y="{}" width="{}" height="{}" class="bar {}"/>').format(
            round(x - wide / 2, 1), min(zero, y), round(wide, 1), round(abs(zero - y), 1), style
        ),
    ]
    if point.high > point.low:
        parts.append(_line(x, frame.y(point.low), x, frame.y(point.high), "whisker"))
    if wide > 30:
        parts.append(_text(x, min(y, frame.y(point.high)) - 6, _figure(point.middle), "mid halo"))
    return Markup("<g>{}</g>").format(Markup("").join(parts))


def _mark(x: float, y: float, number: int) -> Markup:
    shape, style = MARKS[number % len(MARKS)], f"dot s{number % COLOURS}"
    if shape == "circle":
        return Markup('<circle cx="{}" cy="{}" r="5.5" class="{}"/>').format(x, y, style)
    paths = {
        "square": "m-5 -5h10v10h-10z",
        "triangle": "m0 -6.5l6.5 11.5h-13z",
        "diamond": "m0 -7l7 7l-7 7l-7 -7z",
    }
    return Markup('<path d="M{} {}{}" class="{}"/>').format(x, y, paths[shape], style)


def _about(point: Point, name: str) -> str:
    where = f"{name} · {point.label}" if name else point.label
    if point.middle is None or point.low is None or point.high is None:
        return f"{where}: {point.problem or 'no likeness'}"
    spread = f", {_figure(point.low)} to {_figure(point.high)}" if point.high > point.low else ""
    return f"{where}: {_figure(point.middle)}{spread}"


def _figure(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
