"""The limits of the face state measures against planted faults and against real photos of each state.

    python benchmarks/id_photo/face_limits.py measure --photos DIR --into measured.json
    python benchmarks/id_photo/face_limits.py judge measured.json...
    python benchmarks/id_photo/face_limits.py real --lfw DIR [--parser]

`measure` takes each portrait at 512 pixels, plants every fault of faults/face.py, at a strength drawn at random, and
takes all measures of the face anew: detector, mesh, pixels. `judge` prints, for each fault, how many are caught (a
limit of face_limits.toml says "uncertain" or "fail" where it passed the clean photo) and how many fail, and for each
measure how many clean photos it does not pass. The limits were chosen with 100 official portraits in view; only other
people can verify them. `real` takes the same measures of real photos of each state (face_real.toml), with `--parser`
by the optional face parser, too.
"""

from __future__ import annotations

import argparse
import json
import tomllib
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from faults.face import FAULTS
from PIL import Image

from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.errors import LikenessError
from likeness_studio.core.faces import FaceEngine, load_engine
from likeness_studio.core.quality import look_at, measure_face

LIMITS = Path(__file__).with_name("face_limits.toml")
REAL = Path(__file__).with_name("face_real.toml")
EYES = "either eye"
STATES = {
    "closed_eyes": ("left_eye_open", "right_eye_open", EYES),
    "narrow_eyes": ("left_eye_open", "right_eye_open", EYES),
    "hat": ("head_covering",),
    "no_hat": ("head_covering",),
    "dark_glasses": ("dark_glasses", "eyes_visible"),
    "clear_glasses": ("glasses", "dark_glasses", "glasses_glare"),
    "no_glasses": ("glasses", "dark_glasses", "glasses_glare"),
    "mouth_open": ("mouth_closed",),
    "smile": ("smile",),
    "neutral": ("smile", "mouth_closed"),
}
"""The measures that say something of each list of face_real.toml."""

SIDE = 512
CLEAN = "clean"
Row = dict[str, Any]


def measure(photos: Path, into: Path) -> None:
    engine = load_engine()
    rows: list[Row] = []
    for path in sorted([*photos.glob("*.jpg"), *photos.glob("*.png")]):
        with Image.open(path) as picture:
            small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        photo = torch.from_numpy(np.asarray(small, np.float32) / 255)
        try:
            portrait = look_at(photo, engine, policy=FacePolicy.LARGEST)
        except LikenessError as error:
            print(f"{path.name}: {error}")
            continue
        rows.append(row_of(path.name, CLEAN, photo, engine))
        for name, fault in FAULTS.items():
            rng = np.random.default_rng(zlib.crc32(f"{path.name} {name}".encode()))
            spoilt = fault.plant(photo, portrait, float(rng.random()), rng)
            rows.append(row_of(path.name, name, spoilt, engine))
        into.write_text(json.dumps(rows, indent=0), encoding="utf-8")


def row_of(photo: str, fault: str, pixels: torch.Tensor, engine: FaceEngine) -> Row:
    try:
        found = measure_face(look_at(pixels, engine, policy=FacePolicy.LARGEST))
    except LikenessError as error:
        return {"photo": photo, "fault": fault, "refused": str(error)}
    return {"photo": photo, "fault": fault, "values": {each.name: each.value for each in found}}


def outcome(value: float | None, limit: dict[str, list[float]]) -> str:
    """pass, uncertain or fail of one value; uncertain where it could not be measured."""
    if value is None:
        return "uncertain"
    worst = "pass"
    for key, sign in (("at_most", 1), ("at_least", -1)):
        if key in limit:
            passes, fails = (sign * bound for bound in limit[key])
            here = "pass" if sign * value <= passes else "fail" if sign * value >= fails else "uncertain"
            worst = max(worst, here, key=("pass", "uncertain", "fail").index)
    return worst


def judge(measured: list[Path]) -> None:
    limits = tomllib.loads(LIMITS.read_text(encoding="utf-8"))
    rows: list[Row] = [row for file in measured for row in json.loads(file.read_text(encoding="utf-8"))]
    people = sorted({row["photo"] for row in rows})
    clean = {row["photo"]: row["values"] for row in rows if row["fault"] == CLEAN and "values" in row}
    print(f"{len(people)} people")
    for name, limit in limits.items():
        said = [outcome(values[name], limit) for values in clean.values()]
        print(f"  clean  {name:18} flagged {_share(said, 'uncertain', 'fail')}  failed {_share(said, 'fail')}")
    for fault in FAULTS.values():
        said = [
            _objection(row, fault.measures, limits)
            for row in rows
            if row["fault"] == fault.name and _able(clean.get(row["photo"]), fault, limits)
        ]
        caught, failed = _share(said, "uncertain", "fail"), _share(said, "fail")
        print(f"  {fault.name:25} n {len(said):3} caught {caught}  failed {failed}")


def real(lfw: Path, parser: bool) -> None:
    limits = tomllib.loads(LIMITS.read_text(encoding="utf-8"))
    engine = load_engine()
    for state, names in tomllib.loads(REAL.read_text(encoding="utf-8")).items():
        said: dict[str, list[str]] = {name: [] for name in STATES[state]}
        for name in names:
            with Image.open(lfw / name.rsplit("_", 1)[0] / name) as picture:
                photo = torch.from_numpy(np.asarray(picture.convert("RGB"), np.float32) / 255)
            try:
                portrait = look_at(photo, engine, policy=FacePolicy.LARGEST)
            except LikenessError:
                continue
            values = {each.name: each.value for each in measure_face(portrait, parsing=parser)}
            for measure_name, outcomes in said.items():
                each = ("left_eye_open", "right_eye_open") if measure_name == EYES else (measure_name,)
                outcomes.append(_objection({"values": values}, each, limits))
        for measure_name, outcomes in said.items():
            flagged, failed = _share(outcomes, "uncertain", "fail"), _share(outcomes, "fail")
            print(f"{state:14} {measure_name:16} n {len(outcomes):3} flagged {flagged}  failed {failed}", flush=True)


def _able(clean: dict[str, float] | None, fault: Any, limits: dict[str, dict[str, list[float]]]) -> bool:
    """Whether the clean photo passes one of the rules that must object: nobody can close an eye that is closed."""
    return clean is not None and all(outcome(clean[name], limits[name]) == "pass" for name in fault.measures)


def _objection(row: Row, names: tuple[str, ...], limits: dict[str, dict[str, list[float]]]) -> str:
    if "refused" in row:
        return "fail"
    said = [outcome(row["values"][name], limits[name]) for name in names]
    return max(said, key=("pass", "uncertain", "fail").index)


def _share(said: list[str], *which: str) -> str:
    return f"{sum(each in which for each in said) / max(len(said), 1):6.1%}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("--photos", type=Path, required=True)
    measuring.add_argument("--into", type=Path, required=True)
    commands.add_parser("judge").add_argument("measured", type=Path, nargs="+")
    looking = commands.add_parser("real")
    looking.add_argument("--lfw", type=Path, required=True)
    looking.add_argument("--parser", action="store_true")
    options = parser.parse_args()
    if options.command == "measure":
        measure(options.photos, options.into)
    elif options.command == "real":
        real(options.lfw, options.parser)
    else:
        judge(options.measured)
