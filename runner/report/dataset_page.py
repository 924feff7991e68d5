"""The report of a data set: its figures as JSON, and as a page with plots, tables and example photos."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ...core.training.data import SPLITS
from ...core.training.dataset_figures import CHANNELS, channel_moments
from .html import templates, versions

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from ...core.training.data import Manifest, Photo
    from ...core.training.dataset_figures import DatasetFigures

EXAMPLES, GROUPS, PAIRS, SHOWN = 6, 24, 20, 60
"""Example photos of an attribute or a class, groups of one picture and correlated pairs that the page shows, and how
many attributes and classes have examples: a photo is 3 kB of the page."""

THUMB = 112
FAR_APART = 10.0
"""A class that has so many times the photos of another is said."""

RARE = 0.05
"""An attribute that is true or false of less than this share is said: a network that never says it looks good."""


def figures_as_dict(manifest: Manifest, figures: DatasetFigures) -> dict[str, Any]:
    """The same numbers as on the page, for programs."""
    names = manifest.attributes
    return {
        "format": "likeness-dataset-report/1",
        "name": manifest.name,
        "version": manifest.version,
        "licence": manifest.licence,
        "source": manifest.source,
        "photos": figures.photos,
        "splits": figures.splits,
        "persons": figures.persons,
        "photos_of_a_person": asdict(figures.photos_of_a_person),
        "labels": figures.labels,
        "sizes": {name: asdict(each) for name, each in figures.sizes.items()},
        "channels": {
            split: {name: asdict(each) for name, each in channel_moments(levels).items()}
            for split, levels in figures.pixels.items()
        },
        "attributes": [asdict(each) | {"share": each.share} for each in figures.attributes],
        "correlations": [
            {"attributes": [names[one], names[other]], "phi": phi} for one, other, phi in _pairs(figures.correlations)
        ],
        "values": [asdict(each) for each in figures.values],
        "quality": {name: asdict(each) for name, each in figures.quality.items()},
        "same_files": figures.same,
        "one_picture": figures.near,
        "one_picture_across_splits": figures.near_across_splits,
        "one_picture_said_otherwise": figures.said_otherwise,
        "persons_across_splits": figures.persons_across,
        "drift": [asdict(each) for each in figures.drift],
        "unread": figures.unread,
        "findings": findings(figures),
        "made_with": versions(),
    }


def findings(figures: DatasetFigures) -> list[str]:
    """What somebody who trains on this must know, in sentences, the worst first."""
    found = []
    if figures.persons_across:
        found.append(f"{_of(figures.persons_across, 'person')} in more than one split: the test knows their faces.")
    if figures.near_across_splits:
        found.append(f"{_count(figures.near_across_splits, 'picture')} in more than one split: the test was seen.")
    if figures.said_otherwise:
        found.append(
            f"{_of(figures.said_otherwise, 'picture')} there more than once, and something else is said of each."
        )
    for value in figures.values:
        if value.mangled:
            words = ", ".join(value.mangled)
            found.append(f"In {value.name}, a spreadsheet made dates of ranges: {words}.")
    if figures.unread:
        found.append(f"{_of(figures.unread, 'photo')} not to be read, such as: {figures.unread[0]}")
    copies = sum(len(group) - 1 for group in figures.near)
    if copies:
        found.append(f"{_count(copies, 'photo')} a copy of another, or the same picture saved again.")
    found += [
        f"{drift.fact} differs in {drift.split}: {drift.there:.3g} beside {drift.train:.3g} in train."
        for drift in figures.drift
    ]
    totals = {name: sum(each.values()) for name, each in figures.labels.items()}
    if totals and max(totals.values()) > FAR_APART * min(totals.values()):
        least, most = min(totals, key=totals.__getitem__), max(totals, key=totals.__getitem__)
        found.append(f"The classes are far apart: {totals[most]:,} of {most}, {totals[least]:,} of {least}.")
    if len(totals) == 1:
        found.append(f"All photos are of one class, {next(iter(totals))}: there is nothing to tell apart.")
    rare = [each.name for each in figures.attributes if min(each.share, 1 - each.share) < RARE]
    if rare:
        found.append(f"True or false of fewer than {RARE:.0%}: {', '.join(rare)}.")
    return found


def _count(number: int, what: str) -> str:
    return f"1 {what} is" if number == 1 else f"{number:,} {what}s are"


def _of(held: Iterable[Any], what: str) -> str:
    return _count(len(list(held)), what)


def render_dataset(manifest: Manifest, figures: DatasetFigures) -> str:
    """The page."""
    names = manifest.attributes
    return templates().get_template("dataset.html.j2").render(
        manifest=manifest,
        figures=figures,
        findings=findings(figures),
        splits=[split for split in SPLITS if figures.splits[split]],
        histogram=_histogram(figures.pixels["all"]),
        channels={split: channel_moments(each) for split, each in figures.pixels.items() if each.any()},
        heat=_heat(names[:SHOWN], figures.correlations[:SHOWN, :SHOWN]),
        pairs=[(names[one], names[other], phi) for one, other, phi in _pairs(figures.correlations)[:PAIRS]],
        label_examples={
            name: _examples(manifest, lambda p, n=name: p.label == n) for name in list(figures.labels)[:SHOWN]
        },
        attribute_examples={
            name: (
                _examples(manifest, lambda p, n=name: p.attributes.get(n) is True),
                _examples(manifest, lambda p, n=name: p.attributes.get(n) is False),
            )
            for name in names[:SHOWN]
        },
        groups=[[manifest.root / file for file in group[:EXAMPLES]] for group in figures.near[:GROUPS]],
        more_groups=max(0, len(figures.near) - GROUPS),
        thumb=THUMB,
        versions=versions(),
    )  # fmt: skip


def _examples(manifest: Manifest, meant: Callable[[Photo], bool]) -> list[Path]:
    """The first photos of which something is true, by the hash of their content: any, and always the same."""
    photos: list[Photo] = sorted((photo for photo in manifest.photos if meant(photo)), key=lambda each: each.sha256)
    return [manifest.path(photo) for photo in photos[:EXAMPLES]]


def _pairs(correlations: np.ndarray) -> list[tuple[int, int, float]]:
    """Each two attributes whose correlation is known, the strongest first."""
    count = len(correlations)
    pairs = [(one, other, float(correlations[one, other])) for one in range(count) for other in range(one + 1, count)]
    return sorted((pair for pair in pairs if not math.isnan(pair[2])), key=lambda pair: -abs(pair[2]))


WIDTH, HEIGHT = 512, 150


def _histogram(levels: np.ndarray) -> Markup:
    """Lines of how many pixels have each level, black at the left."""
    top = max(int(levels[:, 1:-1].max()), 1)
    lines = []
    for name, counts in zip(CHANNELS, levels, strict=True):
        places = " ".join(
            f"{2 * level},{HEIGHT - HEIGHT * min(count / top, 1):.1f}" for level, count in enumerate(counts)
        )
        lines.append(Markup('<polyline points="{}" class="{}"/>').format(places, name))
    return Markup('<svg class="histogram" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, "Pixels of each level of red, green and blue", Markup("").join(lines)
    )


CELL = 18


def _heat(names: Sequence[str], correlations: np.ndarray) -> Markup | None:
    """A square for each two attributes: its colour is the sign of their correlation, its strength the opacity."""
    if len(names) < 2:
        return None
    left = 9 * max(map(len, names))
    cell = Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}" fill-opacity="{}"><title>{}</title></rect>')
    cells = []
    for row, line in enumerate(correlations.tolist()):
        for column, value in enumerate(line):
            place, size = (left + CELL * column, CELL * row), (CELL - 1, CELL - 1)
            strength = 0 if math.isnan(value) else round(abs(value), 2)
            about = f"{names[row]} · {names[column]}: {value:.2f}"
            cells.append(cell.format(*place, *size, "less" if value < 0 else "more", strength, about))
    words = [
        Markup('<text x="{}" y="{}">{}</text>').format(left - 6, CELL * row + 13, name)
        for row, name in enumerate(names)
    ]
    size = left + CELL * len(names), CELL * len(names)
    return Markup('<svg class="heat" viewBox="0 0 {} {}" role="img" aria-label="Correlations">{}</svg>').format(
        *size, Markup("").join(cells + words)
    )
