"""How often the verdict on a headshot names what is wrong with it, and how often it doubts a good one.

    .venv/bin/python benchmarks/portrait/picture_verdict.py --photos DIR --count 30 --write

Official portraits (`--photos`; taken in the order of the hash of their names) go through `studio_headshot` as they are
and with one fault planted in each copy: light taken away or added, focus lost, or shrunk and enlarged again before they
come in. Faults of the cut-out are in matting.py, where the true matte is known.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from likeness_studio import run
from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.errors import LikenessError
from likeness_studio.core.faces.choose import choose_face
from likeness_studio.core.faces.engines import load_engine
from likeness_studio.core.imaging.colour import to_display, to_linear
from likeness_studio.core.imaging.files import load_photo, to_pil
from likeness_studio.core.imaging.filters import soft_blur

DARK, BRIGHT = -2.5, 2.0
"""Stops of light."""

BLUR = 0.035
"""Standard deviation of the planted blur, in distances between the eyes."""

EYES = 30
"""Pixels that are left between the eyes where a photo is shrunk."""

Fault = Callable[[torch.Tensor, float], torch.Tensor]


def _lit(stops: float) -> Fault:
    return lambda photo, _eyes: to_display((to_linear(photo) * 2**stops).clamp(0, 1))


def _blurred(photo: torch.Tensor, eyes: float) -> torch.Tensor:
    return soft_blur(photo.permute(2, 0, 1)[None], BLUR * eyes)[0].permute(1, 2, 0)


def _small(photo: torch.Tensor, eyes: float) -> torch.Tensor:
    height, width = (round(side * EYES / eyes) for side in photo.shape[:2])
    return _resized(photo, height, width)


def _enlarged(photo: torch.Tensor, eyes: float) -> torch.Tensor:
    return _resized(_small(photo, eyes), *photo.shape[:2])


def _resized(photo: torch.Tensor, height: int, width: int) -> torch.Tensor:
    picture = to_pil(photo).resize((width, height), Image.Resampling.BICUBIC)
    return torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).reshape(height, width, 3) / 255


FAULTS: dict[str, Fault] = {
    "as it is": lambda photo, _eyes: photo,
    f"{-DARK:g} stops too dark": _lit(DARK),
    f"{BRIGHT:g} stops too bright": _lit(BRIGHT),
    "out of focus": _blurred,
    "enlarged before": _enlarged,
}


def measure(photo: Path, fault: Fault, folder: Path) -> dict[str, Any]:
    """The verdict on the headshot of a photo with a fault planted in it."""
    image = load_photo(photo)[0][0]
    face = choose_face(load_engine().detect(image), image.shape, FacePolicy.LARGEST).face
    if face is None:
        return {"verdict": "refused", "look": ["no face"]}
    planted = folder / photo.name
    to_pil(fault(image, face.frontal_eye_distance).clamp(0, 1)).save(planted, quality=95)
    try:
        report = run("studio_headshot", [planted], folder / "out").report
    except LikenessError as error:
        return {"verdict": "refused", "look": [str(error)]}
    measured = [image.picture.measured for each in report.likeness for image in each.images if image.picture]
    return {"verdict": report.picture, "look": [each.text for each in report.look], "measured": measured}


def table(rows: list[dict[str, Any]]) -> list[str]:
    """How many of each fault were named, and by what."""
    lines = ["| planted | headshots | pass | look | fail | refused | named for |", "|" + "---|" * 7]
    for fault in FAULTS:
        some = [row for row in rows if row["fault"] == fault]
        found = Counter(row["verdict"] for row in some)
        why = Counter(text.split(":")[0].split(";")[0][:60] for row in some for text in row["look"])
        named = "; ".join(f"{text} ({count})" for text, count in why.most_common(3))
        cells = (str(found[verdict]) for verdict in ("pass", "look", "fail", "refused"))
        lines.append(f"| {fault} | {len(some)} | {' | '.join(cells)} | {named} |")
    return lines


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--rows", type=Path, help="a JSON file for every row, outside the project: it names photos")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    by_hash = sorted(args.photos.iterdir(), key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())
    rows = []
    for name, fault in FAULTS.items():
        for photo in by_hash[: args.count]:
            with tempfile.TemporaryDirectory() as folder:
                rows.append({"photo": photo.name, "fault": name} | measure(photo, fault, Path(folder)))
            print(photo.name, name, rows[-1]["verdict"], *rows[-1]["look"], flush=True)
    if args.rows:
        args.rows.write_text(json.dumps(rows, indent=1) + "\n")
    text = "\n".join(["# The verdict on the picture, with planted faults", "", *table(rows), ""])
    print(text)
    if args.write:
        Path(__file__).with_suffix(".md").write_text(text)  # what was seen by eye is written below it by hand


if __name__ == "__main__":
    main()
