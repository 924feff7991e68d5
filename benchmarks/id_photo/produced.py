"""Whether ID photos that were made keep their own rules of position, measured anew on the finished files.

    python benchmarks/id_photo/produced.py --photos DIR --into produced.jsonl [--write]

DIR has the 100 portraits of reference.csv (github.com/CivilServiceUSA/us-senate, headshots, 1024 x 1024). Each is made
into the photo of each of `DOCUMENTS` and encoded as JPEG. The file is decoded, and everything is found again in its
pixels: the face, the mesh, the person's matte and the head; nothing of the making is handed on. These figures are held
against the rules as `likeness check` does. SCRFD's eye points, which nothing here was made with, give the eye line and
the roll a second time when insightface's pack is in the model folder: research only, never part of the engine.

A photo counts as usable when the head is whole, as read by hand for reference.csv, and its yaw, pitch and roll are
below 15 degrees. Rows are kept in the file `--into`, and a run goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from geometry import FACING, HERE, other_engine

from likeness_studio.core.errors import LikenessError
from likeness_studio.core.faces import Face, FaceEngine, load_engine, pose_from_mesh
from likeness_studio.core.id_photo import (
    About,
    Document,
    FileSource,
    MakeOptions,
    judge_all,
    make_id_photo,
    measure_all,
)
from likeness_studio.core.id_photo.documents import document as document_of
from likeness_studio.core.id_photo.head_in_photo import locate_head
from likeness_studio.core.imaging import encode_picture, load_photo
from likeness_studio.core.models import runtimes as onnx
from likeness_studio.core.models import store
from likeness_studio.core.portrait import normalisation_for
from likeness_studio.core.portrait.matte import matte
from likeness_studio.core.provenance import target_for

DOCUMENTS = ("us-passport", "schengen-visa", "in-passport", "jp-passport")

POSITION = ("head_height", "eye_line", "room_above", "chin_height", "head_width", "centring", "whole_head")
"""The checks of where the head is."""

LEVEL = 1.0
"""Degrees that the eyes of a finished photo may be off."""

Row = dict[str, Any]


def person(photo: torch.Tensor) -> torch.Tensor:
    """The person's matte [H,W]."""
    return matte(photo[None], onnx.session(store.path("u2net"), "cpu"), normalisation_for("u2net"))[0]


def kept(make: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """`make`, whose first answer is given again: the same part of a photo is looked at for every document."""
    answers: list[torch.Tensor] = []

    def answer(picture: torch.Tensor) -> torch.Tensor:
        if not answers:
            answers.append(make(picture))
        return answers[0]

    return answer


def rows_of(photo: Path, whole: bool, engine: FaceEngine, other: FaceEngine | None, keep: Path) -> Iterable[Row]:
    """One row for each document. `whole`: the head was read as whole. `keep`: where the finished photos go."""
    source, matted = FileSource(photo), kept(person)
    try:
        pose = asdict(pose_from_mesh(locate_head(source, engine, matted, largest=True).portrait.mesh))
    except LikenessError as error:
        pose = {"error": error.code}
    for name in DOCUMENTS:
        row: Row = {"photo": photo.name, "document": name, "whole": whole, "pose": pose}
        try:
            made = make_id_photo(source, engine, MakeOptions(document_of(name), largest=True), matted)
        except LikenessError as error:
            yield row | {"refused": error.code, "why": str(error)}
            continue
        target, file = target_for(document_of(name), "jpeg", 95, made.id_photo.dpi), keep / f"{photo.stem}.{name}.jpg"
        least, most = target.min_bytes, target.max_bytes
        file.write_bytes(encode_picture(made.picture[0], "jpeg", dpi=target.dpi, min_bytes=least, max_bytes=most).data)
        told = {key: made.report[key] for key in ("broken", "to_do", "warnings")}
        yield row | told | measured(load_photo(file)[0][0], document_of(name), engine, other)


def measured(again: torch.Tensor, document: Document, engine: FaceEngine, other: FaceEngine | None) -> Row:
    """What is found in the pixels [H,W,3] of a finished photo."""
    seen = measure_all(again, engine, document, person(again), About())
    checks = [check for check in judge_all(seen.measures, document, len(seen.faces)) if check.name in POSITION]
    return {
        "faces": len(seen.faces),
        "roll": None if seen.head is None else seen.head.roll,
        "checks": {check.name: [str(check.outcome), check.value, check.limit] for check in checks},
        "scrfd": None if other is None else beside(other.detect(again), again.shape[0], document),
    }


def beside(faces: list[Face], height: int, document: Document) -> Row | None:
    """Eye line and roll by another kind of landmark; `kept` where the document has a rule for the eye line."""
    if not faces:
        return None
    left, right = max(faces, key=lambda face: face.size).landmarks[:2]
    eyes = 1 - float(left[1] + right[1]) / 2 / height
    roll = float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))
    return {"eyes": eyes, "roll": roll, "kept": None if document.eyes is None else eyes in document.eyes}


def usable(row: Row) -> bool:
    """Whether a photo could be expected to serve: see the top."""
    turned = [abs(row["pose"].get(key, 90.0)) for key in ("yaw", "pitch", "roll")]
    return row["whole"] and max(turned) < FACING


def outcome(row: Row) -> str:
    """What became of a row: refused, told (a rule is broken and it says so), pass, uncertain or fail."""
    if "refused" in row:
        return "refused"
    if row["broken"]:
        return "told"
    found = {check[0] for check in row["checks"].values()}
    return next((each for each in ("fail", "not measured", "uncertain") if each in found), "pass")


