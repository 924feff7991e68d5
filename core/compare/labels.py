"""The values that a person types to be tried, and what pictures made with them are called."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BadNumbers, LabelsMismatch

MOST_VALUES = 64
"""More values than this in one run is taken for a mistake."""


def numbers(text: str) -> list[float]:
    """The numbers in `text`, separated by commas, semicolons or white space, in their order.

    Raises BadNumbers when there is none, when a word is no finite number, or for more than MOST_VALUES.
    """
    words = [word for word in re.split(r"[,;\s]+", text) if word]
    if not words:
        raise BadNumbers("There is no value to try; type some, such as 0.1, 0.3, 0.5.")
    if len(words) > MOST_VALUES:
        raise BadNumbers(f"{len(words)} values are more than the {MOST_VALUES} of one run; leave some out.")
    return [_number(word) for word in words]


def _number(word: str) -> float:
    value = as_number(word)
    if value is None:
        raise BadNumbers(f"{word[:40]!r} is not a number; write the values like 0.1, 0.3, 0.5.")
    return value


def as_number(word: str) -> float | None:
    """A word as a finite number, or None for anything else."""
    try:
        value = float(word)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in word else None


BETWEEN = " · "
"""Between the series and the value."""


@dataclass(frozen=True)
class Label:
    """One picture's label. `series` is empty where there is only one; `value` is the number, where it is one."""

    text: str
    series: str
    words: str
    value: float | None

    @classmethod
    def read(cls, text: str) -> Label:
        """Split at the last separator: what stands before it is the series."""
        text = " ".join(text.split())
        series, _, words = text.rpartition(BETWEEN)
        return cls(text, series, words, as_number(words))

    def within(self, name: str) -> Label:
        """The label in a series that is part of another one, `name`."""
        series = f"{name}{BETWEEN}{self.series}" if self.series else name
        return Label(f"{name}{BETWEEN}{self.text}", series, self.words, self.value)


def written(series: str, value: float) -> str:
    """The label of a number in a series."""
    number = f"{value:.12g}"
    return f"{series.strip()}{BETWEEN}{number}" if series.strip() else number


def of_branches(branches: Sequence[tuple[Sequence[str], Sequence[int]]]) -> list[Label]:
    """The labels of several branches of a graph, each given as for `spread`, one after another.

    Two branches with a label in common, such as those of one Try Strengths, become two series: "images" and
    "images 2". Otherwise their pictures would be one point of the plot. Branches without pictures are left out.
    """
    found = {number: spread(*branch) for number, branch in enumerate(branches, 1) if branch[1]}
    texts = [text for labels in found.values() for text in {label.text for label in labels}]
    if len(set(texts)) == len(texts):
        return [label for labels in found.values() for label in labels]
    return [label.within(f"images {number}" if number > 1 else "images") for number in found for label in found[number]]


def spread(labels: Sequence[str], batches: Sequence[int]) -> list[Label]:
    """A label for each picture, where `batches` says how many pictures each entry of the list has.

    There is a label for each entry, or one for each picture; none at all numbers the pictures. Raises LabelsMismatch.
    """
    pictures = sum(batches)
    if not labels:
        return [Label(text := f"picture {number}", "", text, None) for number in range(1, pictures + 1)]
    if len(labels) == len(batches):
        return [Label.read(label) for label, count in zip(labels, batches, strict=True) for _ in range(count)]
    if len(labels) == pictures:
        return [Label.read(label) for label in labels]
    raise LabelsMismatch(
        f"There are {len(labels)} labels for {pictures} pictures in {len(batches)} entries; give one label for each."
    )
