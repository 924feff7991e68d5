"""Verification accuracy and false match rates on Labeled Faces in the Wild; writes the table the nodes read.

    python benchmarks/identity/lfw.py --lfw lfw-deepfunneled --pairs pairs.txt --engine yunet-sface --write

The protocol is the standard one: 6,000 pairs in ten folds, the threshold of each fold chosen on the other nine. The
thresholds for the gate come from all pairs of different people among the protocol's photos (about 29 million),
because 3,000 impostor pairs cannot tell a false match rate of 1 in 10,000. Confidence intervals are a bootstrap over
people. LFW is research data: it stays outside the project and its path is given on the command line.
"""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import track

from likeness_studio.benchmarks.identity.calibration_table import write_points
from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.faces import FaceEngine, engine_of, find_subjects
from likeness_studio.core.imaging import load_photo

RATES = (1e-2, 1e-3, 1e-4, 1e-5)
BOOTSTRAPS = 200
RESULTS = Path(__file__).parent / "results"


class Pair(NamedTuple):
    left: str
    right: str
    same: bool


def read_pairs(path: Path) -> list[Pair]:
    """The protocol file: `name n m` for a genuine pair, `name n other m` for an impostor pair."""
    pairs = []
    for line in path.read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) == 3:
            pairs.append(Pair(photo(fields[0], fields[1]), photo(fields[0], fields[2]), True))
        else:
            pairs.append(Pair(photo(fields[0], fields[1]), photo(fields[2], fields[3]), False))
    return pairs


def photo(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04}.jpg"


def embed_all(engine: FaceEngine, folder: Path, names: list[str], chunk: int = 64) -> dict[str, np.ndarray | None]:
    found: dict[str, np.ndarray | None] = {}
    for start in track(range(0, len(names), chunk), description=engine.key):
        batch = names[start : start + chunk]
        photos = [load_photo(folder / name)[0][0] for name in batch]
        subjects = find_subjects(engine, photos, FacePolicy.CENTRAL, min_face=1)
        for name, subject in zip(batch, subjects, strict=True):
            found[name] = subject.face.embedding if subject.face is not None else None
    return found