ENDS = ("pass", "uncertain", "told", "refused", "fail", "not measured")


def summary(rows: list[Row]) -> Row:
    """Counts of one group of rows."""
    ends = Counter(map(outcome, rows))
    made = [row for row in rows if "refused" not in row]
    rolls = np.abs([row["roll"] for row in made if row["roll"] is not None])
    other = [row["scrfd"] for row in made if row["scrfd"]]
    lines = [each["kept"] for each in other if each["kept"] is not None]
    finished = [row for row in rows if outcome(row) in ("pass", "uncertain", "fail", "not measured")]
    good = sum(outcome(row) in ("pass", "uncertain") for row in finished)
    return {
        "n": len(rows),
        **{end: ends[end] for end in ENDS},
        "of those made without a word, kept": round(good / len(finished), 4) if finished else None,
        "roll within a degree": round(float((rolls <= LEVEL).mean()), 3) if len(rolls) else None,
        "roll, largest": round(float(rolls.max()), 2) if len(rolls) else None,
        "SCRFD's roll, median": round(float(np.median([abs(each["roll"]) for each in other])), 2) if other else None,
        "SCRFD's eye line kept": round(sum(lines) / len(lines), 3) if lines else None,
        "uncertain rules": dict(Counter(doubted(rows, "uncertain")).most_common()),
        "failed rules": dict(Counter(doubted(rows, "fail")).most_common()),
    }


def doubted(rows: list[Row], word: str) -> list[str]:
    """The checks of the rows that ended as `word`, where nothing was said when the photo was made."""
    of = [row for row in rows if outcome(row) in ("uncertain", "fail")]
    return [name for row in of for name, check in row["checks"].items() if check[0] == word]


def judge(rows: list[Row]) -> Row:
    """The whole result."""
    good = [row for row in rows if usable(row)]
    groups = {"all": rows, "usable": good}
    groups |= {f"usable, {name}": [row for row in good if row["document"] == name] for name in DOCUMENTS}
    return {
        "date": datetime.date.today().isoformat(),
        "photos": len({row["photo"] for row in rows}),
        "usable photos": len({row["photo"] for row in good}),
        "groups": {name: summary(each) for name, each in groups.items() if each},
        "failed": [
            [row["photo"], row["document"], {k: v for k, v in row["checks"].items() if v[0] == "fail"}]
            for row in good
            if outcome(row) in ("fail", "not measured")
        ],
        "refused": Counter(row["refused"] for row in good if "refused" in row),
    }


def markdown(found: Row) -> str:
    """The result for people."""
    columns = (*ENDS, "of those made without a word, kept", "roll within a degree", "SCRFD's eye line kept")
    lines = [
        "# Finished ID photos, measured anew",
        "",
        f"`python benchmarks/id_photo/produced.py --photos DIR --into produced.jsonl --write`, {found['date']}.",
        f"{found['photos']} of the 100 portraits for {len(DOCUMENTS)} documents; {found['usable photos']} are usable: "
        f"the head is whole, and turned by less than {FACING:.0f} degrees.",
        "",
        "| photos | n | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for name, row in found["groups"].items():
        cells = ["" if row[key] is None else str(row[key]) for key in columns]
        lines.append(f"| {name} | {row['n']} | " + " | ".join(cells) + " |")
    whole = found["groups"]["usable"]
    lines += [
        "",
        "- told: the photo that was made breaks a rule, its report says which and what to do, and exit code 3 says so.",
        "- refused: no photo is made, and the error says why.",
        "- uncertain: within a standard error of a limit, on either side; counted as kept in the column that says so.",
        f"- Rules in doubt: {_listed(whole['uncertain rules'])}. Rules that failed: {_listed(whole['failed rules'])}.",
        "",
    ]
    lines += [f"- {photo}, {name}: {checks}" for photo, name, checks in found["failed"]]
    return "\n".join(lines).rstrip() + "\n"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def main() -> None:
    """Measure what is missing, and judge everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of the portraits of reference.csv")
    parser.add_argument("--into", type=Path, required=True, help="JSON lines of what was measured")
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), help="K N: every N-th portrait from the K-th on")
    parser.add_argument("--keep", type=Path, help="keep the finished photos in this folder")
    parser.add_argument("--write", action="store_true", help="write results/produced.json and .md beside this file")
    arguments = parser.parse_args()
    arguments.into.touch()
    known = [json.loads(line) for line in arguments.into.read_text().splitlines()]
    done = {row["photo"] for row in known}
    engine, other = load_engine(), other_engine()
    with (HERE / "reference.csv").open() as file:
        photos = list(csv.DictReader(file))
    first, step = arguments.part
    photos = [row for row in photos[first::step] if row["file"] not in done]
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    with arguments.into.open("a") as lines, tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for number, photo in enumerate(photos):
            whole = "edge" not in photo["note"] and "cut" not in photo["note"]
            rows = list(rows_of(arguments.photos / photo["file"], whole, engine, other, arguments.keep or Path(folder)))
            lines.write("".join(json.dumps(row) + "\n" for row in rows))
            lines.flush()
            known += rows
            print(number, photo["file"], [outcome(row) for row in rows], flush=True)
    found = judge(known)
    print(json.dumps(found, indent=2))
    if arguments.write:
        (HERE / "results" / "produced.json").write_text(json.dumps(found, indent=2) + "\n")
        (HERE / "results" / "produced.md").write_text(markdown(found))


if __name__ == "__main__":
    main()
