"""A main subject whose face cannot be used, and a small face of the enrolled person beside: does that pass?

    python benchmarks/identity/hidden_faces.py --portraits us-house/images/headshots/1024x1024 --people 12

The face of each portrait is hidden in seven ways, and in a corner lies a face of 90 pixels, cut out of the portrait of
another person, who was enrolled from it: the recogniser can say nothing but yes. Without a main face every picture
that passes is a fault; the portraits themselves, each against its own person, must all pass. Prints how many do.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter

from likeness_studio.core.faces import Face, FaceEngine, load_engine
from likeness_studio.core.faces.choose import largest_face
from likeness_studio.core.identity import Gate, calibration_of, check_likeness, enroll
from likeness_studio.core.imaging import from_pil

SMALL = 90
"""The pasted face's width in pixels."""

Picture = Image.Image


def around(face: Face, beside: float, above: float, below: float) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = face.box
    wide, high = x1 - x0, y1 - y0
    return int(x0 - beside * wide), int(y0 - above * high), int(x1 + beside * wide), int(y1 + below * high)


def ellipse(picture: Picture, box: tuple[int, int, int, int], soft: int = 8) -> Picture:
    mask = Image.new("L", picture.size, 0)
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return mask.filter(ImageFilter.GaussianBlur(soft))


def covered(colour: int) -> Callable[[Picture, Face], Picture]:
    def cover(picture: Picture, face: Face) -> Picture:
        made = picture.copy()
        ImageDraw.Draw(made).rectangle(around(face, 0.2, 0.3, 0.15), fill=(colour,) * 3)
        return made

    return cover


def blurred(picture: Picture, face: Face) -> Picture:
    soft = picture.filter(ImageFilter.GaussianBlur(0.16 * face.size))
    return Image.composite(soft, picture, ellipse(picture, around(face, 0.25, 0.35, 0.15)))


def mosaic(picture: Picture, face: Face) -> Picture:
    block = max(4, int(face.size / 5))
    small = picture.resize((picture.width // block, picture.height // block), Image.Resampling.BOX)
    large = small.resize(picture.size, Image.Resampling.NEAREST)
    return Image.composite(large, picture, ellipse(picture, around(face, 0.25, 0.35, 0.15), 1))


def melted(picture: Picture, face: Face) -> Picture:
    pixels = np.asarray(picture)
    height, width = pixels.shape[:2]
    rng = np.random.default_rng(0)
    noise = torch.from_numpy(rng.standard_normal((1, 2, height // 24 + 1, width // 24 + 1)))
    shift = torch.nn.functional.interpolate(noise, size=(height, width), mode="bicubic")[0].numpy() * 0.22 * face.size
    rows, columns = np.mgrid[:height, :width]
    moved = pixels[
        np.clip(rows + shift[0], 0, height - 1).astype(int), np.clip(columns + shift[1], 0, width - 1).astype(int)
    ]
    return Image.composite(Image.fromarray(moved), picture, ellipse(picture, around(face, 0.25, 0.35, 0.15)))


def painted(above: float) -> Callable[[Picture, Face], Picture]:
    """The face painted over with the colour of a place on it, `above` of its height above its middle."""

    def paint(picture: Picture, face: Face) -> Picture:
        x, y = face.centre
        spot = (int(x) - 15, max(0, int(y - above * (face.box[3] - face.box[1])) - 15))
        colour = np.asarray(picture.crop((*spot, spot[0] + 30, spot[1] + 30))).reshape(-1, 3).mean(0)
        plain = Image.new("RGB", picture.size, tuple(int(value) for value in colour))
        return Image.composite(plain, picture, ellipse(picture, around(face, 0.15, 0.3, 0.12)))

    return paint


WAYS: dict[str, Callable[[Picture, Face], Picture]] = {
    "black box": covered(0),
    "white box": covered(250),
    "blurred": blurred,
    "mosaic": mosaic,
    "melted": melted,
    "skin over it": painted(0.0),
    "hair over it": painted(0.7),
}


def beside(picture: Picture, source: Picture, face: Face, place: int) -> Picture:
    """`picture` with the face of `source` in the corner of that number."""
    cut = source.crop(around(face, 0.1, 0.15, 0.1))
    factor = SMALL / face.size
    small = cut.resize((int(cut.width * factor), int(cut.height * factor)), Image.Resampling.LANCZOS)
    made = picture.copy()
    left = 10 if place % 2 == 0 else picture.width - small.width - 10
    made.paste(small, (left, 10 if place // 2 % 2 == 0 else picture.height - small.height - 10))
    return made


def largest(engine: FaceEngine, picture: Picture) -> Face:
    return largest_face(engine.detect(from_pil(picture)[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portraits", type=Path, required=True, help="folder of portraits, one person each")
    parser.add_argument("--people", type=int, default=12)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    engine, files = load_engine(device="cpu"), sorted(arguments.portraits.glob("*.jpg"))
    gate = Gate.measured(calibration_of(engine.key), 1e-4)
    found: dict[str, Counter[str]] = {name: Counter() for name in ("themselves", *WAYS)}
    for place in range(arguments.people):
        main_file, other_file = files[place], files[place + len(files) // 2]
        portrait, other = (Image.open(file).convert("RGB") for file in (main_file, other_file))
        person, _ = enroll(engine, [from_pil(other)[0]])
        itself = check_likeness(engine, person, [from_pil(other)[0]], gate).verdicts[0]
        found["themselves"][str(itself.outcome)] += 1
        face, small = largest(engine, portrait), largest(engine, other)
        for name, hide in WAYS.items():
            scene = beside(hide(portrait, face), other, small, place)
            verdict = check_likeness(engine, person, [from_pil(scene)[0]], gate).verdicts[0]
            found[name][str(verdict.outcome)] += 1
        print(place + 1, {name: dict(outcomes) for name, outcomes in found.items()}, flush=True)


if __name__ == "__main__":
    main()
