"""How far the chin, the eye line, the top of the head and the roll are off, against a reference read by hand.

    python benchmarks/id_photo/geometry.py --photos DIR [--matte u2net] [--write]
    python benchmarks/id_photo/geometry.py --photos DIR --fit

DIR has the 100 portraits of reference.csv (github.com/CivilServiceUSA/us-senate, headshots, 1024 x 1024). How the
reference was made stands in reference.md. `--fit` prints the constants of core/faces/mesh.py, from every second
portrait (those with an even place in the list); the other half is reported apart. Landmarks of another kind come from
insightface's SCRFD when its pack is in the model folder: research only, never part of the engine.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from likeness_studio.core.errors import LikenessError
from likeness_studio.core.faces import NEUTRAL_PITCH, FaceEngine, FaceMesh, Pose, engine_of, find_mesh, pose_from_mesh
from likeness_studio.core.faces import mesh as chin_search
from likeness_studio.core.id_photo import Head, find_head, frontal_unit
from likeness_studio.core.imaging import load_photo, planes, rotate
from likeness_studio.core.models import session, store
from likeness_studio.core.portrait import normalisation_for
from likeness_studio.core.portrait.matte import matte

HERE = Path(__file__).parent
CHIN_RADIUS, TOP_RADIUS = 0.45, 1.2
"""Chins and tops of heads as circles on the face's middle line, in eye distances: what turns a height that was read in
the upright photo into one in the level frame."""

HEAD_SHARE = 0.75
"""Chin to crown as a share of an ID photo's height (ICAO: 70 to 80 %)."""

FRONTAL = 8.0
"""Faces with a yaw below this many degrees count for the neutral pitch."""


FACING = 15.0
"""A usable photo for a document: yaw, pitch and roll below this many degrees."""


@dataclass
class Reference:
    """One row of the table as level heights in pixels from the top, NaN where nothing was read."""

    eyes: float
    roll: float
    chin: float
    hair: float
    crown: float


@dataclass
class Case:
    name: str
    height: int
    head: Head
    mesh: FaceMesh
    pose: Pose
    reference: Reference
    cut: bool
    doubtful: bool
    other: np.ndarray | None
    slopes: np.ndarray


def level_reference(row: dict[str, str], height: int, mesh: FaceMesh) -> Reference:
    """What was read in the upright photo, in the frame that the eyes as read make level."""
    read = {
        key: float(row[key] or "nan") / 100 * height for key in ("chin", "hair_top", "left_eye", "right_eye", "crown")
    }
    across = mesh.eyes[1].centre[0] - mesh.eyes[0].centre[0]
    eyes = (read["left_eye"] + read["right_eye"]) / 2
    roll = float(np.degrees(np.arctan2(read["right_eye"] - read["left_eye"], across)))
    tilt = np.cos(np.radians(roll if np.isfinite(roll) else mesh.roll))
    axis = eyes if np.isfinite(eyes) else float((mesh.eyes[0].centre + mesh.eyes[1].centre)[1] / 2)

    def level(value: float, radius: float) -> float:
        return float(axis + (value - radius - axis) / tilt + radius)

    chin_radius, top_radius = CHIN_RADIUS * mesh.eye_distance, -TOP_RADIUS * mesh.eye_distance
    return Reference(
        float(eyes),
        roll,
        level(read["chin"], chin_radius),
        level(read["hair_top"], top_radius),
        level(read["crown"], top_radius),
    )


def look(photos: Path, network: str | None) -> list[Case]:
    """Every portrait of the reference, with the matte of `network`, or without one."""
    engine, other = engine_of("yunet-sface"), other_engine()
    coarse = session(store.path(network), "cpu") if network else None
    with (HERE / "reference.csv").open() as file:
        rows = list(csv.DictReader(file))
    cases = []
    for row in track(rows, description=network or "no matte"):
        photo = load_photo(photos / row["file"])[0][0]
        face = max(engine.detect(photo), key=lambda each: each.size)
        mesh = find_mesh(photo, face)
        person = matte(photo[None], coarse, normalisation_for(network))[0] if coarse and network else None
        head = find_head(face, mesh, person)
        seen = other.detect(photo) if other else []
        marks = max(seen, key=lambda each: each.size).landmarks if seen else None
        reference = level_reference(row, photo.shape[0], mesh)
        cut = "edge" in row["note"] or "cut" in row["note"]
        spots = rotate(mesh.points[:, :2].astype(np.float64), head.pivot, -mesh.roll)
        slopes = chin_search.slopes(planes(photo[None]), spots, head.pivot, mesh.eye_distance, mesh.roll)
        cases.append(
            Case(
                row["file"],
                photo.shape[0],
                head,
                mesh,
                pose_from_mesh(mesh),
                reference,
                cut,
                bool(row["note"]),
                marks,
                slopes,
            )
        )
    return cases


