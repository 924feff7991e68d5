"""False matches and false non-matches of a recogniser by group, and the threshold that is even across groups.

    python benchmarks/fairness/verification.py --house us-senate --house us-house --directory img/200x250 \\
        --engine yunet-sface --cache /tmp/fairness-yunet-sface.npz --write

False matches: every pair of different people of a group, by their official portraits. False non-matches: the portrait
beside another public photo of the person (pairs that are one picture left out, see same_picture.py), and beside honest
augmentations of the portrait itself (variants.py). Writes results/verification-ENGINE.json, and the engine's even
thresholds into core/identity/calibration.toml.
"""

from __future__ import annotations

import argparse
import datetime
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from likeness_studio.benchmarks.fairness.embeddings import OTHER, PORTRAIT, Cache, embed_people
from likeness_studio.benchmarks.fairness.even import Bound, Everybody
from likeness_studio.benchmarks.fairness.intervals import draws, mean_rate, pair_rate, share
from likeness_studio.benchmarks.fairness.people import Group, Person, add_people, groups_of, read_people
from likeness_studio.benchmarks.fairness.results_file import write
from likeness_studio.benchmarks.fairness.same_picture import SAME, correlations
from likeness_studio.benchmarks.fairness.variants import VARIANTS
from likeness_studio.benchmarks.identity.calibration_table import write_even
from likeness_studio.core.faces import engine_of
from likeness_studio.core.identity import calibration_of

RATES = (1e-3, 1e-4)
"""False match rates that an even threshold is chosen for."""

SHOWN = 10
"""Groups of fewer people get no bound, not even one that is not used."""

NAMESAKES = ("R000575",)
"""People whose portrait in the data set is of somebody else of that name: seen by looking at the lowest scores of pairs
that should be of one person. The portrait stays a portrait of a stranger; the pair is left out."""


class Scores:
    """What the recogniser says of everybody's photos."""

    def __init__(self, people: list[Person], cache: Cache) -> None:
        found = [cache.vector(person.id, PORTRAIT) for person in people]
        self.people = [person for person, vector in zip(people, found, strict=True) if vector is not None]
        self.without_face = len(people) - len(self.people)
        vectors = np.stack([vector for vector in found if vector is not None])
        self.different = vectors @ vectors.T
        self.variants = {name: self._same(vectors, cache, name) for name in VARIANTS}
        self.others, self.same_pictures, self.namesakes = self._others(vectors, cache)

    def _same(self, vectors: np.ndarray, cache: Cache, name: str) -> np.ndarray:
        """The cosine of each portrait and its variant; -1 where no face was found in that, which is no match either."""
        made = [cache.vector(person.id, name) for person in self.people]
        return np.array([-1.0 if one is None else vectors[row] @ one for row, one in enumerate(made)])

    def _others(self, vectors: np.ndarray, cache: Cache) -> tuple[np.ndarray, int, int]:
        """The cosine of each portrait and another photo, not a number where there is none; and what was left out."""
        found = np.full(len(vectors), np.nan)
        having = [row for row, person in enumerate(self.people) if person.other is not None]
        for row in having:
            other = cache.vector(self.people[row].id, OTHER)
            found[row] = -1.0 if other is None else vectors[row] @ other
        crops = {row: cache.crop(self.people[row].id, OTHER) for row in having}
        seen = [row for row in having if crops[row] is not None]
        first = np.stack([cache.crop(self.people[row].id, PORTRAIT) for row in seen])  # type: ignore[misc]
        agreement = correlations(first, np.stack([crops[row] for row in seen]))  # type: ignore[misc]
        one_picture = [row for row, value in zip(seen, agreement, strict=True) if value >= SAME]
        others = [row for row in having if self.people[row].id in NAMESAKES]
        found[one_picture + others] = np.nan
        return found, len(one_picture), len(others)


def errors_of(group: Group, scores: Scores, threshold: float, weights: np.ndarray) -> dict[str, Any]:
    """All rates of one group at one threshold."""
    members = np.array(group.members)
    others = scores.others[members]
    others = others[~np.isnan(others)]
    attempts = np.stack([scores.variants[name][members] for name in VARIANTS], 1) < threshold
    return {
        "false_match": pair_rate(
            scores.different[np.ix_(members, members)] >= threshold, weights[:, members]
        ).as_dict(),
        "false_non_match": share(int((others < threshold).sum()), len(others)).as_dict(),
        "false_non_match_augmented": mean_rate(attempts, weights[:, members]).as_dict(),
        "augmented": {name: int(failed) for name, failed in zip(VARIANTS, attempts.sum(0), strict=True)},
    }


