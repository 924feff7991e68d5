"""The figures of a data set: how many, how large, how balanced, how they hang together, and where splits differ."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from ..errors import PhotoError
from ..imaging.colour_profiles import eight_bit
from ..imaging.files import opened
from .data import SPLITS, Manifest, Photo, Split, groups_of, persons_across_splits
from .near_duplicates import Look, look_at, same_pictures

LOOKED_AT = 256
"""Photos are looked at as this many pixels on the longer side: their moments are those of the whole to 1 %."""

CHANNELS = ("red", "green", "blue")
LEVELS = 256
DRIFT = 4.0
"""Standard errors by which a share or a mean differs between two splits before it is called drift: of 200 facts that do
not differ, one in a hundred data sets has one that does."""

DATE = re.compile(r"(\d{1,2}-[A-Z][a-z]{2}|[A-Z][a-z]{2}-\d{2,4})")
"""What a spreadsheet makes of ranges of numbers: 3-9 becomes 03-Sep and 10-19 Oct-19."""


@dataclass(frozen=True)
class Moments:
    """The first four moments of numbers: mean, standard deviation (n - 1), skewness and excess kurtosis, both biased.

    As scipy.stats.skew and kurtosis give them without arguments. None where they are not defined.
    """

    count: int
    mean: float | None = None
    deviation: float | None = None
    skewness: float | None = None
    kurtosis: float | None = None
    low: float | None = None
    high: float | None = None


def moments_of(values: Iterable[float], weights: Iterable[float] | None = None) -> Moments:
    """The moments of some numbers, each counted as often as its weight says."""
    numbers = np.array(list(values), np.float64)
    counts = np.ones_like(numbers) if weights is None else np.array(list(weights), np.float64)
    numbers, counts = numbers[counts > 0], counts[counts > 0]
    n = float(counts.sum())
    if not n:
        return Moments(0)
    mean = float(numbers @ counts / n)
    off = numbers - mean
    second, third, fourth = (float(off**power @ counts / n) for power in (2, 3, 4))
    flat = second <= 1e-28 * mean * mean  # what rounding makes of equal numbers
    return Moments(
        round(n),
        mean,
        math.sqrt(second * n / (n - 1)) if n > 1 else None,
        None if flat else third / second**1.5,
        None if flat else fourth / second**2 - 3,
        float(numbers.min()),
        float(numbers.max()),
    )


@dataclass(frozen=True)
class AttributeFigures:
    """How often an attribute is true, in all and in each split (share of those that say it), and its moments."""

    name: str
    true: int
    said: int
    shares: Mapping[Split, float]
    moments: Moments

    @property
    def share(self) -> float:
        """Of the photos that say it, those of which it is true."""
        return self.true / self.said


@dataclass(frozen=True)
class ValueFigures:
    """A column of words or numbers: its most frequent words, or its moments, and words that a spreadsheet changed."""

    name: str
    said: int
    words: tuple[tuple[str, int], ...]
    moments: Moments | None
    mangled: tuple[str, ...]


@dataclass(frozen=True)
class Drift:
    """A fact that differs between a split and the training photos by more than chance: both values, and how far
    apart they are in standard errors."""

    fact: str
    split: Split
    there: float
    train: float
    errors: float


@dataclass(frozen=True)
class DatasetFigures:
    """All of it. `pixels` has how many there are of each level of red, green and blue [3,256], by split and in "all";
    `same` are copies of a file, `near` the photos that are one picture; `correlations` are phi of two attributes."""

    photos: int
    splits: Mapping[Split, int]
    persons: Mapping[Split, int]
    photos_of_a_person: Moments
    labels: Mapping[str, Mapping[Split, int]]
    sizes: Mapping[str, Moments]
    pixels: Mapping[str, np.ndarray]
    attributes: tuple[AttributeFigures, ...]
    correlations: np.ndarray
    values: tuple[ValueFigures, ...]
    quality: Mapping[str, Moments]
    same: tuple[tuple[str, ...], ...]
    near: tuple[tuple[str, ...], ...]
    near_across_splits: int
    said_otherwise: tuple[tuple[str, ...], ...]
    persons_across: Mapping[str, Mapping[Split, int]]
    drift: tuple[Drift, ...]
    unread: tuple[str, ...]


def channel_moments(levels: np.ndarray) -> dict[str, Moments]:
    """Those of pixels in 0..1, by channel."""
    values = np.arange(LEVELS) / (LEVELS - 1)
    return {name: moments_of(values, counts) for name, counts in zip(CHANNELS, levels, strict=True)}


def measure_dataset(
    manifest: Manifest, on_photo: Callable[[int, int], None] = lambda done, total: None
) -> DatasetFigures:
    """The figures of a data set; each photo is decoded once, at a reduced size where its format allows it."""
    photos = manifest.photos
    pixels: dict[str, np.ndarray] = {split: np.zeros((3, LEVELS), np.int64) for split in SPLITS}
    brightness: dict[int, float] = {}
    looks: dict[int, Look] = {}
    unread = []
    on_photo(0, len(photos))
    for number, photo in enumerate(photos):
        try:
            small = _small(manifest, photo)
        except PhotoError as error:
            unread.append(str(error))
            continue
        levels = np.stack(
            [np.bincount(channel.ravel(), minlength=LEVELS) for channel in np.moveaxis(np.asarray(small), 2, 0)]
        )
        pixels[photo.split] += levels
        brightness[number] = float((levels @ np.arange(LEVELS)).sum() / levels.sum() / (LEVELS - 1))
        looks[number] = look_at(small)
        on_photo(number + 1, len(photos))
    near = _near_groups(photos, looks)
    attributes = tuple(_attribute(photos, name) for name in manifest.attributes)
    return DatasetFigures(
        photos=len(photos),
        splits={split: len(manifest.of(split)) for split in SPLITS},
        persons={split: len({each.person for each in manifest.of(split)} - {None}) for split in SPLITS},
        photos_of_a_person=moments_of(Counter(each.person for each in photos if each.person is not None).values()),
        labels=_labels(photos),
        sizes={
            "width": moments_of(each.width for each in photos),
            "height": moments_of(each.height for each in photos),
            "bytes": moments_of(each.size for each in photos),
        },
        pixels={"all": sum(pixels.values(), np.zeros((3, LEVELS), np.int64)), **pixels},
        attributes=attributes,
        correlations=correlations(photos, manifest.attributes),
        values=tuple(_value(photos, name) for name in dict.fromkeys(key for each in photos for key in each.values)),
        quality={
            name: moments_of(each.quality[name] for each in photos if name in each.quality)
            for name in dict.fromkeys(key for each in photos for key in each.quality)
        },
        same=tuple(tuple(each.file for each in group) for group in _same(photos)),
        near=tuple(tuple(photos[place].file for place in group) for group in near),
        near_across_splits=sum(len({photos[place].split for place in group}) > 1 for group in near),
        said_otherwise=tuple(
            tuple(photos[place].file for place in group) for group in near if _differ([photos[n] for n in group])
        ),
        persons_across=persons_across_splits(manifest),
        drift=_drift(photos, attributes, brightness),
        unread=tuple(unread),
    )


def _small(manifest: Manifest, photo: Photo) -> Image.Image:
    """The photo upright and small, in 8 bits, whatever its file has."""
    with opened(manifest.unchanged_path(photo)) as picture:
        picture.draft("RGB", (LOOKED_AT, LOOKED_AT))
        small = eight_bit(ImageOps.exif_transpose(picture)).convert("RGB")
        small.thumbnail((LOOKED_AT, LOOKED_AT), Image.Resampling.BOX)
        return small


def _labels(photos: Sequence[Photo]) -> dict[str, dict[Split, int]]:
    counts = Counter((each.label, each.split) for each in photos if each.label is not None)
    names = sorted({label for label, _ in counts})
    return {name: {split: counts[name, split] for split in SPLITS} for name in names}


def _attribute(photos: Sequence[Photo], name: str) -> AttributeFigures:
    said = [(each.split, each.attributes[name]) for each in photos if name in each.attributes]
    shares: dict[Split, float] = {}
    for split in SPLITS:
        held = [value for each, value in said if each == split]
        if held:
            shares[split] = sum(held) / len(held)
    return AttributeFigures(name, sum(value for _, value in said), len(said), shares, moments_of(v for _, v in said))


def correlations(photos: Sequence[Photo], names: Sequence[str]) -> np.ndarray:
    """Pearson's correlation of each two attributes (phi), [N,N]; NaN where one is always the same.

    Over the photos that say both.
    """
    held = np.array([[each.attributes.get(name, math.nan) for name in names] for each in photos], np.float64)
    held = held.reshape(len(photos), len(names))
    known = ~np.isnan(held)
    filled = np.where(known, held, 0.0)
    n, ones = known.T.astype(float) @ known, filled.T @ filled
    left, right = filled.T @ known, known.T @ filled
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = ones / n - left / n * right / n
        spread = (left / n - (left / n) ** 2) * (right / n - (right / n) ** 2)
        return np.where(spread > 1e-15, covariance / np.sqrt(np.maximum(spread, 1e-300)), math.nan)


def _value(photos: Sequence[Photo], name: str) -> ValueFigures:
    held = [each.values[name] for each in photos if name in each.values]
    words = Counter(value for value in held if isinstance(value, str))
    numbers = [value for value in held if not isinstance(value, str)]
    dates = tuple(sorted(word for word in words if DATE.fullmatch(word)))
    mangled = dates if any(re.fullmatch(r"\d+ ?- ?\d+", word) for word in words) else ()
    return ValueFigures(name, len(held), tuple(words.most_common()), moments_of(numbers) if numbers else None, mangled)


def _same(photos: Sequence[Photo]) -> list[list[Photo]]:
    by_content: dict[str, list[Photo]] = {}
    for photo in photos:
        by_content.setdefault(photo.sha256, []).append(photo)
    return [group for group in by_content.values() if len(group) > 1]


def _near_groups(photos: Sequence[Photo], looks: Mapping[int, Look]) -> list[list[int]]:
    """The groups of places whose pictures are the same to the eye, also mirrored, or of one content."""
    places = list(looks)
    pairs = [(places[one], places[other]) for one, other in same_pictures([looks[place] for place in places])]
    contents: dict[str, list[int]] = {}
    for place, photo in enumerate(photos):
        contents.setdefault(photo.sha256, []).append(place)
    return groups_of([*pairs, *((group[0], other) for group in contents.values() for other in group[1:])])


def _differ(group: Sequence[Photo]) -> bool:
    """Whether photos that are the same picture are said to show different things, or different people."""
    if len({each.label for each in group} - {None}) > 1 or len({each.person for each in group} - {None}) > 1:
        return True
    names = {name for each in group for name in each.attributes}
    return any(len({each.attributes[name] for each in group if name in each.attributes}) > 1 for name in names)


def _drift(
    photos: Sequence[Photo], attributes: Sequence[AttributeFigures], brightness: Mapping[int, float]
) -> tuple[Drift, ...]:
    """Where validation or test photos differ from those that are trained on by more than `DRIFT` standard errors."""
    found = []
    said = Counter((each.split, name) for each in photos for name in each.attributes)
    for each in attributes:
        for split in ("validation", "test"):
            if split not in each.shares or "train" not in each.shares:
                continue
            there, train = each.shares[split], each.shares["train"]
            error = math.sqrt(
                each.share * (1 - each.share) * (1 / said[split, each.name] + 1 / said["train", each.name])
            )
            if error and abs(there - train) > DRIFT * error:
                found.append(Drift(each.name, split, there, train, (there - train) / error))
    light = {
        split: [brightness[n] for n, p in enumerate(photos) if p.split == split and n in brightness] for split in SPLITS
    }
    numbers = _numbers(photos) | {"brightness": light}
    for name, by_split in numbers.items():
        own = moments_of(by_split["train"])
        for split in ("validation", "test"):
            other = moments_of(by_split[split])
            if None in (own.deviation, other.deviation) or own.mean is None or other.mean is None:
                continue
            error = math.sqrt(own.deviation**2 / own.count + other.deviation**2 / other.count)  # type: ignore[operator]
            if error and abs(other.mean - own.mean) > DRIFT * error:
                found.append(Drift(name, split, other.mean, own.mean, (other.mean - own.mean) / error))
    return tuple(sorted(found, key=lambda each: -abs(each.errors)))


def _numbers(photos: Sequence[Photo]) -> dict[str, dict[Split, list[float]]]:
    """The numbers that photos have beside their pixels, by name and split: their values, and their sizes."""
    numbers: dict[str, dict[Split, list[float]]] = {}
    for photo in photos:
        held = {**photo.values, **photo.quality, "width": photo.width, "height": photo.height}
        for name, value in held.items():
            if not isinstance(value, str):
                numbers.setdefault(name, {split: [] for split in SPLITS})[photo.split].append(float(value))
    return numbers
