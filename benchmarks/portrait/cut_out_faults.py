"""How often a fault planted in a mask from elsewhere is named, and how often a sound mask is doubted.

    .venv/bin/python benchmarks/portrait/cut_out_faults.py --photos DIR --people DIR --cache DIR --count 30 --write

Portraits (`--photos`, in the order of the hash of their names) on which both networks agree get a matte by closed-form
matting (matting.py). That matte is checked as Matte Person checks a given mask: sound, with one fault planted in it,
and sound again before a drawn background that is hard to cut out. A fault counts where at least `VISIBLE` of it lies in
the picture; places are given in distances between the eyes from the middle of them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matting import keyed, read_picture, some_people
from scenes import SCENES, scene

from likeness_studio.core.faces.face import Face
from likeness_studio.core.portrait.person_matte import Networks, PersonMatte

VISIBLE = 0.5
"""Squared eye distances."""

SOUND, HARD = "nothing", "nothing, before a hard background"


def planted(alpha: np.ndarray, face: Face, side: int) -> Iterator[tuple[str, np.ndarray]]:
    """The matte [H,W] with a fault on one `side` of the person, -1 or 1, by its name."""
    unit, turn = face.frontal_eye_distance, np.radians(face.roll)
    eyes = face.landmarks[:2].mean(0)
    rows, columns = np.mgrid[0 : alpha.shape[0], 0 : alpha.shape[1]] + 0.5
    across, down = (columns - eyes[0]) / unit, (rows - eyes[1]) / unit
    x, y = np.cos(turn) * across + np.sin(turn) * down, np.cos(turn) * down - np.sin(turn) * across
    x = side * x
    solid = alpha > 0.5

    def disc(centre: float, low: float, wide: float, high: float) -> np.ndarray:
        return ((x - centre) / wide) ** 2 + ((y - low) / high) ** 2 < 1

    def edge(low: float) -> float:
        """Where the person ends at that height."""
        there = x[solid & (np.abs(y - low) < 0.25)]
        return float(there.max()) if there.size else 1.2

    top = float(y[solid & (np.abs(x) < 0.5)].min())
    kept = {
        "a piece beside the neck kept": disc(edge(1.2) + 0.5, 1.3, 0.7, 1.0),
        "a piece beside the head kept": disc(edge(0.3) + 0.4, 0.3, 0.6, 0.8),
        "another head kept": disc(3.4, -0.2, 1.1, 1.5),
        "the upper background kept": y < -2.2,
    }
    lost = {
        "a shoulder lost": (x > 1.6) & (y > 1.8),
        "the body lost": y > 2.6,
        "the top of the head lost": y < top + 0.7,
        "an ear lost": disc(edge(0.5), 0.5, 0.45, 0.6),
        "half the face lost": (x > 0.2) & (y < 1.9),
    }
    yield from ((name, np.maximum(alpha, piece)) for name, piece in kept.items())
    for name, piece in lost.items():
        yield name, np.where(piece, 0, alpha)


def _row(name: str, fault: str, found: PersonMatte) -> dict[str, Any]:
    return {"photo": name, "planted": fault, "doubt": round(found.doubt, 4), "look": found.look, "why": found.reasons}


def measure(path: Path, networks: Networks, crowd: list[np.ndarray], cache: Path) -> list[dict[str, Any]]:
    """What is said of each mask of one portrait; nothing where no sound mask could be had."""
    if (found := keyed(path, cache)) is None:
        return []
    front, alpha = found
    photo = torch.from_numpy(read_picture(path))
    random = np.random.default_rng(int(hashlib.sha256(path.name.encode()).hexdigest()[:8], 16))
    kind = SCENES[int(random.integers(len(SCENES)))]
    back = scene(kind, front, alpha, crowd, random)
    mixed = torch.from_numpy((front * alpha[..., None] + back * (1 - alpha[..., None])).astype(np.float32))

    def check(picture: torch.Tensor, mask: np.ndarray, fault: str) -> dict[str, Any]:
        return _row(path.name, fault, networks.check(picture, torch.from_numpy(mask.astype(np.float32))))

    rows = [check(photo, alpha, SOUND), check(mixed, alpha, HARD) | {"scene": kind}]
    faces = networks.detect(photo)
    face = max(faces, key=lambda each: each.size)
    for fault, mask in planted(alpha, face, int(random.choice([-1, 1]))):
        changed = float(((mask > 0.5) ^ (alpha > 0.5)).sum()) / face.frontal_eye_distance**2
        if changed >= VISIBLE:
            rows.append(check(photo, mask, fault))
    return rows


def table(rows: list[dict[str, Any]]) -> list[str]:
    """How many of each fault were named."""
    lines = ["| planted | masks | look at it | share | median doubt |", "|" + "---|" * 5]
    for fault in dict.fromkeys(row["planted"] for row in rows):
        some = [row for row in rows if row["planted"] == fault]
        named = sum(row["look"] for row in some)
        doubt = float(np.median([row["doubt"] for row in some]))
        lines.append(f"| {fault} | {len(some)} | {named} | {named / len(some):.0%} | {doubt:.3f} |")
    return lines


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--count", type=int, default=30, help="portraits with a sound mask")
    parser.add_argument("--rows", type=Path, help="a JSON file for every row, outside the project: it names photos")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    crowd = some_people(args.people)
    networks, rows, done = Networks.load("cpu"), [], 0
    for path in sorted(args.photos.glob("*.jpg"), key=lambda path: hashlib.sha256(path.name.encode()).hexdigest()):
        if done >= args.count:
            break
        found = measure(path, networks, crowd, args.cache)
        rows += found
        done += bool(found)
        print(path.name, Counter(row["look"] for row in found), flush=True)
    if args.rows:
        args.rows.write_text(json.dumps(rows, indent=1) + "\n")
    text = "\n".join(["# A check of masks from elsewhere, with planted faults", "", *table(rows), ""])
    print(text)
    if args.write:
        Path(__file__).with_suffix(".md").write_text(text)  # what was seen by eye is written below it by hand


if __name__ == "__main__":
    main()
