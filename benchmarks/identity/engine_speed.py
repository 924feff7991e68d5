"""What the face engine costs beside the bare networks: detection + alignment + embedding, and a batch on all cores.

    python benchmarks/identity/engine_speed.py --photos FOLDER [--repeats 15]

Bare is onnxruntime running YuNet and SFace once each on ready-made blobs of a real photo, in the engine's own
sessions. Engine and bare run in turn, so that a machine whose speed drifts slows both. The ratio is taken pair by pair.
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

from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.faces import Letterbox, YuNetSFace, align, find_subject, find_subjects
from likeness_studio.core.imaging import SUFFIXES, load_photo

RESULTS = Path(__file__).parent / "results"
BATCH = 16
SIDES = (250, 512, 1024)
"""Sides of the photos in pixels: as in LFW, as the demo photo, and a larger portrait."""


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


def resized(photo: torch.Tensor, side: int) -> torch.Tensor:
    """A square photo [side,side,3] from [H,W,3]."""
    planes = photo.permute(2, 0, 1)[None]
    smaller = torch.nn.functional.interpolate(planes, size=(side, side), mode="bilinear", antialias=True)
    return smaller[0].permute(1, 2, 0).contiguous()


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

    def beside_bare(side: int) -> dict[str, dict[str, float]]:
        photo = resized(photos[0], side)
        blob = Letterbox().fit(photo)[0]
        crop = align(photo, engine.detect(photo)[0].landmarks).numpy()[None] * np.float32(255)

        def bare() -> None:
            detector.run(None, {"input": blob})
            recogniser.run(None, {"data": crop})

        return paired(lambda: find_subject(engine, photo, FacePolicy.CENTRAL, 1), bare, arguments.repeats)

    def batch() -> object:
        return find_subjects(engine, photos, FacePolicy.CENTRAL, 1)

    def one_by_one() -> object:
        return [find_subject(engine, photo, FacePolicy.CENTRAL, 1) for photo in photos]

    result = {
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "load_average": round(os.getloadavg()[0], 2),
        **{f"photo_of_{side}_pixels_beside_bare": beside_bare(side) for side in SIDES},
        f"batch_of_{len(photos)}_beside_one_by_one": paired(batch, one_by_one, max(5, arguments.repeats // 3)),
    }
    RESULTS.mkdir(exist_ok=True)
    report = json.dumps(result, indent=2)
    (RESULTS / "engine_speed.json").write_text(report + "\n")
    print(report)


if __name__ == "__main__":
    main()
