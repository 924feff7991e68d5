"""What a threshold costs on photos of another source: official portraits beside press photos of the same people.

    python benchmarks/fairness/sources.py --house us-senate --house us-house --lfw lfw-deepfunneled --write

The cost of a threshold, the right people that it refuses, depends on how far apart the two photos of a person are. The
even thresholds were chosen on official portraits, and verification.py counts their cost on portraits beside a directory
picture of the same years. Here the second photo is a press photo of Labeled Faces in the Wild, taken some 18 years
before the portrait. Nothing is chosen here: all thresholds are those of core/identity/calibration.toml. People are
matched by name; NAMESAKES are left out, found by looking at the photos.
"""

from __future__ import annotations

import argparse
import csv
import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from likeness_studio.benchmarks.fairness.intervals import share
from likeness_studio.benchmarks.fairness.results_file import write
from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.faces import FaceEngine, engine_of, find_subject
from likeness_studio.core.identity import calibration_of
from likeness_studio.core.imaging import load_photo

NAMESAKES = ("Young_Kim",)
"""Names under which LFW shows somebody else."""


class Matched(NamedTuple):
    """A person with an official portrait and press photos."""

    name: str
    portrait: Path
    press: list[Path]


def matched(houses: list[Path], lfw: Path) -> list[Matched]:
    """The people of the data sets whose names LFW has as well."""
    found = []
    for house in houses:
        with next((house / "data").glob("us-*.csv")).open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                name = f"{row['first_name']}_{row['last_name']}".replace(" ", "_")
                press = sorted((lfw / name).glob("*.jpg"))
                portrait = house / "images" / "headshots" / "1024x1024" / f"{row['name_slug']}.jpg"
                if press and name not in NAMESAKES:
                    found.append(Matched(name, portrait, press))
    return found


def cosines(engine: FaceEngine, people: list[Matched]) -> list[np.ndarray]:
    """For each person the cosines of the portrait with the press photos."""

    def embedded(path: Path) -> np.ndarray:
        face = find_subject(engine, load_photo(path)[0][0], FacePolicy.CENTRAL, min_face=1).face
        if face is None or face.embedding is None:
            raise SystemExit(f"No face was found in {path}.")
        return face.embedding

    return [np.array([embedded(each.portrait) @ embedded(photo) for photo in each.press]) for each in people]


def measure(engine: str, people: list[Matched]) -> dict[str, Any]:
    """The refused at each threshold: of people by their first press photo, and of all pairs."""
    scores = cosines(engine_of(engine, "cpu"), people)
    first, every = np.array([each[0] for each in scores]), np.concatenate(scores)
    known = calibration_of(engine)
    limits = {f"{point.fmr:g}": point.threshold for point in known.points}
    limits |= {f"even {point.fmr:g}": point.threshold for point in known.even}
    return {
        "people": len(people),
        "pairs": len(every),
        "median": round(float(np.median(first)), 4),
        "refused": {
            name: {
                "threshold": limit,
                "of_people": share(int((first < limit).sum()), len(first)).as_dict(),
                "of_pairs": round(float((every < limit).mean()), 4),
            }
            for name, limit in limits.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--house", type=Path, action="append", required=True, help="a CivilServiceUSA data set folder")
    parser.add_argument("--lfw", type=Path, required=True, help="folder with one folder for each person")
    parser.add_argument("--engine", action="append", help="yunet-sface (the default), insightface/PACK and others")
    parser.add_argument("--write", action="store_true", help="write results/sources.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    people = matched(arguments.house, arguments.lfw)
    engines = {engine: measure(engine, people) for engine in arguments.engine or ["yunet-sface"]}
    print(engines)
    if arguments.write:
        write("sources", {"date": datetime.date.today().isoformat(), "engines": engines})


if __name__ == "__main__":
    main()
