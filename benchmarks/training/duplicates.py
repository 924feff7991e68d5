"""How many photos that were saved again are found among others, and how many pairs of others are called one picture.

    python benchmarks/training/duplicates.py --photos DIR [--most 2000] [--changed 600] [--write]

DIR is any folder of different photos; figures are of LFW (research data, outside the project). `NEAR` and `ALIKE` were
chosen on 2,000 of its photos drawn with another seed.
"""

from __future__ import annotations

import argparse
import datetime
import io
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from rich.progress import track

from likeness_studio.core.training.near_duplicates import look_at, near_pairs, same_pictures

RESULTS = Path(__file__).parent / "results" / "duplicates.json"


def cut(share: float) -> Callable[[Image.Image], Image.Image]:
    """Cut off a share of the width and height at each side."""

    def change(photo: Image.Image) -> Image.Image:
        width, height = photo.size
        inset = round(width * share), round(height * share)
        return photo.crop((*inset, width - inset[0], height - inset[1]))

    return change


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "saved as JPEG of quality 40": lambda photo: photo,
    "half the size": lambda photo: photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS),
    "lighter by 8 %": lambda photo: photo.point([min(255, round(level * 1.08 + 5)) for level in range(256)] * 3),
    "gamma 0.8": lambda photo: photo.point([round(255 * (level / 255) ** 0.8) for level in range(256)] * 3),
    "grey": lambda photo: photo.convert("L"),
    "mirrored": lambda photo: photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "cut by 1 % at each side": cut(0.01),
    "cut by 4 % at each side": cut(0.04),
}


def saved_again(photo: Image.Image) -> Image.Image:
    """The photo as JPEG of quality 40."""
    held = io.BytesIO()
    photo.save(held, "JPEG", quality=40)
    return Image.open(held)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--most", type=int, default=2000)
    parser.add_argument("--changed", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    files = sorted(options.photos.rglob("*.jpg"))
    files = random.Random(options.seed).sample(files, min(options.most, len(files)))
    photos = []
    for file in track(files, description="Reading"):
        with Image.open(file) as opened:
            photos.append(opened.convert("RGB"))
    looks = [look_at(photo) for photo in photos]
    began = time.perf_counter()
    others = same_pictures(looks)
    seconds = time.perf_counter() - began
    known = {index for pair in others for index in pair}
    found = {}
    for name, change in CHANGES.items():
        tried = [index for index in range(min(options.changed, len(photos))) if index not in known]
        changed = [look_at(saved_again(change(photos[index]))) for index in tried]
        pairs = set(same_pictures([*looks, *changed]))
        found[name] = {"found": sum((i, len(looks) + n) in pairs for n, i in enumerate(tried)), "of": len(tried)}
    figures = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "photos": len(photos),
        "seconds": round(seconds, 2),
        "pairs_of_near_hashes": len(near_pairs([look.straight for look in looks])),
        "pairs_called_one_picture": [[files[one].name, files[other].name] for one, other in others],
        "changed": found,
    }
    print(json.dumps(figures, indent=1))
    if options.write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
