"""Time and memory of the studio, node by node, beside the bare networks that it runs.

    .venv/bin/python benchmarks/portrait/studio_speed.py PHOTO --out benchmarks/portrait/studio_speed.md

PHOTO is brought to 1024 x 1024. In every round the bare onnxruntime networks (u2net, YuNet, SFace) and the nodes run
one after the other, so that a busy machine hits both. Enrolment and check are counted as in `studio_headshot`: one
reference photo and one result. Saving the picture is not counted.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from likeness_studio.core import host
from likeness_studio.core.faces import load_engine
from likeness_studio.core.imaging import from_pil, to_pil
from likeness_studio.core.models import runtimes as onnx
from likeness_studio.core.models import store
from likeness_studio.core.portrait import foreground_colours
from likeness_studio.nodes import backdrop
from likeness_studio.nodes import portrait as nodes

NETWORKS = {"u2net": ((1, 3, 320, 320), 1), "yunet": ((1, 3, 640, 640), 3), "sface": ((1, 3, 112, 112), 2)}
"""Input shape of each network and how often `studio_headshot` needs it: YuNet for enrolment, framing and check."""

SCALE = {"u2net": 1, "yunet": 255, "sface": 255}
"""The range of each network's input."""

SIDE = 1024
WIDTH = 800
"""Of the headshot, as the studio_headshot workflow asks for it."""


def _timed(times: dict[str, list[float]], name: str, run: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    result = run()
    times.setdefault(name, []).append(time.perf_counter() - start)
    return result


def _bare(times: dict[str, list[float]]) -> None:
    for name, (shape, _) in NETWORKS.items():
        session = onnx.session(store.path(name))
        feed = {session.get_inputs()[0].name: np.random.default_rng(0).random(shape, np.float32) * SCALE[name]}
        _timed(times, f"bare {name}", lambda session=session, feed=feed: session.run(None, feed))


def _studio(times: dict[str, list[float]], photo: torch.Tensor) -> None:
    engine = load_engine()
    enrolled = _timed(times, "Enroll (detect, embed)", lambda: engine.embed(photo[0], engine.detect(photo[0])[0]))
    mask = _timed(times, "Matte Person", lambda: nodes.MattePerson.execute(photo, "u2net", "auto", check=False))[0]
    refined = _timed(times, "Refine Matte", lambda: nodes.RefineMatte.execute(photo, mask, 9, True))
    colours = _timed(times, "(of it: colour estimation)", lambda: foreground_colours(photo, refined[1]))
    framed = _timed(
        times,
        "Frame Headshot",
        lambda: nodes.FrameHeadshot.execute(
            refined[0], "head and shoulders", WIDTH, 0, True, "stay inside", "largest", mask=refined[1]
        ),
    )
    drawn = _timed(
        times,
        "Studio Backdrop",
        lambda: backdrop.StudioBackdrop.execute(
            "seamless paper", "studio grey", 1, 1, 0.5, 0.3, 0, size_like=framed[0]
        ),
    )
    composed = _timed(
        times,
        "Compose Portrait",
        lambda: backdrop.ComposePortrait.execute(framed[0], framed[1], drawn[0], 0.25, 0.0, 0.3, 0.25, 2.0),
    )[0]
    judged = _timed(times, "Check (detect, embed)", lambda: engine.embed(composed[0], engine.detect(composed[0])[0]))
    del enrolled, judged, colours


def _peak_mb(photo: Path) -> int:
    """Peak memory of a whole `likeness run studio_headshot`, in MB, from the operating system.

    Call it first: Linux counts what the parent holds when it starts a child.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [Path(sys.executable).with_name("likeness"), "run", "studio_headshot", "-i", photo, "-o", folder]
        subprocess.run(command, check=True, capture_output=True)
    return round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)


def _summary(times: dict[str, list[float]], peak_mb: int) -> dict[str, Any]:
    rows = {
        name: {
            "median_ms": round(1000 * float(np.median(values)), 1),
            "p10_ms": round(1000 * float(np.quantile(values, 0.1)), 1),
            "p90_ms": round(1000 * float(np.quantile(values, 0.9)), 1),
        }
        for name, values in times.items()
    }
    rounds = len(next(iter(times.values())))
    bare = [
        sum(count * times[f"bare {name}"][index] for name, (_, count) in NETWORKS.items())
        + times["(of it: colour estimation)"][index]
        for index in range(rounds)
    ]
    steps = [name for name in times if not name.startswith(("bare", "(of it"))]
    studio = [sum(times[name][index] for name in steps) for index in range(rounds)]
    ratios = np.array(studio) / np.array(bare)
    return {
        "rows": rows,
        "bare_median_ms": round(1000 * float(np.median(bare)), 1),
        "studio_median_ms": round(1000 * float(np.median(studio)), 1),
        "ratio_median": round(float(np.median(ratios)), 3),
        "ratio_p10": round(float(np.quantile(ratios, 0.1)), 3),
        "ratio_p90": round(float(np.quantile(ratios, 0.9)), 3),
        "peak_rss_mb": peak_mb,
        "rounds": rounds,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "torch": torch.__version__,
        "date": f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}",
        "load_average": round(os.getloadavg()[0], 2),
    }


def _markdown(found: dict[str, Any]) -> str:
    lines = [
        "# The studio at 1024 x 1024, beside its bare networks",
        "",
        f"{found['date']}, {found['machine']}, torch {found['torch']}, {found['rounds']} rounds, load average "
        f"{found['load_average']} at the end. Bare and studio runs alternate.",
        "",
        "| step | median ms | 10 % | 90 % |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row['median_ms']} | {row['p10_ms']} | {row['p90_ms']} |" for name, row in found["rows"].items()
    ]
    counts = ", ".join(f"{count} x {name}" for name, (_, count) in NETWORKS.items())
    lines += [
        "",
        f"Bare networks ({counts}) and colour estimation: {found['bare_median_ms']} ms. "
        f"Studio: {found['studio_median_ms']} ms. Ratio of the same round: {found['ratio_median']} "
        f"({found['ratio_p10']} to {found['ratio_p90']}); the goal is 1.4.",
        f"Peak memory of a `likeness run`: {found['peak_rss_mb']} MB; the goal is 2,048.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and write a table and its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    args = parser.parse_args()
    photo = from_pil(Image.open(args.photo).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        here = Path(folder)
        small = here / "photo.png"
        to_pil(photo[0]).save(small)
        peak_mb = _peak_mb(small)
        with host.use(host.LocalHost(here, here, here)):
            for warm in (True, False):
                for _ in range(2 if warm else args.rounds):
                    _bare(times)
                    _studio(times, photo)
                times = {} if warm else times
    found = _summary(times, peak_mb)
    args.out.write_text(_markdown(found))
    args.out.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")
    print(_markdown(found))


if __name__ == "__main__":
    main()
