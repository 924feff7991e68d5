"""Foreground colours beside pymatting's, on mixes whose foreground is known.

    .venv/bin/pip install pymatting scikit-image
    .venv/bin/python benchmarks/portrait/foreground.py --p3m P3M/demo/imgs --out benchmarks/portrait/foreground.md

`--p3m` is the folder `demo/imgs` of https://github.com/JizhiziLi/P3M (pictures in `original`, mattes in `alpha`).
Each matte mixes a known foreground with a known new background, in two ways: A, the foreground is pymatting's own
estimate for the photo (natural colours, but in favour of pymatting); B, it is another, unrelated photo. Both
estimators get the mix and the true matte. Errors are taken where 0.02 < alpha < 0.98.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from likeness_studio.core.portrait import foreground_colours


def _picture(path: Path, mode: str, size: tuple[int, int] | None = None) -> np.ndarray:
    opened = Image.open(path).convert(mode)
    return np.asarray(opened.resize(size, Image.Resampling.BICUBIC) if size else opened, dtype=np.float32) / 255


def _cases(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Kind, known foreground [H,W,3], mix [H,W,3] and matte [H,W]."""
    from pymatting import estimate_foreground_ml

    photos = sorted((folder / "original").glob("*.jpg"))
    for index, photo in enumerate(photos):
        alpha = _picture(folder / "alpha" / f"{photo.stem}.png", "L")
        size = (alpha.shape[1], alpha.shape[0])
        image = _picture(photo, "RGB", size)
        back = _picture(photos[(index + 5) % len(photos)], "RGB", size)
        natural = np.asarray(estimate_foreground_ml(image.astype(np.float64), alpha.astype(np.float64)), np.float32)
        other = _picture(photos[(index + 3) % len(photos)], "RGB", size)
        for kind, front in (("A", natural), ("B", other)):
            yield kind, front, alpha[..., None] * front + (1 - alpha[..., None]) * back, alpha


def _error(found: np.ndarray, truth: np.ndarray, alpha: np.ndarray) -> tuple[float, float]:
    """Mean absolute error, weighted by alpha as the mix shows it, and mean squared error of alpha * difference."""
    band = (alpha > 0.02) & (alpha < 0.98)
    weight = alpha[band][:, None]
    difference = (found - truth)[band] * weight
    return float(np.abs(difference).sum() / (3 * weight.sum())), float((difference**2).mean())


def _measure(folder: Path, repeats: int) -> dict[tuple[str, str], list[tuple[float, float, float]]]:
    from pymatting import estimate_foreground_ml

    rows: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for kind, front, mix, alpha in _cases(folder):
        double = mix.astype(np.float64), alpha.astype(np.float64)
        tensors = torch.from_numpy(mix)[None], torch.from_numpy(alpha)[None]
        runs = {
            "no estimation (the mix itself)": lambda mix=mix: mix,
            "pymatting estimate_foreground_ml": lambda double=double: np.asarray(estimate_foreground_ml(*double)),
            "Likeness Studio": lambda tensors=tensors: foreground_colours(*tensors)[0].numpy(),
        }
        found, times = {}, {name: [] for name in runs}
        for _ in range(repeats):
            for name, run in runs.items():
                start = time.perf_counter()
                found[name] = run()
                times[name].append(time.perf_counter() - start)
        for name in runs:
            rows.setdefault((name, kind), []).append((*_error(found[name], front, alpha), min(times[name])))
    return rows


def _table(rows: dict[tuple[str, str], list[tuple[float, float, float]]]) -> str:
    lines = [
        "| estimator | A: MAE | A: MSE | B: MAE | B: MSE | seconds a picture (median of best) |",
        "|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(name for name, _ in rows):
        a, b = (np.array(rows[name, kind]) for kind in "AB")
        seconds = float(np.median(np.concatenate([a, b])[:, 2]))
        cells = [f"{value:.5f}" for value in (a[:, 0].mean(), a[:, 1].mean(), b[:, 0].mean(), b[:, 1].mean())]
        lines.append(f"| {name} | {' | '.join(cells)} | {seconds:.3f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--p3m", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    args = parser.parse_args()
    with torch.inference_mode():
        table = _table(_measure(args.p3m, args.repeats))
    count = len(list((args.p3m / "original").glob("*.jpg")))
    args.out.write_text(
        f"# Foreground colours beside pymatting's\n\n{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}, "
        f"{count} P3M pictures of 1.2 to 2.1 megapixels, {os.cpu_count()} cores of {platform.machine()}, "
        f"torch {torch.__version__}, command: `{Path(__file__).name} --p3m P3M/demo/imgs`.\n\n{table}\n\n"
        "A: the known foreground is pymatting's own estimate of the photo, which favours it. B: an unrelated photo.\n"
        "Errors on colours in 0..1 where 0.02 < alpha < 0.98, weighted by alpha.\n"
    )
    print(table)


if __name__ == "__main__":
    main()
