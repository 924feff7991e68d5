"""What the face engine costs beside the bare networks: detection + alignment + embedding, and a batch on all cores.

    python benchmarks/identity/engine_speed.py --photos FOLDER [--repeats 15]

Bare is onnxruntime running YuNet and SFace once each on ready-made blobs, on the same sessions. Engine and bare run
in turn, so that a machine whose speed drifts slows both. The ratio is taken pair by pair.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from likeness_studio.nodes.identity.engines import YuNetSFace
from likeness_studio.nodes.identity.subject import SeveralFaces, find_subject, find_subjects
from likeness_studio.nodes.photos import SUFFIXES, load_photo

RESULTS = Path(__file__).parent / "results"
BATCH = 16


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 4),
        "min": round(min(values), 4),
        "max": round(max(values), 4),
    }


def paired(engine: Callable[[], object], bare: Callable[[], object], repeats: int) -> dict[str, dict[str, float]]:
    engine()
    bare()
    pairs = [(seconds(engine), seconds(bare)) for _ in range(repeats)]
    return {
        "engine_ms": spread([mine * 1e3 for mine, _ in pairs]),
        "bare_ms": spread([other * 1e3 for _, other in pairs]),
        "ratio": spread([mine / other for mine, other in pairs]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of portraits with one face each")
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    files = sorted(file for file in arguments.photos.iterdir() if file.suffix.lower() in SUFFIXES)[:BATCH]
    photos = [load_photo(file)[0][0] for file in files]
    engine = YuNetSFace("cpu")
    detector, recogniser = engine._detector._session, engine._recogniser._session
    wide = np.random.default_rng(0).random((1, 3, 640, 640), np.float32) * 255
    crop = np.random.default_rng(0).random((1, 3, 112, 112), np.float32) * 255

    def bare() -> None:
        detector.run(None, {"input": wide})
        recogniser.run(None, {"data": crop})

    def one() -> object:
        return find_subject(engine, photos[0], SeveralFaces.CENTRAL, 1)

    def batch() -> object:
        return find_subjects(engine, photos, SeveralFaces.CENTRAL, 1)

    def one_by_one() -> object:
        return [find_subject(engine, photo, SeveralFaces.CENTRAL, 1) for photo in photos]

    def bare_batch() -> None:
        for _ in photos:
            bare()

    result = {
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "photo": f"{photos[0].shape[1]} x {photos[0].shape[0]}",
        "one_photo": paired(one, bare, arguments.repeats),
        f"batch_of_{len(photos)}": paired(batch, bare_batch, max(3, arguments.repeats // 3)),
        "one_by_one_against_batch": paired(one_by_one, batch, max(3, arguments.repeats // 3)),
    }
    RESULTS.mkdir(exist_ok=True)
    report = json.dumps(result, indent=2)
    (RESULTS / "engine_speed.json").write_text(report + "\n")
    print(report)


if __name__ == "__main__":
    main()
