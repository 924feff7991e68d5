"""The cut-out beside true mattes: today's default, the networks alone, the person's matte and its peers.

    .venv/bin/python benchmarks/portrait/matting.py --p3m P3M/demo/imgs --portraits DIR --people DIR --cache DIR --write

`--p3m`: portraits with mattes, `demo/imgs` of https://github.com/JizhiziLi/P3M (research data; faces are blurred, so
that a detector finds few of them). `--portraits`: photos before plain backgrounds, of which those are taken on which
both networks agree; their mattes are made by closed-form matting (pymatting) with an open band that is wide, and put
before drawn backgrounds and before `--people`, other persons' photos. Every file belongs to the half ``tune`` or
``report`` by the hash of its name: constants may be chosen on the first, the tables show the second. Peers run in an
environment of their own, on the same pictures: see matting_peers.py.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matte_errors import ERRORS, FAILED, errors
from PIL import Image, ImageOps
from scenes import SCENES, scene

from likeness_studio.core.choices import PERSON_MATTE
from likeness_studio.core.imaging.filters import grow, shrink
from likeness_studio.core.imaging.tensors import planes
from likeness_studio.core.models import runtimes, store
from likeness_studio.core.portrait import foreground_colours, refine_alpha
from likeness_studio.core.portrait.matte import MODNET, look_once, matte, normalisation_for
from likeness_studio.core.portrait.person_matte import PersonFinder, PersonMatte

SIDE = 768
"""Pixels on the longer side at which everything is measured."""

AGREED = 0.97
"""Intersection over union of both networks' mattes from which a portrait is taken."""

OPEN = 0.022
"""Half the width of the band that closed-form matting decides, as a share of the longer side."""

SAID = """\
No picture of either half chose a constant, but for P3M: what happens without a face was chosen after looking at all 12.
The portraits are ones on which both networks agree before their own background, and their mattes are computed, so that
single hairs count for less than in P3M."""

TIMED = 3
"""Every third case is timed."""

TODAY, FUSED = "u2net + refine (default before)", f"{PERSON_MATTE} + refine"


@dataclass(frozen=True, eq=False)
class Case:
    """A picture [H,W,3] and its true matte [H,W], both in 0..1."""

    name: str
    kind: str
    half: str
    image: np.ndarray
    truth: np.ndarray

    @property
    def file(self) -> str:
        """Its name as a file's."""
        return f"{self.kind} {self.name}".replace("/", "_")


def half_of(name: str) -> str:
    """The half that a file belongs to."""
    return ("tune", "report")[int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2]


def read_picture(path: Path, mode: str = "RGB", size: tuple[int, int] | None = None) -> np.ndarray:
    picture = ImageOps.exif_transpose(Image.open(path)).convert(mode)
    if size is None:
        factor = min(1.0, SIDE / max(picture.size))
        size = (round(picture.width * factor), round(picture.height * factor))
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS), np.float32) / 255


def _session(name: str) -> Any:
    return runtimes.session(store.path(name), "cpu")


def real_cases(folder: Path) -> Iterator[Case]:
    """P3M's pictures as they are."""
    for path in sorted((folder / "original").glob("*.jpg")):
        image = read_picture(path)
        size = (image.shape[1], image.shape[0])
        truth = read_picture(folder / "alpha" / f"{path.stem}.png", "L", size)
        yield Case(path.stem, "P3M", half_of(path.stem), image, truth)


