"""Whether faces are found at all: detectors and dense landmarks on the same portraits at four sizes, by group.

    python benchmarks/fairness/detection.py --house us-senate --house us-house --into /tmp/fairness-found.jsonl --write

A size is the side of the whole portrait (1,024 pixels) or the shorter side of the face's box: the portrait is made
smaller until the box has 256, 96 or 48 pixels. In a larger picture means that the smaller portrait lies in the middle
of a grey picture of 1,024 pixels, as a person at a distance does: nothing is enlarged there before detection.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.progress import track

from likeness_studio.benchmarks.fairness.people import Person, add_people, groups_of, read_people
from likeness_studio.benchmarks.fairness.results_file import write
from likeness_studio.core.faces import Face, FaceEngine, engine_of, find_mesh
from likeness_studio.core.imaging import from_pil

ENGINES = ("yunet-sface", "insightface/buffalo_s")
SIZES, FAR_SIZES = (256, 96, 48), (96, 48, 24, 16)
WHOLE, LARGER = "portrait", "in a larger picture"
CANVAS = 1024
PRESENT = 0.5
"""Presence from which the mesh network calls something a face."""


def sized(photo: Image.Image, face: float, size: int) -> Image.Image:
    """The photo made smaller, so that a face of `face` pixels has `size`."""
    side = max(1, round(photo.width * size / face)), max(1, round(photo.height * size / face))
    return photo if size >= face else photo.resize(side, Image.Resampling.LANCZOS)


def on_canvas(photo: Image.Image) -> Image.Image:
    canvas = Image.new("RGB", (CANVAS, CANVAS), (128, 128, 128))
    canvas.paste(photo, ((CANVAS - photo.width) // 2, (CANVAS - photo.height) // 2))
    return canvas


def pictures(photo: Image.Image, face: float) -> Iterator[tuple[str, Image.Image]]:
    yield f"{CANVAS} {WHOLE}", photo
    for size in SIZES:
        yield f"{size} {WHOLE}", sized(photo, face, size)
    for size in FAR_SIZES:
        yield f"{size} {LARGER}", on_canvas(sized(photo, face, size))


def subject(faces: list[Face]) -> Face | None:
    return max(faces, key=lambda face: face.size, default=None)


def look(person: Person, engines: dict[str, FaceEngine], rows: dict[str, dict[str, float]]) -> None:
    """Add to `rows` what each detector finds of a person, 0 or 1, and the mesh's presence on the default's face."""
    photo = Image.open(person.portrait).convert("RGB")
    found = {name: subject(engine.detect(from_pil(photo)[0])) for name, engine in engines.items()}
    sides = [face.size for face in found.values() if face is not None]
    side = float(np.median(sides)) if sides else photo.width / 3
    for size, picture in pictures(photo, side):
        if size in rows:
            continue
        tensor = from_pil(picture)[0]
        faces = {name: subject(engine.detect(tensor)) for name, engine in engines.items()}
        rows[size] = {name: float(face is not None) for name, face in faces.items()}
        first = next(iter(faces.values()))
        rows[size]["mesh"] = find_mesh(tensor, first).presence if first is not None else 0.0


def summary(people: list[Person], rows: dict[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Failures by group, size and network."""
    sizes = [f"{CANVAS} {WHOLE}", *(f"{size} {WHOLE}" for size in SIZES), *(f"{size} {LARGER}" for size in FAR_SIZES)]
    names = list(next(iter(rows.values()))[sizes[0]])
    groups = []
    for group in groups_of(people):
        entry: dict = {"kind": group.kind, "group": group.name, "people": len(group.members), "failures": {}}
        for size in sizes:
            entry["failures"][size] = {}
            for name in names:
                values = [rows[people[place].id][size][name] for place in group.members]
                entry["failures"][size][name] = sum(value < PRESENT for value in values)
        groups.append(entry)
    return {"sizes": sizes, "networks": names, "presence_at_least": PRESENT, "groups": groups}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_people(parser)
    parser.add_argument("--into", type=Path, required=True, help="file for a line of JSON per person; it is resumed")
    parser.add_argument("--write", action="store_true", help="write results/detection.json")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    people = read_people(arguments.house, None)
    rows: dict[str, dict[str, dict[str, float]]] = {}
    if arguments.into.is_file():
        rows = dict(json.loads(line) for line in arguments.into.read_text().splitlines())
    engines = {name: engine_of(name, "cpu") for name in ENGINES}
    with arguments.into.open("a") as lines:
        for person in track(people, description="detection"):
            known = rows.setdefault(person.id, {})
            if len(known) < 1 + len(SIZES) + len(FAR_SIZES):
                look(person, engines, known)
                lines.write(json.dumps([person.id, rows[person.id]]) + "\n")
                lines.flush()
    result: dict[str, Any] = {"date": datetime.date.today().isoformat()} | summary(people, rows)
    print(json.dumps(result["groups"][0], indent=1))
    if arguments.write:
        write("detection", result)


if __name__ == "__main__":
    main()