def ten_fold(cosine: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """Mean accuracy and its standard deviation over the folds."""
    folds = np.arange(len(cosine)) // (len(cosine) // 10)
    grid = np.arange(-1, 1, 0.0005)
    correct = (cosine[:, None] >= grid) == same[:, None]
    accuracy = [correct[folds == fold][:, correct[folds != fold].mean(0).argmax()].mean() for fold in range(10)]
    return float(np.mean(accuracy)), float(np.std(accuracy))


class Impostors(NamedTuple):
    """The upper tail of all different-person pairs, the highest score first, and what resampling people needs."""

    score: np.ndarray
    left: np.ndarray
    right: np.ndarray
    person: np.ndarray
    people: int


def impostor_tail(matrix: np.ndarray, person: np.ndarray, floor: float) -> Impostors:
    score, left, right = [], [], []
    for row in range(len(matrix) - 1):
        values = matrix[row + 1 :] @ matrix[row]
        keep = np.flatnonzero((values >= floor) & (person[row + 1 :] != person[row]))
        score.append(values[keep].astype(np.float32))
        left.append(np.full(len(keep), row, np.int32))
        right.append((keep + row + 1).astype(np.int32))
    scores, lefts, rights = np.concatenate(score), np.concatenate(left), np.concatenate(right)
    order = np.argsort(-scores)
    return Impostors(scores[order], lefts[order], rights[order], person, int(person.max()) + 1)


def thresholds(tail: Impostors, weight: np.ndarray) -> list[float]:
    """The cosine above which each of RATES of the weighted different-person pairs lies."""
    per_photo = weight[tail.person]
    total_photos = per_photo.sum()
    squares = np.bincount(tail.person, minlength=tail.people) * weight
    total = (total_photos**2 - (squares**2).sum()) / 2
    passing = np.cumsum(per_photo[tail.left] * per_photo[tail.right]) / total
    found = []
    for rate in RATES:
        index = int(np.searchsorted(passing, rate))
        if index >= len(tail.score):
            raise SystemExit(f"The tail of impostor scores is too short for a rate of {rate}; lower --floor.")
        found.append(float(tail.score[index]))
    return found


def fit_score(cosine: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the logistic curve, by Newton's method."""
    design = np.stack([cosine, np.ones_like(cosine)], 1)
    beta = np.zeros(2)
    for _ in range(100):
        probability = 1 / (1 + np.exp(-design @ beta))
        gradient = design.T @ (same - probability)
        hessian = (design * (probability * (1 - probability))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    return float(beta[0]), float(beta[1])


def measure(embeddings: dict[str, np.ndarray | None], pairs: list[Pair], floor: float) -> dict:
    names = sorted(name for name, vector in embeddings.items() if vector is not None)
    missed = [name for name, vector in embeddings.items() if vector is None]
    usable = [pair for pair in pairs if pair.left not in missed and pair.right not in missed]
    cosine = np.array([float(embeddings[pair.left] @ embeddings[pair.right]) for pair in usable])  # type: ignore[operator]
    same = np.array([pair.same for pair in usable])
    accuracy, deviation = ten_fold(cosine, same)
    strangers = np.sort(cosine[~same])[::-1]
    protocol = float(strangers[int(len(strangers) * 1e-3)])

    matrix = np.stack([embeddings[name] for name in names]).astype(np.float32)  # type: ignore[misc]
    person = np.unique([name.split("/")[0] for name in names], return_inverse=True)[1]
    tail = impostor_tail(matrix, person, floor)
    best = thresholds(tail, np.ones(tail.people))
    rng = np.random.default_rng(0)
    samples = np.array(
        [
            thresholds(tail, np.bincount(rng.integers(tail.people, size=tail.people), minlength=tail.people))
            for _ in track(range(BOOTSTRAPS), description="bootstrap")
        ]
    )
    slope, offset = fit_score(cosine, same)
    return {
        "photos": len(embeddings),
        "photos_without_face": missed,
        "pairs": len(usable),
        "accuracy": round(accuracy, 4),
        "accuracy_std": round(deviation, 4),
        "tar_at_fmr_0.1%_of_protocol_pairs": round(float((cosine[same] > protocol).mean()), 4),
        "threshold_at_fmr_0.1%_of_protocol_pairs": round(protocol, 4),
        "median_same": round(float(np.median(cosine[same])), 4),
        "median_different": round(float(np.median(cosine[~same])), 4),
        "slope": round(slope, 4),
        "offset": round(offset, 4),
        "points": [
            {
                "fmr": rate,
                "threshold": round(threshold, 4),
                "low": round(float(low), 4),
                "high": round(float(high), 4),
                "tar": round(float((cosine[same] >= threshold).mean()), 4),
            }
            for rate, threshold, low, high in zip(
                RATES, best, *np.percentile(samples, [2.5, 97.5], axis=0), strict=True
            )
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lfw", type=Path, required=True, help="folder with one folder for each person")
    parser.add_argument("--pairs", type=Path, required=True, help="pairs.txt of the protocol")
    parser.add_argument("--engine", default="yunet-sface", help="key of an engine, such as insightface/PACK")
    parser.add_argument("--floor", type=float, default=0.15, help="impostor scores below this are not kept")
    parser.add_argument("--write", action="store_true", help="write the engine's entry of calibration.toml")
    arguments = parser.parse_args()
    pairs = read_pairs(arguments.pairs)
    names = sorted({name for pair in pairs for name in pair[:2]})
    embeddings = embed_all(engine_of(arguments.engine, "cpu"), arguments.lfw, names)
    date = datetime.date.today().isoformat()
    result = {"engine": arguments.engine, "date": date} | measure(embeddings, pairs, arguments.floor)
    RESULTS.mkdir(exist_ok=True)
    report = json.dumps(result, indent=2)
    (RESULTS / f"lfw-{arguments.engine.replace('/', '-')}.json").write_text(report + "\n")
    print(report)
    if arguments.write:
        source = f"LFW, all different-person pairs of {result['photos']} photos"
        write_points(arguments.engine, source, date, result["slope"], result["offset"], result["points"])


if __name__ == "__main__":
    main()
