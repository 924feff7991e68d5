"""The papers that photos are printed on, by the names they are sold under."""

from __future__ import annotations

from dataclasses import dataclass

MM_PER_INCH = 25.4


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
