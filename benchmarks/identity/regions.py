"""Parts of one face on another: how often is the result taken for the owner of the part, and for the rest of the face?

    python benchmarks/identity/regions.py --lfw lfw-deepfunneled --engine yunet-sface --people 60

Photos are of Labeled Faces in the Wild. Each person with four photos and more is enrolled from two of them; a part of
the third is laid, by the five landmarks and with soft edges, on a photo of the next person (*as the donor*), and a part
of the next person's photo on the fourth (*as the person*). Counts those that pass at 1 in 10,000. The region of a part
is stated in eye distances. Prints the figures and writes results/regions.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.faces import Face, FaceEngine, engine_of, find_subject
from likeness_studio.core.identity import calibration_of
from likeness_studio.core.identity.enrollment import unit_mean
from likeness_studio.core.imaging import load_photo

REGIONS = {
    "eye strip": ((-1.1, 1.1, -0.45, 0.4),),
    "eyes and nose": ((-1.1, 1.1, -0.45, 0.4), (-0.45, 0.45, 0.0, 0.95)),
    "mouth": ((-0.7, 0.7, 0.8, 1.5),),
    "nose and mouth": ((-0.45, 0.45, 0.2, 0.95), (-0.7, 0.7, 0.8, 1.5)),
    "the whole inner face": ((-1.1, 1.1, -0.5, 1.6),),
}
"""Rectangles (left, right, top, bottom) about the middle between the eyes, in eye distances of the levelled face."""

RESULTS = Path(__file__).parent / "results"
SOFT = 0.1
"""Width of a region's edge, in eye distances."""


def transplanted(host: torch.Tensor, onto: Face, donor: torch.Tensor, of: Face, region: str) -> torch.Tensor:
    """`host` [H,W,3] with the region of `donor`'s face, its five landmarks fitted to the host's in colour and place."""
    height, width = host.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    a, b, c, d = (complex(*points) for points in (*onto.landmarks[:2], *of.landmarks[:2]))
    places = columns + 1j * rows
    local = (places - (a + b) / 2) / (b - a)
    mask = np.zeros((height, width))
    for left, right, top, bottom in REGIONS[region]:
        inside = np.minimum.reduce([local.real - left, right - local.real, local.imag - top, bottom - local.imag])
        mask = np.maximum(mask, np.clip(inside / SOFT, 0, 1))
    there = local * (d - c) + (c + d) / 2
    grid = np.stack([(there.real + 0.5) / donor.shape[1] * 2 - 1, (there.imag + 0.5) / donor.shape[0] * 2 - 1], -1)
    moved = F.grid_sample(
        donor.permute(2, 0, 1)[None], torch.from_numpy(grid).float()[None], padding_mode="border", align_corners=False
    )[0].permute(1, 2, 0)
    chosen = torch.from_numpy(mask > 0.5)
    moved = moved - moved[chosen].mean(0) + host[chosen].mean(0)
    return torch.lerp(host, moved.clamp(0, 1), torch.from_numpy(mask).float()[..., None])


def seen(engine: FaceEngine, photo: torch.Tensor) -> Face | None:
    return find_subject(engine, photo, FacePolicy.CENTRAL, min_face=1).face


def people_of(lfw: Path, count: int) -> list[list[Path]]:
    """Four photos each of `count` people, every so many of those that have four."""
    having = [photos for folder in sorted(lfw.iterdir()) if len(photos := sorted(folder.glob("*.jpg"))) >= 4]
    return [photos[:4] for photos in having[:: max(1, len(having) // count)][:count]]


def measure(engine: FaceEngine, people: list[list[Path]]) -> dict[str, dict[str, float]]:
    """For each region the share that passes as the donor of the part, and as the person who got it."""
    limit = calibration_of(engine.key).threshold(1e-4)
    photos = [[load_photo(path)[0][0] for path in each] for each in people]
    faces = [[seen(engine, photo) for photo in each] for each in photos]
    known = [place for place, each in enumerate(faces) if None not in each]
    passed: dict[str, list[tuple[bool, bool]]] = {name: [] for name in (*REGIONS, "nothing")}
    for place, after in zip(known, [*known[1:], known[0]], strict=True):
        own, other = faces[place], faces[after]
        mean = unit_mean(np.stack([e for each in own[:2] if each is not None and (e := each.embedding) is not None]))

        def passes(photo: torch.Tensor, mean: np.ndarray = mean) -> bool:
            face = seen(engine, photo)
            return face is not None and face.embedding is not None and float(face.embedding @ mean) >= limit

        third, fourth, host = photos[place][2], photos[place][3], photos[after][2]
        passed["nothing"].append((passes(host), passes(fourth)))
        for region in REGIONS:
            as_donor = transplanted(host, other[2], third, own[2], region)  # type: ignore[arg-type]
            as_person = transplanted(fourth, own[3], host, other[2], region)  # type: ignore[arg-type]
            passed[region].append((passes(as_donor), passes(as_person)))
    rates = {name: np.mean(each, axis=0) for name, each in passed.items()}
    return {
        name: {"as the donor": round(float(a), 3), "as the person": round(float(b), 3)}
        for name, (a, b) in rates.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lfw", type=Path, required=True, help="folder with one folder for each person")
    parser.add_argument("--engine", action="append", help="yunet-sface (the default) and others")
    parser.add_argument("--people", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    people = people_of(arguments.lfw, arguments.people)
    found = {name: measure(engine_of(name, "cpu"), people) for name in arguments.engine or ["yunet-sface"]}
    text = json.dumps({"people": len(people), "engines": found}, indent=2)
    (RESULTS / "regions.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
