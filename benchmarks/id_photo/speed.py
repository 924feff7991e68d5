"""Time of `likeness id` on a photo of 12 megapixels, beside its bare networks and beside HivisionIDPhotos.

    OMP_WAIT_POLICY=PASSIVE .venv/bin/python benchmarks/id_photo/speed.py PHOTO \\
        [--hivision CHECKOUT --hivision-python PYTHON]

The variable is what `likeness id` sets for itself.

PHOTO is brought to 12 megapixels, with a camera's grain, and saved as JPEG. In every round all candidates run one after
the other, so that a busy machine hits each of them: the bare networks, decoding the photo, the ID photo (file to file),
its check, its report, and with --hivision the same photo by that program with the same matting network (see
hivision_worker.py). Ratios are of the same round. Everything is warm; models are loaded once. The processor's time of
this process, on all cores together, is given beside the clock's: on a busy machine it says more.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from likeness_studio.core.choices import Background, Size
from likeness_studio.core.id_photo import MakeOptions, picture_size
from likeness_studio.core.id_photo.documents import document
from likeness_studio.core.models import runtimes as litert
from likeness_studio.core.models import runtimes as onnx
from likeness_studio.core.models import store
from likeness_studio.runner.api.id_photo_files import write_report
from likeness_studio.runner.api.id_photos import IDPhotoMaker, Job

MEGAPIXELS = 12e6
GRAIN = 4.0
"""Standard deviation of the grain, in 8-bit steps: a JPEG of about 6 MB, as a phone's."""

ONNX_RUNS = {"u2net": ((1, 3, 320, 320), 1), "yunet": ((1, 3, 640, 640), 2)}
LITERT_RUNS = {"face_mesh": 3, "iris": 2}
"""How often an ID photo needs each network: the face is looked for in the whole photo and again round the head."""

KEEP, PLAIN = "ID photo, background kept", "ID photo, background replaced"
DOCUMENTS = {KEEP: ("us-passport", Background.KEEP), PLAIN: ("linkedin", Background.PLAIN)}
PEER = "HivisionIDPhotos, u2net plugged in"

CPU = "cpu: "
"""What the names of the processor's times begin with."""

Times = dict[str, list[float]]


def _timed(times: Times, name: str, run: Callable[[], Any]) -> Any:
    start, processor = time.perf_counter(), time.process_time()
    result = run()
    times.setdefault(name, []).append(time.perf_counter() - start)
    times.setdefault(CPU + name, []).append(time.process_time() - processor)
    return result


def _bare(times: Times) -> None:
    def run() -> None:
        random = np.random.default_rng(0)
        for name, (shape, count) in ONNX_RUNS.items():
            session = onnx.session(store.path(name))
            feed = {session.get_inputs()[0].name: random.random(shape, np.float32)}
            for _ in range(count):
                _timed(times, f"(of them: {name})", lambda session=session, feed=feed: session.run(None, feed))
        for name, count in LITERT_RUNS.items():
            network = litert.network(store.path(name))
            close = random.random((1, network.side, network.side, 3), np.float32)
            for _ in range(count):
                _timed(times, f"(of them: {name})", lambda network=network, close=close: network(close))

    _timed(times, "bare networks", run)


def _decoded(photo: Path) -> None:
    with Image.open(photo) as picture:
        np.asarray(picture)


class Peer:
    """HivisionIDPhotos in a process of its own, which stays warm."""

    def __init__(self, python: Path, checkout: Path) -> None:
        worker = Path(__file__).with_name("hivision_worker.py")
        words = [str(python), str(worker), str(checkout), str(store.path("u2net"))]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def make(self, photo: Path, out: Path) -> float:
        """One photo of the same size as ours; seconds."""
        width, height, _ = picture_size(document("us-passport"), Size.AUTO)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = {"photo": str(photo), "out": str(out), "height": height, "width": width}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline())["seconds"])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def _round(times: Times, photo: Path, folder: Path, peer: Peer | None) -> None:
    _bare(times)
    _timed(times, "decoding the photo", lambda: _decoded(photo))
    for name, (rules, background) in DOCUMENTS.items():
        maker = IDPhotoMaker(Job(MakeOptions(document(rules), background), check=False))
        _timed(times, name, lambda maker=maker, name=name: maker.make_file(photo, folder / name / "made.jpg"))
    checked = IDPhotoMaker(Job(MakeOptions(document("us-passport"), Background.KEEP)))
    made = _timed(times, "ID photo with its check", lambda: checked.make_file(photo, folder / "checked.jpg"))
    _timed(times, "page, overlay and JSON", lambda: write_report(made))
    if peer is not None:
        times.setdefault(PEER, []).append(peer.make(photo, folder / "peer.jpg"))


