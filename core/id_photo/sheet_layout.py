"""Where photos, cut marks and a scale lie on sheets of paper, in millimetres: one geometry for PDF and PNG."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from ..errors.formats import PrintsDoNotFit
from .document import MM_PER_INCH


@dataclass(frozen=True)
class Paper:
    """A sheet in portrait. `margin_mm` is left blank on each side where the user says nothing: what printers of that
    kind of paper cannot reach, or laboratories may cut off. `inches`: its users measure in inches.
    """

    name: str
    width_mm: float
    height_mm: float
    margin_mm: float
    inches: bool = False


def _inch(name: str, width: float, height: float, margin_mm: float) -> Paper:
    return Paper(name, width * MM_PER_INCH, height * MM_PER_INCH, margin_mm, inches=True)


PAPERS = {
    paper.name: paper
    for paper in (
        Paper("10x15cm", 100, 150, 2),
        Paper("13x18cm", 130, 180, 2),
        Paper("9x13cm", 89, 127, 2),
        Paper("A4", 210, 297, 5),
        Paper("A5", 148, 210, 5),
        _inch("Letter", 8.5, 11, 6.35),
        _inch("4x6in", 4, 6, 2),
        _inch("5x7in", 5, 7, 2),
    )
}
"""Sizes: A4 and A5 by ISO 216, Letter by ANSI/ASME Y14.1. 9x13 cm photo paper is made as 89 x 127 mm (3R, L)."""

DEFAULT_PAPER = "10x15cm"

DPIS = ("300", "600")
"""Pixels per inch of a sheet as a picture."""


Orientation = Literal["auto", "portrait", "landscape"]
ORIENTATIONS: tuple[Orientation, ...] = ("auto", "portrait", "landscape")

GAPS_MM = (3.0, 2.0, 1.0, 0.0)
"""Gaps to choose from where none is given: the widest that costs no photo."""

CLEARANCE_MM = 0.5
"""From a photo to the nearest end of a cut mark."""
SHORTEST_MARK_MM, LONGEST_MARK_MM = 1.0, 5.0
MARK_WIDTH_MM = 0.15

STRIP_MM = 8.0
"""Height of the strip with caption and scale."""
SHORTEST_STRIP_MM = 75.0
"""Room for the scale bar and its words."""

MAX_SHEETS = 50
_SMALL = 1e-6
"""Millimetres that rounding may take away: 2 x 50.8 mm fit on 101.6 mm."""


@dataclass(frozen=True)
class Box:
    """A rectangle; millimetres from the sheet's upper left corner."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.top + self.height


@dataclass(frozen=True)
class Print:
    """Photo number `photo`, on its side (a quarter turn counterclockwise) where `turned`."""

    photo: int
    box: Box
    turned: bool


