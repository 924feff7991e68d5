"""Which photos of a data set are the same picture: saved again, made smaller, cut a little, lighter or mirrored."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from PIL import Image

SIDE, KEPT = 32, 8
"""A photo is looked at as `SIDE` x `SIDE` grey pixels, and of their waves the `KEPT` x `KEPT` longest are kept."""

NEAR = 6
"""Bits of 63 in which two hashes of one picture may differ. Of 600 portraits (LFW, 250 pixels) that were saved again as
JPEG of quality 40, at half size, lighter, grey, mirrored or with another gamma all are found, of those cut by 1 % at
each side 95 %, by 4 % none; of the 2 million pairs of 2,000 portraits one is that near
(`benchmarks/training/duplicates.py`)."""

ALIKE = 0.98
"""Correlation of two pictures at 32 x 32 grey pixels from which they are one: hashes alone say so of one in two million
pairs of different faces, which are many pairs in a large data set."""


@dataclass(frozen=True)
class Look:
    """How a picture looks from afar: its hash, that of its mirror image, and [32,32] grey pixels."""

    straight: int
    mirrored: int
    grey: np.ndarray


def look_at(picture: Image.Image) -> Look:
    """Of a picture of any size."""
    grey = np.asarray(picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))
    return Look(picture_hash(grey), picture_hash(grey[:, ::-1]), grey)


def picture_hash(grey: np.ndarray) -> int:
    """63 bits of [32,32] grey pixels that change little when a picture is saved again, made smaller, or lighter.

    The signs of its longest waves about their median (C. Zauner, "Implementation and Benchmarking of Perceptual Image
    Hash Functions", 2010): the discrete cosine transform, without the mean.
    """
    waves = np.asarray(scipy.fft.dctn(grey.astype(np.float64), norm="ortho"))[:KEPT, :KEPT].ravel()[1:]
    bits = waves > np.median(waves)
    return int("".join("1" if bit else "0" for bit in bits), 2)


def same_pictures(looks: Sequence[Look]) -> list[tuple[int, int]]:
    """Pairs of places in `looks` that are one picture, also where one is the other's mirror image.

    Of many copies each is in a pair with an earlier one, not with all.
    """
    firsts, found = _same_hash(looks)
    count = len(firsts)
    hashes = [looks[place].straight for place in firsts] + [looks[place].mirrored for place in firsts]
    for one, other, _ in near_pairs(hashes):
        first, second = sorted((firsts[one % count], firsts[other % count]))
        turned = (one < count) != (other < count)
        if first != second and (first, second) not in found and _are_one(looks[first], looks[second], turned=turned):
            found.add((first, second))
    return sorted(found)


def _same_hash(looks: Sequence[Look]) -> tuple[list[int], set[tuple[int, int]]]:
    """The first place of each picture among those of one hash, and the pairs of it with the others.

    Thousands of photos of one colour have one hash: they are not compared each with each.
    """
    of_hash: dict[int, list[int]] = {}
    pairs: set[tuple[int, int]] = set()
    for place, look in enumerate(looks):
        firsts = of_hash.setdefault(look.straight, [])
        same = next((first for first in firsts if _are_one(looks[first], look, turned=False)), None)
        if same is None:
            firsts.append(place)
        else:
            pairs.add((same, place))
    return sorted(place for firsts in of_hash.values() for place in firsts), pairs


def _are_one(one: Look, other: Look, *, turned: bool) -> bool:
    return alike(one.grey, other.grey[:, ::-1] if turned else other.grey) >= ALIKE


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two pictures of grey pixels; 1 for two of one grey each, whichever it is."""
    first, second = (each.astype(np.float64) - each.mean() for each in (one, other))
    spread = math.sqrt((first * first).sum() * (second * second).sum())
    if spread < 1e-9:
        return 1.0 if not first.any() and not second.any() else 0.0
    return float((first * second).sum() / spread)


def near_pairs(hashes: Sequence[int], near: int = NEAR) -> list[tuple[int, int, int]]:
    """The pairs of places in `hashes` that differ in at most `near` bits, with that number; nearest first.

    Hashes are cut into `near` + 1 bands, of which a near pair shares one (the pigeonhole principle), so that 50,000
    are compared in seconds. A hash without any detail (all photos of one colour have the same) is compared too.
    """
    values = np.asarray(hashes, np.uint64)
    edges = np.linspace(0, 63, near + 2).round().astype(int)
    found: dict[tuple[int, int], int] = {}
    for low, high in itertools.pairwise(edges):
        band = (values >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        order = np.argsort(band, kind="stable")
        starts = np.flatnonzero(np.diff(band[order], prepend=band[order[:1]] + np.uint64(1)))
        for group in np.split(order, starts[1:]):
            found |= _near_in(values, group, near)
    return sorted(((*pair, bits) for pair, bits in found.items()), key=lambda each: (each[2], each[0], each[1]))


def _near_in(values: np.ndarray, group: np.ndarray, near: int) -> dict[tuple[int, int], int]:
    """The near pairs among those that share a band."""
    found: dict[tuple[int, int], int] = {}
    for place, index in enumerate(group[:-1]):
        rest = group[place + 1 :]
        bits = np.bitwise_count(values[rest] ^ values[index])
        for other, count in zip(rest[bits <= near], bits[bits <= near], strict=True):
            found[min(index, other).item(), max(index, other).item()] = int(count)
    return found