def keyed(path: Path, cache: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """The person's own colours [H,W,3] and matte [H,W] of a portrait; None where the networks do not agree on it."""
    kept = cache / f"{path.stem}.npz"
    if kept.exists():
        stored = np.load(kept)
        return (stored["front"], stored["alpha"]) if "front" in stored else None
    image = read_picture(path)
    tensor = torch.from_numpy(image)[None]
    first, second = (matte(tensor, _session(name), normalisation_for(name))[0] for name in ("u2net", "modnet"))
    one, two = first > 0.5, second > 0.5
    if float((one & two).sum()) < AGREED * float((one | two).sum()):
        np.savez(kept)
        return None
    from pymatting import estimate_alpha_cf

    radius = round(OPEN * max(image.shape[:2]))
    outer = grow(torch.maximum(first, second)[None, None], radius)[0, 0].numpy()
    inner = shrink(torch.minimum(first, second)[None, None], radius)[0, 0].numpy()
    trimap = np.where(inner > 0.95, 1.0, np.where(outer < 0.05, 0.0, 0.5))
    alpha = np.asarray(estimate_alpha_cf(image.astype(np.float64), trimap), np.float32)
    alpha = ((alpha - 0.03) / 0.94).clip(0, 1)
    front = foreground_colours(tensor, torch.from_numpy(alpha)[None])[0].numpy()
    np.savez_compressed(kept, front=front, alpha=alpha)
    return front, alpha


def some_people(folder: Path) -> list[np.ndarray]:
    """Some sixty of the photos below a folder, evenly taken."""
    paths = sorted(folder.rglob("*.jpg"))
    return [read_picture(path) for path in paths[:: max(1, len(paths) // 60)]]


def mixed_cases(folder: Path, people: Path, cache: Path, most: int) -> Iterator[Case]:
    """Portraits before hard backgrounds: two scenes for each, all scenes in turn."""
    cache.mkdir(parents=True, exist_ok=True)
    crowd = some_people(people)
    taken = {"tune": 0, "report": 0}
    for path in sorted(folder.glob("*.jpg")):
        half = half_of(path.stem)
        if taken[half] >= most or (found := keyed(path, cache)) is None:
            continue
        front, alpha = found
        for turn in (0, 1):
            kind = SCENES[(2 * taken[half] + turn) % len(SCENES)]
            seed = int(hashlib.sha256(f"{path.stem}{kind}".encode()).hexdigest()[:8], 16)
            back = scene(kind, front, alpha, crowd, np.random.default_rng(seed))
            image = front * alpha[..., None] + back * (1 - alpha[..., None])
            yield Case(path.stem, kind, half, image.astype(np.float32), alpha)
        taken[half] += 1


def read_peers(folder: Path | None) -> dict[str, Path]:
    """The folders with the mattes that matting_peers.py made, by peer."""
    if folder is None:
        return {}
    return {path.name: path for path in sorted(folder.iterdir()) if (path / "seconds.json").is_file()}


def export(cases: list[Case], folder: Path) -> None:
    """Write the pictures for matting_peers.py."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for case in cases:
        Image.fromarray((case.image * 255).round().astype(np.uint8)).save(folder / "pictures" / f"{case.file}.png")


def measure(case: Case, peers: dict[str, Path], timing: bool) -> dict[str, Any]:
    """Errors of every method on one case, the doubt of the person's matte, and processor seconds where `timing`."""
    image = torch.from_numpy(case.image)[None]
    seconds: dict[str, float] = {}

    def timed(name: str, run: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = run()
        seconds[name] = time.process_time() - start
        return result

    def refined(mask: torch.Tensor) -> np.ndarray:
        return refine_alpha(image, mask)[0].numpy()

    def alone(name: str) -> torch.Tensor:
        return matte(image, _session(name), normalisation_for(name))

    broad, fine = _session("u2net"), _session("modnet")
    if timing:
        timed("bare u2net", lambda: look_once(planes(image), broad, normalisation_for("u2net")))
        timed("bare modnet", lambda: look_once(planes(image), fine, MODNET))
    today = timed("u2net", lambda: alone("u2net"))
    single = timed("modnet", lambda: alone("modnet"))
    person: PersonMatte = timed(PERSON_MATTE, lambda: PersonFinder(PERSON_MATTE, "cpu").find(image[0]))
    found = {
        "u2net": today[0].numpy(),
        TODAY: timed("refine", lambda: refined(today)),
        "modnet + refine": refined(single),
        FUSED: refined(person.mask[None]),
    }
    for name, folder in peers.items():
        found[name] = read_picture(folder / f"{case.file}.png", "L", (case.image.shape[1], case.image.shape[0]))
        seconds |= {name: json.loads((folder / "seconds.json").read_text())[case.file]} if timing else {}
    return {
        "name": case.name,
        "kind": case.kind,
        "half": case.half,
        "doubt": person.doubt,
        "look": person.look,
        "seconds": seconds,
        "errors": {name: errors(alpha, case.truth) for name, alpha in found.items()},
    }


def _failed(row: dict[str, Any], method: str) -> bool:
    return max(row["errors"][method]["kept"], row["errors"][method]["lost"]) > FAILED


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Means of each method over `rows`, and how many failed."""
    lines = [
        f"| method | {' | '.join(ERRORS[:4])} | edge band | kept background | lost person | failed |",
        "|" + "---|" * 9,
    ]
    for method in rows[0]["errors"]:
        means = {error: float(np.mean([row["errors"][method][error] for row in rows])) for error in ERRORS}
        cells = [f"{means[error]:.2f}" for error in ERRORS[:4]]
        cells += [f"{means['edge']:.4f}", f"{means['kept']:.2%}", f"{means['lost']:.2%}"]
        lines.append(f"| {method} | {' | '.join(cells)} | {sum(_failed(row, method) for row in rows)} of {len(rows)} |")
    return lines


def _summary(rows: list[dict[str, Any]]) -> str:
    """What the goals come to on `rows`, in words."""
    edges = [np.mean([row["errors"][method]["edge"] for row in rows]) for method in (TODAY, FUSED)]
    before, after = (sum(_failed(row, method) for row in rows) for method in (TODAY, FUSED))
    ratios = [
        row["seconds"][PERSON_MATTE] / (row["seconds"]["bare u2net"] + row["seconds"]["bare modnet"])
        for row in rows
        if "bare u2net" in row["seconds"]
    ]
    low, middle, high = np.quantile(ratios or [float("nan")], (0.1, 0.5, 0.9))
    faulty = [row for row in rows if _failed(row, FUSED)]
    was_faulty = [row for row in rows if _failed(row, TODAY)]
    sound = [row for row in rows if not _failed(row, FUSED)]
    return (
        f"Edge band {edges[1] / edges[0] - 1:+.0%} (goal -20 %). Failures {before} before, {after} after (goal -60 %). "
        f"Processor time {middle:.2f} of the two bare networks' ({low:.2f} to {high:.2f}; goal 1.6). Of {len(faulty)} "
        f"that fail now the doubt names {sum(row['look'] for row in faulty)}; of {len(was_faulty)} that failed before "
        f"{sum(row['look'] for row in was_faulty)}; of {len(sound)} sound ones it names "
        f"{sum(row['look'] for row in sound)} too."
    )


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--p3m", type=Path, required=True)
    parser.add_argument("--portraits", type=Path, required=True)
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="for mattes made on the way; outside the project")
    parser.add_argument("--export", type=Path, help="write the pictures there for matting_peers.py, and end")
    parser.add_argument("--peers", type=Path, help="the same folder, with the mattes that matting_peers.py made")
    parser.add_argument("--most", type=int, default=8, help="portraits of each half")
    parser.add_argument("--half", choices=("tune", "report", "both"), default="both")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    cases = [*real_cases(args.p3m), *mixed_cases(args.portraits, args.people, args.cache, args.most)]
    if args.export:
        export(cases, args.export)
        return
    peers, rows = read_peers(args.peers), []
    with torch.inference_mode():
        for index, case in enumerate(cases):
            if args.half in (case.half, "both"):
                rows.append(measure(case, peers, timing=index % TIMED == 0))
                print(case.half, case.kind, case.name, f"doubt {rows[-1]['doubt']:.2f}", flush=True)
    report = [row for row in rows if row["half"] == ("tune" if args.half == "tune" else "report")]
    text = _page(rows, report, list(peers))
    print(text)
    if args.write:
        Path(__file__).with_suffix(".md").write_text(text)
        Path(__file__).with_suffix(".json").write_text(json.dumps(_totals(rows), indent=1) + "\n")


def _totals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Figures of each kind and half, without names of files."""

    def means(some: list[dict[str, Any]], method: str) -> dict[str, float]:
        return {error: round(float(np.mean([row["errors"][method][error] for row in some])), 4) for error in ERRORS}

    return [
        {
            "kind": kind,
            "half": half,
            "count": len(some),
            "means": {method: means(some, method) for method in some[0]["errors"]},
        }
        for half in ("tune", "report")
        for kind in ("P3M", *SCENES)
        if (some := [row for row in rows if (row["half"], row["kind"]) == (half, kind)])
    ]


def _page(rows: list[dict[str, Any]], report: list[dict[str, Any]], peers: list[str]) -> str:
    real, mixed = ([row for row in report if (row["kind"] == "P3M") is flag] for flag in (True, False))
    tune = [row for row in rows if row["half"] == "tune"]
    lines = [
        "# The cut-out beside true mattes",
        "",
        f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}, {SIDE} pixels, {os.cpu_count()} cores of "
        f"{platform.machine()}, torch {torch.__version__}. Half ``{report[0]['half']}`` by the hash of file names. "
        f"Failed: more than {FAILED:.1%} of the person's area kept or lost beyond the edge's band. Peers in this run: "
        f"{', '.join(peers) or 'none'}.",
        "",
        SAID,
        "",
        f"## {len(mixed)} portraits before hard backgrounds",
        "",
        *table(mixed),
        "",
        _summary(mixed),
        "",
        f"## {len(real)} P3M pictures (faces blurred)",
        "",
        *table(real),
        "",
        _summary(real),
        "",
        "## Edge band and failures by scene",
        "",
        "| scene | pictures | edge before | edge now | failed before | failed now |",
        "|---|---|---|---|---|---|",
    ]
    for kind in SCENES:
        if some := [row for row in mixed if row["kind"] == kind]:
            edges = [f"{np.mean([row['errors'][method]['edge'] for row in some]):.4f}" for method in (TODAY, FUSED)]
            counts = [str(sum(_failed(row, method) for row in some)) for method in (TODAY, FUSED)]
            lines.append(f"| {kind} | {len(some)} | {' | '.join(edges + counts)} |")
    if tune and tune[0]["half"] != report[0]["half"]:
        lines += ["", "## The other half", "", _summary(tune)]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