@dataclass(frozen=True)
class Mark:
    """A cut mark from one point to another: upright or level, in millimetres."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Strip:
    """A caption above a scale bar of `bar_mm`, in a box; where `turned`, it is read from the right side."""

    box: Box
    turned: bool
    caption: str
    bar_mm: float
    bar_label: str


@dataclass(frozen=True)
class Page:
    """One sheet of paper: what is printed on it."""

    prints: tuple[Print, ...]
    block: Box
    marks: tuple[Mark, ...]
    strip: Strip | None


@dataclass(frozen=True)
class Sheet:
    """All sheets of a layout. Lengths in mm; `columns` and `rows` are what one sheet has room for."""

    paper: Paper
    width_mm: float
    height_mm: float
    photo_mm: tuple[float, float]
    margin_mm: float
    gap_mm: float
    turned: bool
    columns: int
    rows: int
    pages: tuple[Page, ...] = field(repr=False)

    @property
    def per_page(self) -> int:
        """How many photos fit on one sheet."""
        return self.columns * self.rows

    @property
    def count(self) -> int:
        """How many photos are printed in all."""
        return sum(len(page.prints) for page in self.pages)

    @property
    def landscape(self) -> bool:
        """Whether the sheet lies on its long side."""
        return self.width_mm > self.height_mm


@dataclass(frozen=True)
class _Grid:
    """One way to lie on the paper. `width` and `height`: of the sheet; `cell`: of a photo as it lies."""

    width: float
    height: float
    cell: tuple[float, float]
    gap: float
    turned: bool
    columns: int
    rows: int

    @property
    def places(self) -> int:
        return self.columns * self.rows


def lay_out(
    paper: Paper,
    photo_mm: tuple[float, float],
    photos: int = 1,
    *,
    count: int = 0,
    orientation: Orientation = "auto",
    gap_mm: float | None = None,
    margin_mm: float | None = None,
    cut_marks: bool = True,
    caption: str = "",
) -> Sheet:
    """Lay prints of `photo_mm` (width, height) out on `paper`, `photos` different ones in turn.

    `count` is the number of prints in all; 0 fills as many sheets as it takes for each photo to be there once. Without
    `gap_mm` it is the widest of 3, 2, 1 and 0 mm that costs no photo; without `margin_mm` it is the paper's own. Of all
    ways to lie, the one with the most photos (with a count: the fewest sheets) is taken, then upright photos, then the
    wider gap, then portrait. Cut marks are in line with the photos' edges and end 0.5 mm before them. An empty
    `caption` leaves the strip with caption and scale away, and so does a sheet without room for it.

    Raises PrintsDoNotFit.
    """
    if photos < 1:
        raise PrintsDoNotFit("There is no photo to print; connect or name one.")
    if 0 < count < photos:
        raise PrintsDoNotFit(f"There are {photos} different photos for {count} prints; ask for {photos} or more.")
    for name, length in (("gap", gap_mm), ("margin", margin_mm)):
        if length is not None and not 0 <= length < math.inf:
            raise PrintsDoNotFit(f"A {name} of {length:g} mm is not possible; give 0 or more, or leave it out.")
    margin = paper.margin_mm if margin_mm is None else margin_mm
    inset = margin + (CLEARANCE_MM + SHORTEST_MARK_MM if cut_marks else 0.0)
    grids = [
        grid
        for gap in (GAPS_MM if gap_mm is None else (gap_mm,))
        for grid in _grids(paper, photo_mm, orientation, gap, inset)
        if grid.places
    ]
    if not grids:
        raise PrintsDoNotFit(
            f"A photo of {sized(photo_mm)} does not fit on {paper.name} with {inset:g} mm around it; choose a larger "
            "paper or a smaller margin."
        )
    best = min(grids, key=lambda grid: (_sheets(grid, count, photos), -grid.places * (count == 0), grid.turned))
    sheets = _sheets(best, count, photos)
    if sheets > MAX_SHEETS:
        raise PrintsDoNotFit(f"These are {sheets} sheets, more than the limit of {MAX_SHEETS}; ask for fewer prints.")
    total = count or sheets * best.places
    pages = []
    for first in range(0, total, best.places):
        numbers = [number % photos for number in range(first, min(first + best.places, total))]
        pages.append(_page(best, numbers, paper, margin, cut_marks, caption))
    return Sheet(
        paper, best.width, best.height, photo_mm, margin, best.gap, best.turned, best.columns, best.rows, tuple(pages)
    )


def sized(size_mm: tuple[float, float]) -> str:
    """A size in words: 35 x 45 mm."""
    return f"{round(size_mm[0], 1):g} x {round(size_mm[1], 1):g} mm"


def _sheets(grid: _Grid, count: int, photos: int) -> int:
    return math.ceil((count or photos) / grid.places)


def _grids(
    paper: Paper, photo_mm: tuple[float, float], orientation: Orientation, gap: float, inset: float
) -> Iterator[_Grid]:
    portrait, landscape = (paper.width_mm, paper.height_mm), (paper.height_mm, paper.width_mm)
    sheets = {"portrait": (portrait,), "landscape": (landscape,), "auto": (portrait, landscape)}[orientation]
    for width, height in sheets:
        for turned in (False, True):
            cell = (photo_mm[1], photo_mm[0]) if turned else photo_mm
            columns, rows = _many(width - 2 * inset, cell[0], gap), _many(height - 2 * inset, cell[1], gap)
            yield _Grid(width, height, cell, gap, turned, columns, rows)


def _many(room: float, side: float, gap: float) -> int:
    return max(math.floor((room + gap + _SMALL) / (side + gap)), 0)


def _page(grid: _Grid, numbers: list[int], paper: Paper, margin: float, cut_marks: bool, caption: str) -> Page:
    columns = min(len(numbers), grid.columns)
    rows = math.ceil(len(numbers) / grid.columns)
    width = columns * (grid.cell[0] + grid.gap) - grid.gap
    height = rows * (grid.cell[1] + grid.gap) - grid.gap
    reach = CLEARANCE_MM + SHORTEST_MARK_MM if cut_marks else CLEARANCE_MM
    strip = _strip(grid, (width + 2 * reach, height + 2 * reach), paper, margin, caption) if caption else None
    below = strip.box.top if strip and not strip.turned else grid.height - margin
    beside = strip.box.left if strip and strip.turned else grid.width - margin
    block = Box((margin + beside - width) / 2, (margin + below - height) / 2, width, height)
    prints = []
    for place, number in enumerate(numbers):
        row, column = divmod(place, grid.columns)
        left = block.left + column * (grid.cell[0] + grid.gap)
        top = block.top + row * (grid.cell[1] + grid.gap)
        prints.append(Print(number, Box(left, top, *grid.cell), grid.turned))
    printable = Box(margin, margin, beside - margin, below - margin)
    marks = tuple(_marks(grid, block, len(numbers), printable)) if cut_marks else ()
    return Page(tuple(prints), block, marks, strip)


def _strip(grid: _Grid, needed: tuple[float, float], paper: Paper, margin: float, caption: str) -> Strip | None:
    """Below the photos where there is room for it, or else beside them; None where there is neither."""
    bar, label = (2 * MM_PER_INCH, "2 in at 100 %") if paper.inches else (50.0, "5 cm at 100 %")
    width, height = grid.width - 2 * margin, grid.height - 2 * margin
    if width >= SHORTEST_STRIP_MM and height - needed[1] >= STRIP_MM:
        box = Box(margin, grid.height - margin - STRIP_MM, width, STRIP_MM)
        return Strip(box, turned=False, caption=caption, bar_mm=bar, bar_label=label)
    if height >= SHORTEST_STRIP_MM and width - needed[0] >= STRIP_MM:
        box = Box(grid.width - margin - STRIP_MM, margin, STRIP_MM, height)
        return Strip(box, turned=True, caption=caption, bar_mm=bar, bar_label=label)
    return None


def _marks(grid: _Grid, block: Box, prints: int, printable: Box) -> Iterator[Mark]:
    """In line with each edge of the photos: around the block, and between photos where the gap is wide enough."""
    across = _spans(block.left, grid.cell[0], grid.gap, min(prints, grid.columns))
    down = _spans(block.top, grid.cell[1], grid.gap, math.ceil(prints / grid.columns))
    in_last_row = across[: (prints - 1) % grid.columns + 1]
    for y1, y2 in _free(down, printable.top, printable.bottom):
        columns = in_last_row if y1 > down[-1][1] else across
        yield from (Mark(x, y1, x, y2) for x in _edges(columns))
    for x1, x2 in _free(across, printable.left, printable.right):
        yield from (Mark(x1, y, x2, y) for y in _edges(down))


Spans = list[tuple[float, float]]


def _spans(start: float, side: float, gap: float, many: int) -> Spans:
    """Where photos begin and end along one direction."""
    return [(start + number * (side + gap), start + number * (side + gap) + side) for number in range(many)]


def _edges(spans: Spans) -> list[float]:
    """All ends, each once: photos without a gap share theirs."""
    found: list[float] = []
    for edge in (edge for span in spans for edge in span):
        if not found or edge - found[-1] > _SMALL:
            found.append(edge)
    return found


def _free(spans: Spans, first: float, last: float) -> Iterator[tuple[float, float]]:
    """The stretches before, between and after the photos that are long enough for marks."""
    before, after = spans[0][0] - CLEARANCE_MM, spans[-1][1] + CLEARANCE_MM
    stretches = [(max(first, before - LONGEST_MARK_MM), before)]
    stretches += [(end + CLEARANCE_MM, start - CLEARANCE_MM) for (_, end), (start, _) in pairwise(spans)]
    stretches.append((after, min(last, after + LONGEST_MARK_MM)))
    return ((start, end) for start, end in stretches if end - start >= SHORTEST_MARK_MM - _SMALL)
