"""Strangers taken for the person, by group, for engines of which there is no full report.

    python benchmarks/fairness/strangers.py --house us-senate --house us-house --engine yunet-dlib --write

The first half of verification.py: every pair of two people of a group by their official portraits, at the thresholds of
core/identity/calibration.toml. Embeddings are kept nowhere.
"""

from __future__ import annotations

import argparse
import datetime
from typing import Any

import numpy as np
import torch
from rich.progress import track

from likeness_studio.benchmarks.fairness.embeddings import embed
from likeness_studio.benchmarks.fairness.intervals import draws, pair_rate
from likeness_studio.benchmarks.fairness.people import Person, add_people, groups_of, read_people
from likeness_studio.benchmarks.fairness.results_file import write
from likeness_studio.core.faces import FaceEngine, engine_of
from likeness_studio.core.identity import calibration_of
from likeness_studio.core.imaging import load_photo


def measure(engine: FaceEngine, people: list[Person]) -> dict[str, Any]:
    """The share of pairs of strangers that pass, for each group and threshold."""
    found = [embed(engine, load_photo(each.portrait)[0][0])[0] for each in track(people, description=engine.key)]
    seen = [person for person, vector in zip(people, found, strict=True) if vector is not None]
    vectors = np.stack([vector for vector in found if vector is not None])
    scores, weights = vectors @ vectors.T, draws(len(seen))
    rows = []
    for group in groups_of(seen):
        members = np.array(group.members)
        own, drawn = scores[np.ix_(members, members)], weights[:, members]
        at = {f"{p.fmr:g}": pair_rate(own >= p.threshold, drawn).as_dict() for p in calibration_of(engine.key).points}
        rows.append({"kind": group.kind, "group": group.name, "people": len(members), "few": group.few, "at": at})
    return {"people": len(seen), "groups": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_people(parser)
    parser.add_argument("--engine", action="append", required=True, help="key of an engine; may be repeated")
    parser.add_argument("--write", action="store_true", help="write results/strangers-ENGINE.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    people = read_people(arguments.house, None)
    for key in arguments.engine:
        result = {"engine": key, "date": datetime.date.today().isoformat()} | measure(engine_of(key, "cpu"), people)
        for row in result["groups"]:
            if not row["few"]:
                print(row["group"], {name: round(100 * rate["rate"], 3) for name, rate in row["at"].items()})
        if arguments.write:
            write(f"strangers-{key.replace('/', '-')}", result)


if __name__ == "__main__":
    main()
