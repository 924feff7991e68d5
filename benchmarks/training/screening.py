"""How much of what is planted among a person's photos `likeness dataset check` names, and what else it names.

    python benchmarks/training/screening.py --lfw lfw-deepfunneled [--sets 30] [--seed 0] [--write]

Each set is ten photos of one person of LFW, drawn at random among those with ten to forty, and eight that are planted:
two of somebody else, one of the ten saved again at four fifths of the size and one mirrored, one blurred, one darkened,
one cut to a strip beside the face, and one made 90 pixels small. Nothing was tuned on these sets; the limits are those
of enrollment and of reference photos. LFW is research data and stays outside the project.
"""

from __future__ import annotations

import argparse
import datetime
import json
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from PIL import Image, ImageEnhance, ImageFilter
from rich.progress import track

from likeness_studio.core.training.screen_photos import COPY, ScreenedPhoto
from likeness_studio.runner.api.dataset_photos import screen_dataset

OWN, FEWEST, MOST = 10, 10, 40
RESULTS = Path(__file__).parent / "results" / "screening.json"


def plant(own: list[Path], strangers: list[Path], folder: Path) -> None:
    """Fill `folder` with the photos of a set; what is planted has its kind for a name."""
    for number, file in enumerate(own):
        shutil.copy(file, folder / f"own_{number}.jpg")
    for number, file in enumerate(strangers):
        shutil.copy(file, folder / f"another person_{number}.jpg")
    photos = []
    for file in own[:6]:
        with Image.open(file) as opened:
            photos.append(opened.convert("RGB"))
    photos[0].resize((200, 200)).save(folder / "copy_0.jpg", quality=60)
    photos[1].transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "copy_1.jpg", quality=80)
    photos[2].rotate(3).filter(ImageFilter.GaussianBlur(6)).save(folder / "blurred_0.jpg")
    ImageEnhance.Brightness(photos[3].rotate(-3)).enhance(0.12).save(folder / "dark_0.jpg")
    photos[4].crop((0, 0, 60, 250)).resize((250, 250)).save(folder / "no face_0.jpg")
    photos[5].rotate(5).resize((90, 90)).save(folder / "small_0.jpg")


def named(found: ScreenedPhoto, all_found: list[ScreenedPhoto]) -> bool:
    """Whether something speaks against a planted photo; of a copy, whether one of the two is called one."""
    if not found.photo.file.startswith(COPY):
        return not found.kept
    return found.copy_of is not None or any(each.copy_of == found.photo.file for each in all_found)


def main() -> None:
    """Draw the sets, screen them, print and write the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lfw", type=Path, required=True)
    parser.add_argument("--sets", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    people = [sorted(each.glob("*.jpg")) for each in sorted(options.lfw.iterdir())]
    people = [photos for photos in people if FEWEST <= len(photos) <= MOST]
    caught, planted, said, own = Counter[str](), Counter[str](), Counter[str](), 0
    for _ in track(range(options.sets)):
        person, other = draw.sample(people, 2)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "photos").mkdir()
            plant(draw.sample(person, OWN), draw.sample(other, 2), Path(folder) / "photos")
            found = list(screen_dataset(Path(folder) / "photos", Path(folder) / "out", one_person=True).photos)
        for each in found:
            kind = each.photo.file.split("_")[0]
            if kind != "own":
                planted[kind] += 1
                caught[kind] += named(each, found)
                continue
            own += 1
            copied = each.copy_of is not None and each.copy_of.startswith("own")
            said.update(code for code in each.problems if code != COPY or copied)
    figures = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "sets": options.sets,
        "seed": options.seed,
        "planted": {kind: {"named": caught[kind], "of": count} for kind, count in planted.items()},
        "own_photos": own,
        "said_of_own_photos": dict(said.most_common()),
    }
    print(json.dumps(figures, indent=1))
    if options.write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
