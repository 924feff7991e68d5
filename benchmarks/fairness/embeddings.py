"""Embeddings of all photos in a file that the user names: biometric data, to be deleted when the report is made.

    python benchmarks/fairness/embeddings.py --house us-senate --house us-house --directory img/200x250 \\
        --engine yunet-sface --cache /tmp/fairness-yunet-sface.npz

What is there already is kept, so that a stopped run goes on. Beside each embedding is a small grey picture of the
aligned face, by which two files of one and the same picture are found (verification.py).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.progress import track

from likeness_studio.benchmarks.fairness.people import Person, add_people, read_people
from likeness_studio.benchmarks.fairness.variants import VARIANTS
from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.faces import FaceEngine, align, engine_of, find_subject
from likeness_studio.core.imaging import from_pil, load_photo

PORTRAIT, OTHER = "portrait", "other"
EVERY = 50
"""People between two writings of the file."""


class Cache:
    """Embeddings by person and photo: a row of numbers, or None where no face was found."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, np.ndarray] = dict(np.load(path)) if path.is_file() else {}

    def __contains__(self, key: tuple[str, str]) -> bool:
        return "|".join(("e", *key)) in self._found

    def put(self, person: str, photo: str, vector: np.ndarray | None, crop: np.ndarray | None) -> None:
        self._found["|".join(("e", person, photo))] = np.zeros(0) if vector is None else vector.astype(np.float32)
        if crop is not None:
            self._found["|".join(("c", person, photo))] = crop.astype(np.float16)

    def vector(self, person: str, photo: str) -> np.ndarray | None:
        found = self._found["|".join(("e", person, photo))]
        return found.astype(np.float64) if found.size else None

    def crop(self, person: str, photo: str) -> np.ndarray | None:
        found = self._found.get("|".join(("c", person, photo)))
        return None if found is None else found.astype(np.float32)

    def save(self) -> None:
        part = self._path.with_suffix(".part.npz")
        np.savez(part, **self._found)  # type: ignore[arg-type]
        part.replace(self._path)


def embed(engine: FaceEngine, photo: torch.Tensor) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The embedding of the largest face, and the aligned face in grey [112,112]."""
    face = find_subject(engine, photo, FacePolicy.LARGEST, min_face=1).face
    if face is None:
        return None, None
    return face.embedding, align(photo, face.landmarks).mean(0).numpy()


def embed_person(engine: FaceEngine, person: Person, wanted: list[str], cache: Cache) -> None:
    portrait = load_photo(person.portrait)[0][0]
    picture = Image.open(person.portrait).convert("RGB")
    for name in wanted:
        if (person.id, name) in cache:
            continue
        if name == PORTRAIT:
            vector, crop = embed(engine, portrait)
        elif name == OTHER:
            if person.other is None:
                continue
            vector, crop = embed(engine, load_photo(person.other)[0][0])
        else:
            vector, crop = embed(engine, from_pil(VARIANTS[name](picture))[0])[0], None
        cache.put(person.id, name, vector, crop)


def embed_people(engine: FaceEngine, people: list[Person], cache: Cache) -> None:
    """First the photos, then what is made of them, so that a stopped run is of use."""
    for wanted in ([PORTRAIT, OTHER], list(VARIANTS)):
        for number, person in enumerate(track(people, description=f"{engine.key}: {wanted[0]}")):
            embed_person(engine, person, wanted, cache)
            if number % EVERY == EVERY - 1:
                cache.save()
        cache.save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_people(parser)
    parser.add_argument("--engine", default="yunet-sface", help="yunet-sface or insightface/PACK")
    parser.add_argument("--cache", type=Path, required=True, help="file for the embeddings; delete it afterwards")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    people = read_people(arguments.house, arguments.directory)
    embed_people(engine_of(arguments.engine, "cpu"), people, Cache(arguments.cache))


if __name__ == "__main__":
    main()
