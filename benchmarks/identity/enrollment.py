"""How often photos of two strangers are enrolled as one person, and how often one person's photos are refused.

    python benchmarks/identity/enrollment.py --lfw lfw-deepfunneled [--pairs 1000] [--write]

Strangers are drawn at random among people of LFW with enough photos, 2, 3 and 5 photos of each; single people are all
with six photos and more (14 at most). Enrollment is that of the library, from embeddings; nothing in it was chosen on
these draws: its limits are the false match rates of `core/identity/calibration.toml`, which were measured on LFW's
protocol photos. LFW is research data and stays outside the project.
"""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path

import numpy as np
from rich.progress import track

from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.faces import FaceEngine, Subject, engine_of, find_subjects
from likeness_studio.core.identity import judge_references
from likeness_studio.core.imaging import load_photo

MOST = 14
LEAST_SINGLE = 6
SIZES = (2, 3, 5)
RESULTS = Path(__file__).parent / "results"


def embed_people(engine: FaceEngine, folder: Path, least: int) -> dict[str, list[Subject]]:
    """The subjects of everybody with `least` photos and more, by name."""
    people = {}
    names = sorted(each for each in folder.iterdir() if each.is_dir() and len(list(each.glob("*.jpg"))) >= least)
    for each in track(names, description=engine.key):
        photos = [load_photo(file)[0][0] for file in sorted(each.glob("*.jpg"))[:MOST]]
        subjects = find_subjects(engine, photos, FacePolicy.CENTRAL, min_face=1)
        people[each.name] = [subject for subject in subjects if subject.problem is None]
    return people


def strangers_accepted(
    engine: FaceEngine, people: dict[str, list[Subject]], size: int, pairs: int, rng: np.random.Generator
) -> tuple[int, int]:
    """How many draws of two strangers were accepted whole, of how many."""
    names = [name for name, subjects in people.items() if len(subjects) >= size]
    accepted = 0
    for _ in range(pairs):
        photos = []
        for name in rng.choice(names, 2, replace=False):
            subjects = people[str(name)]
            photos += [subjects[place] for place in rng.choice(len(subjects), size, replace=False)]
        accepted += all(reference.accepted for reference in judge_references(engine, photos))
    return accepted, pairs


def single_refused(engine: FaceEngine, people: dict[str, list[Subject]]) -> tuple[list[str], int]:
    """The people of whom a photo was refused as somebody else's, and how many people there are."""
    tried = {name: subjects for name, subjects in people.items() if len(subjects) >= LEAST_SINGLE}
    refused = [
        name
        for name, subjects in tried.items()
        if not all(reference.accepted for reference in judge_references(engine, subjects))
    ]
    return refused, len(tried)


def main() -> None:
    """Measure, print, and write the results where that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lfw", type=Path, required=True)
    parser.add_argument("--engine", default="yunet-sface")
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    engine = engine_of(options.engine)
    people = embed_people(engine, options.lfw, min(SIZES))
    rng = np.random.default_rng(0)
    result: dict[str, object] = {"date": datetime.date.today().isoformat(), "engine": engine.key}
    for size in SIZES:
        accepted, drawn = strangers_accepted(engine, people, size, options.pairs, rng)
        result[f"strangers {size}+{size}"] = {"accepted": accepted, "of": drawn}
    refused, tried = single_refused(engine, people)
    result["single people"] = {"with a photo refused": len(refused), "of": tried, "names": refused}
    print(json.dumps(result, indent=2))
    if options.write:
        RESULTS.mkdir(exist_ok=True)
        file = RESULTS / f"enrollment-{engine.key.replace('/', '-')}.json"
        file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
