"""How far the crown is off on bald and close-cropped heads, and the constants of core/id_photo/head.py from them.

    python benchmarks/id_photo/crowns.py --photos DIR [--matte u2net] [--write]

DIR has the 44 portraits of crowns.csv (github.com/CivilServiceUSA/us-house, headshots, 1024 x 1024): people of whom the
top of the skull is seen, or whose hair is shorter than about a centimetre; then the reading is the skull's estimated
place under it. The heights were read by hand as in reference.md. Each head's error by proportions is also given with
the constants fitted on the others.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from likeness_studio.core.faces import engine_of, find_mesh, pose_from_mesh
from likeness_studio.core.id_photo import crown_from_face, find_head, frontal_unit
from likeness_studio.core.imaging import load_photo
from likeness_studio.core.models import session, store
from likeness_studio.core.portrait import normalisation_for
from likeness_studio.core.portrait.matte import matte

HERE = Path(__file__).parent
TOP_RADIUS = 1.2
"""As in geometry.py."""

FIELDS = ("read", "by the face", "with the matte", "sigma", "pitch", "pixels", "short")


def heights(photos: Path, network: str) -> np.ndarray:
    """One row of FIELDS for each head: heights above the eye line in eye distances of the frontal face."""
    engine, coarse = engine_of("yunet-sface"), session(store.path(network), "cpu")
    with (HERE / "crowns.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = []
    for row in track(rows, description=network):
        photo = load_photo(photos / row["file"])[0][0]
        face = max(engine.detect(photo), key=lambda each: each.size)
        mesh = find_mesh(photo, face)
        head = find_head(face, mesh, matte(photo[None], coarse, normalisation_for(network))[0])
        unit, radius = frontal_unit(mesh), TOP_RADIUS * mesh.eye_distance
        upright = head.eyes - float(row["crown"]) / 100 * photo.shape[0]
        read = (upright - radius) / np.cos(np.radians(head.roll)) + radius
        pitch = pose_from_mesh(mesh).pitch
        found.append(
            [
                read / unit,
                crown_from_face(pitch).height,
                (head.eyes - head.crown) / unit,
                head.crown_sigma / unit,
                pitch,
                unit / photo.shape[0],
                row["hair"] == "short",
            ]
        )
    return np.array(found)


def line(pitch: np.ndarray, read: np.ndarray) -> np.ndarray:
    """Intercept and slope by least squares."""
    return np.linalg.lstsq(np.column_stack([np.ones(len(pitch)), pitch]), read, rcond=None)[0]


def errors(error: np.ndarray, table: np.ndarray) -> dict[str, float]:
    percent = 100 * np.abs(error) * table[:, 5]
    return {
        "bias, eye distances": round(float(error.mean()), 3),
        "standard deviation, eye distances": round(float(error.std()), 3),
        "median, % of the picture": round(float(np.median(percent)), 2),
        "95 %, % of the picture": round(float(np.percentile(percent, 95)), 2),
        "within 2 % of the picture": round(float((percent <= 2).mean()), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of the portraits of crowns.csv")
    parser.add_argument("--matte", default="u2net", choices=("u2net", "u2netp"), help="the matte's network")
    parser.add_argument("--write", action="store_true", help="write crowns.json beside this file")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    table = heights(arguments.photos, arguments.matte)
    read, pitch = table[:, 0], table[:, 4]
    others = np.array([np.arange(len(read)) != index for index in range(len(read))])
    fitted = np.array([line(pitch[kept], read[kept]) @ [1, pitch[~kept][0]] for kept in others])
    whole = line(pitch, read)
    sure = np.abs(table[:, 2] - read) <= 2 * table[:, 3]
    report = {
        "date": datetime.date.today().isoformat(),
        "matte": arguments.matte,
        "heads": len(read),
        "of them close-cropped": int(table[:, 6].sum()),
        "SKULL": round(float(whole[0]), 2),
        "PER_DEGREE": round(float(whole[1]), 3),
        "standard deviation without pitch": round(float(read.std()), 3),
        "by the face, each with the constants of the others": errors(fitted - read, table),
        "by the face, as built": errors(table[:, 1] - read, table),
        "with the matte, as built": errors(table[:, 2] - read, table),
        "with the matte, within two sigma": round(float(sure.mean()), 3),
    }
    print(json.dumps(report, indent=2))
    if arguments.write:
        (HERE / "crowns.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