def other_engine() -> FaceEngine | None:
    try:
        return engine_of("insightface/buffalo_s")
    except LikenessError as error:
        print(f"Without SCRFD: {error}")
        return None


def summary(errors: list[float], limit: float) -> dict[str, float]:
    """Of signed errors: how many, median of the size, 95th percentile, largest, bias, share within the limit."""
    known = np.array([error for error in errors if np.isfinite(error)])
    size = np.abs(known)
    return {
        "n": len(known),
        "median": round(float(np.median(size)), 2),
        "p95": round(float(np.percentile(size, 95)), 2),
        "largest": round(float(size.max()), 2),
        "bias": round(float(known.mean()), 2),
        "within": round(float((size <= limit).mean()), 3),
    }


Measured = Callable[[Case], float]

HEIGHTS: dict[str, tuple[Measured, str]] = {
    "eye line": (lambda case: case.head.eyes - case.reference.eyes, ""),
    "chin": (lambda case: case.head.chin - case.reference.chin, "chin_sigma"),
    "top of the hair": (lambda case: hair(case) - case.reference.hair, "hair_sigma"),
    "head with hair": (
        lambda case: (case.head.chin - hair(case)) - (case.reference.chin - case.reference.hair),
        "",
    ),
    "crown, bald": (lambda case: case.head.crown - case.reference.crown, "crown_sigma"),
    "head, bald": (
        lambda case: (case.head.chin - case.head.crown) - (case.reference.chin - case.reference.crown),
        "",
    ),
}


def hair(case: Case) -> float:
    """The top of the hair; nothing to compare where the photo cuts the head."""
    return float("nan") if case.cut or case.head.hair is None else case.head.hair


def measure(cases: list[Case]) -> dict[str, dict[str, float]]:
    table = {}
    for name, (error, sigma) in HEIGHTS.items():
        entry = summary([100 * error(case) / case.height for case in cases], 2.0)
        finished = summary([100 * HEAD_SHARE * error(case) / (case.head.chin - case.head.crown) for case in cases], 2.0)
        entry |= {f"{key} of the ID photo": finished[key] for key in ("median", "p95", "within")}
        if sigma:
            standard = np.array([error(case) / getattr(case.head, sigma) for case in cases])
            entry["within two sigma"] = round(float((np.abs(standard[np.isfinite(standard)]) <= 2).mean()), 3)
        table[f"{name} (% of the picture's height)"] = entry
    table["roll (degrees)"] = summary([case.head.roll - case.reference.roll for case in cases], 1.0)
    if any(case.other is not None for case in cases):
        eyes = [case.head.eyes - case.other[:2, 1].mean() if case.other is not None else np.nan for case in cases]
        table["eye line beside SCRFD (% of the picture's height)"] = summary(
            [100 * error / case.height for error, case in zip(eyes, cases, strict=True)], 2.0
        )
        table["roll beside SCRFD (degrees)"] = summary([case.head.roll - tilt(case) for case in cases], 1.0)
    return table


def facing(case: Case) -> bool:
    return max(abs(case.pose.yaw), abs(case.pose.pitch), abs(case.pose.roll)) < FACING


def tilt(case: Case) -> float:
    if case.other is None:
        return float("nan")
    dx, dy = case.other[1] - case.other[0]
    return float(np.degrees(np.arctan2(dy, dx)))


def poses(cases: list[Case]) -> dict[str, object]:
    angles = np.array([[case.pose.yaw, case.pose.pitch, case.pose.roll] for case in cases])
    frontal = angles[np.abs(angles[:, 0]) < FRONTAL, 1] + NEUTRAL_PITCH
    return {
        "yaw, pitch, roll: mean": angles.mean(0).round(1).tolist(),
        "yaw, pitch, roll: standard deviation": angles.std(0).round(1).tolist(),
        "frontal": len(frontal),
        "pitch of the frontal before the neutral is taken out": round(float(frontal.mean()), 1),
        "its standard deviation": round(float(frontal.std()), 1),
        "eye distance in space over that in the picture": round(
            float(np.mean([frontal_unit(case.mesh) / case.mesh.eye_distance for case in cases])), 3
        ),
    }