def asked(bound: Bound) -> dict[str, Any]:
    return asdict(bound) | {"threshold": bound.threshold, "how": bound.how}


def even_thresholds(groups: list[Group], scores: Scores, weights: np.ndarray) -> list[dict[str, Any]]:
    """For each rate what every group asks, and the threshold that satisfies all that have people enough."""
    found = []
    for rate in RATES:
        everybody = Everybody(scores.different, weights, rate)
        bounds = {
            group.name: everybody.bound(np.array(group.members)) for group in groups if len(group.members) >= SHOWN
        }
        used = {group.name: bounds[group.name] for group in groups if not group.few}
        worst = max(used, key=lambda name: used[name].threshold)
        found.append(
            {
                "fmr": rate,
                "threshold": used[worst].threshold,
                "group": worst,
                "how": used[worst].how,
                "groups": {name: asked(bound) | {"used": name in used} for name, bound in bounds.items()},
            }
        )
    return found


def measure(engine: str, scores: Scores) -> dict[str, Any]:
    people = scores.people
    groups, weights = groups_of(people), draws(len(people))
    even = even_thresholds(groups, scores, weights)
    thresholds = [
        {"name": f"{point.fmr:g}", "fmr": point.fmr, "even": False, "threshold": point.threshold}
        for point in calibration_of(engine).points
    ] + [{"name": f"even {each['fmr']:g}", "even": True} | {k: each[k] for k in ("fmr", "threshold")} for each in even]
    median = {name: round(float(np.median(values)), 4) for name, values in scores.variants.items()}
    rows = []
    for group in groups:
        pairs = scores.different[np.ix_(group.members, group.members)][np.triu_indices(len(group.members), 1)]
        rows.append(
            {
                "kind": group.kind,
                "group": group.name,
                "people": len(group.members),
                "few": group.few,
                "mean_different": round(float(pairs.mean()), 4) if len(pairs) else None,
                "std_different": round(float(pairs.std()), 4) if len(pairs) else None,
                "at": {each["name"]: errors_of(group, scores, each["threshold"], weights) for each in thresholds},
            }
        )
    return {
        "people": len(people),
        "portraits_without_face": scores.without_face,
        "pairs_of_different_people": len(people) * (len(people) - 1) // 2,
        "pairs_of_different_photos": int((~np.isnan(scores.others)).sum()),
        "left_out_as_one_picture": scores.same_pictures,
        "left_out_as_namesake": scores.namesakes,
        "median_other_photo": round(float(np.nanmedian(scores.others)), 4),
        "median_augmented": median,
        "thresholds": thresholds,
        "even": even,
        "groups": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_people(parser)
    parser.add_argument("--engine", default="yunet-sface", help="yunet-sface or insightface/PACK")
    parser.add_argument("--cache", type=Path, required=True, help="file for the embeddings; delete it afterwards")
    parser.add_argument("--write", action="store_true", help="write the results and the thresholds of calibration.toml")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    people, cache = read_people(arguments.house, arguments.directory), Cache(arguments.cache)
    embed_people(engine_of(arguments.engine, "cpu"), people, cache)
    date = datetime.date.today().isoformat()
    result = {"engine": arguments.engine, "date": date} | measure(arguments.engine, Scores(people, cache))
    for each in result["even"]:
        print({name: value for name, value in each.items() if name != "groups"})
    if arguments.write:
        write(f"verification-{arguments.engine.replace('/', '-')}", result)
        everybody = result["groups"][0]["at"]
        write_even(
            arguments.engine,
            f"official portraits of {result['people']} members of the US Congress",
            date,
            [
                {name: each[name] for name in ("fmr", "threshold", "group", "how")}
                | {"fnmr": round(everybody[f"even {each['fmr']:g}"]["false_non_match"]["rate"], 4)}
                for each in result["even"]
            ],
        )


if __name__ == "__main__":
    main()