def _spread(values: np.ndarray) -> dict[str, float]:
    return {
        "median": float(np.median(values)),
        "p10": float(np.quantile(values, 0.1)),
        "p90": float(np.quantile(values, 0.9)),
    }


def _summary(times: Times, rounds: int, loads: list[float]) -> dict[str, Any]:
    arrays = {name: np.array(values) for name, values in times.items()}
    bare, decoding = arrays["bare networks"], arrays["decoding the photo"]
    whole = arrays["ID photo with its check"] + arrays["page, overlay and JSON"]
    ratios = {
        f"{KEEP} / bare networks and decoding": arrays[KEEP] / (bare + decoding),
        f"{KEEP} / bare networks": arrays[KEEP] / bare,
        f"{PLAIN} / bare networks and decoding": arrays[PLAIN] / (bare + decoding),
    }
    ratios |= {
        f"processor's time: {name} / bare networks and decoding": arrays[CPU + name]
        / (arrays[f"{CPU}bare networks"] + arrays[f"{CPU}decoding the photo"])
        for name in (KEEP, PLAIN)
    }
    if PEER in arrays:
        ratios[f"{PLAIN} / {PEER}"] = arrays[PLAIN] / arrays[PEER]
    return {
        "rows_ms": {
            name: {key: round(1000 * value, 1) for key, value in _spread(values).items()}
            | ({"cpu": round(1000 * float(np.median(arrays[CPU + name])), 1)} if CPU + name in arrays else {})
            for name, values in [*arrays.items(), ("all of `likeness id`: with check and reports", whole)]
            if not name.startswith(CPU)
        },
        "ratios": {name: {k: round(v, 3) for k, v in _spread(values).items()} for name, values in ratios.items()},
        "rounds": rounds,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "torch": torch.__version__,
        "date": f"{datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d}",
        "load_average": [round(min(loads), 1), round(float(np.median(loads)), 1), round(max(loads), 1)],
    }


def _markdown(found: dict[str, Any]) -> str:
    low, middle, high = found["load_average"]
    lines = [
        "# `likeness id` on 12 megapixels",
        "",
        f"{found['date']}, {found['machine']}, torch {found['torch']}, {found['rounds']} rounds, load average "
        f"{low} to {high} (median {middle}) while it ran. All candidates take turns in every round.",
        "",
        "| step | median ms | 10 % | 90 % | processor ms |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {row['median']} | {row['p10']} | {row['p90']} | {row.get('cpu', '')} |"
            for name, row in found["rows_ms"].items()
        ),
        "",
        "| ratio of the same round | median | 10 % | 90 % |",
        "|---|---|---|---|",
        *(f"| {name} | {row['median']} | {row['p10']} | {row['p90']} |" for name, row in found["ratios"].items()),
        "",
        "The goals: all of `likeness id` under 2 s, and an ID photo within 1.4 times its bare networks. A load average "
        "far above the number of cores means that the clock's times are of a busy machine; the processor's are not.",
        "",
        "HivisionIDPhotos' own matting weights are no part of its repository, so u2net stands in for them. It works on "
        "at most 2,000 pixels, knows no rule of a document, and writes no colour profile.",
        "",
    ]
    return "\n".join(lines)


def _twelve_megapixels(photo: Path, target: Path) -> None:
    with Image.open(photo) as picture:
        scale = (MEGAPIXELS / (picture.width * picture.height)) ** 0.5
        size = round(picture.width * scale), round(picture.height * scale)
        large = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.float32)
    grain = np.random.default_rng(0).normal(0, GRAIN, large.shape)
    Image.fromarray((large + grain).clip(0, 255).astype(np.uint8)).save(target, quality=92)


def main() -> None:
    """Measure, and write a table and its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--hivision", type=Path)
    parser.add_argument("--hivision-python", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    args = parser.parse_args()
    peer = Peer(args.hivision_python, args.hivision) if args.hivision else None
    times: Times = {}
    loads: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo = folder / "photo.jpg"
        _twelve_megapixels(args.photo, photo)
        for _ in range(2):
            _round({}, photo, folder, peer)
        for _ in range(args.rounds):
            _round(times, photo, folder, peer)
            loads.append(os.getloadavg()[0])
    if peer is not None:
        peer.close()
    found = _summary(times, args.rounds, loads)
    args.out.write_text(_markdown(found))
    args.out.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")
    print(_markdown(found))


if __name__ == "__main__":
    main()