def fit(cases: list[Case]) -> dict[str, object]:
    """The constants of the chin's search, from every second portrait whose reading has no doubts."""
    reach, windows, offsets = chin_search.REACH, [], []
    for case in cases[::2]:
        unit = case.mesh.eye_distance * chin_search.STEP
        spots = rotate(case.mesh.points[:, :2].astype(np.float64), case.head.pivot, -case.mesh.roll)
        offset = (case.reference.chin - spots[chin_search.CHIN, 1]) / unit
        if case.doubtful:
            continue
        offsets.append(offset)
        row = int(np.clip(round(offset) + chin_search.ABOVE, reach, len(case.slopes) - reach - 1))
        windows.append(case.slopes[row - reach : row + reach + 1])
    stack = np.array(windows)
    return {
        "COURSE": stack.mean(0).round(2).tolist(),
        "MISFIT": round(0.15 * stack.shape[1] / float(stack.var(0).sum()), 2),
        "OFFSET": round(float(np.mean(offsets)), 1),
        "OFFSET_SIGMA": round(float(np.std(offsets)), 1),
        "n": len(offsets),
    }


def markdown(report: dict[str, dict[str, dict[str, float]]]) -> str:
    lines = []
    titles = ("", "n", "median", "95 %", "largest", "bias", "within the limit", "of the ID photo: median", "95 %")
    for part, table in report.items():
        lines += [f"## {part}", "", "| " + " | ".join((*titles, "within", "within two sigma")) + " |"]
        lines.append("|---|" + "---|" * 10)
        for name, entry in table.items():
            keys = ("n", "median", "p95", "largest", "bias", "within", "median of the ID photo", "p95 of the ID photo")
            cells = [entry.get(key, "") for key in (*keys, "within of the ID photo", "within two sigma")]
            lines.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of the portraits of reference.csv")
    parser.add_argument("--matte", default="u2net", choices=("u2net", "u2netp"), help="the matte's network")
    parser.add_argument("--fit", action="store_true", help="print the constants of the chin's search and end")
    parser.add_argument("--write", action="store_true", help="write geometry.json and geometry.md beside this file")
    parser.add_argument("--each", action="store_true", help="print the errors of each portrait")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    if arguments.fit:
        print(json.dumps(fit(look(arguments.photos, None)), indent=2))
        return
    cases = look(arguments.photos, arguments.matte)
    if arguments.each:
        for case in cases:
            errors = {name: round(100 * error(case) / case.height, 1) for name, (error, _) in HEIGHTS.items()}
            print(case.name, errors, "roll", round(case.head.roll - case.reference.roll, 1), "cut", case.head.cut_off)
    report = {
        "All": measure(cases),
        f"Turned by less than {FACING:.0f} degrees": measure([case for case in cases if facing(case)]),
        "The half on which nothing was fitted": measure(cases[1::2]),
    }
    text = markdown(report)
    cut = [(case.cut, case.head.cut_off) for case in cases]
    facts = {
        "date": datetime.date.today().isoformat(),
        "matte": arguments.matte,
        "photos": len(cases),
        "heads at the photo's edge: read, found, both": [
            sum(read for read, _ in cut),
            sum(found for _, found in cut),
            sum(read and found for read, found in cut),
        ],
        "poses": poses(cases),
    }
    print(text, json.dumps(facts, indent=2), sep="\n")
    if arguments.write:
        (HERE / "geometry.json").write_text(json.dumps(facts | {"errors": report}, indent=2) + "\n")
        (HERE / "geometry.md").write_text(text_of(facts, text))


def text_of(facts: dict[str, object], tables: str) -> str:
    head = (
        "# Head geometry against a reference read by hand\n\n"
        f"`python benchmarks/id_photo/geometry.py --photos DIR --matte {facts['matte']} --write`, {facts['date']},"
        f" {facts['photos']} portraits.\nThe limit is 2 % of the picture's height, or 1 degree. `Of the ID photo`: the"
        f" same errors in a finished photo whose\nhead takes {HEAD_SHARE:.0%} of its height.\n\n"
    )
    return (
        f"{head}{tables}\n```json\n{json.dumps({key: facts[key] for key in facts if key != 'date'}, indent=2)}\n```\n"
    )


if __name__ == "__main__":
    main()
