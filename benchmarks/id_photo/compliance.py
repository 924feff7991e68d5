"""The whole check against planted faults: what is caught by the right rule, and what is said of clean photos.

    python benchmarks/id_photo/compliance.py measure --photos DIR --chosen portraits.csv --into measured.jsonl
    python benchmarks/id_photo/compliance.py judge measured.jsonl... [--labels portraits.csv] [--write]

`measure` makes an ID photo of each portrait: its person before an even light wall (faults/photometric.py), cut by Make
ID Photo. That is the clean photo. Every fault is then planted into it, at a strength drawn at random between the
mildest that must be caught and the plainest, and every measure of the whole check is taken again: the matte, the mesh,
the head. `judge` holds the figures against the limits of today, so that limits can be changed without measuring again.

A fault counts for a photo only where the clean photo passes the rules that must object to it: nobody can close an eye
that is closed already. A photo with glasses, a smile or an open mouth is not clean for these rules: the list of such
photos is made by eye (`--labels`, a CSV of photo and rules that it breaks).
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import json
import os
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from faults import face, framing, photometric
from PIL import Image

from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.errors import LikenessError
from likeness_studio.core.faces import FaceEngine, load_engine
from likeness_studio.core.id_photo import About, MakeOptions, TensorSource, judge_all, make_id_photo, measure_all, table
from likeness_studio.core.id_photo.documents import document as document_of
from likeness_studio.core.imaging import SUFFIXES, load_photo
from likeness_studio.core.models import runtimes as onnx
from likeness_studio.core.models import store
from likeness_studio.core.portrait import normalisation_for
from likeness_studio.core.portrait.matte import matte
from likeness_studio.core.quality import Measure, Outcome, look_at

RESULTS = Path(__file__).parent / "results"
NOTES = Path(__file__).with_name("compliance_notes.md")
"""What a person found on looking at the pictures: it follows the tables."""

MATTE = "u2net"
"""What `likeness check` and the nodes take unless told otherwise."""

CLEAN = "clean"

RULES = {
    "defocus": ("sharpness",),
    "motion": ("sharpness",),
    "under_exposure": ("under_exposure",),
    "over_exposure": ("over_exposure",),
    "side_light": ("illumination_uniformity",),
    "colour_cast": ("natural_colour",),
    "washed_out": ("dynamic_range",),
    "patterned_background": ("background_uniformity", "background_pattern"),
    "background_shadow": ("background_shadow", "background_uniformity"),
    "heavy_jpeg": ("compression",),
    "enlarged": ("resolution", "sharpness"),
    **framing.MEASURES,
    **{name: fault.measures for name, fault in face.FAULTS.items()},
}
"""The rules of which any must object to a fault."""

MILDEST = {**dict.fromkeys(photometric.FAULTS, 1.0), **dict.fromkeys(framing.FAULTS, 0.0)}
"""The strength from which a fault must be caught, as the files of faults/ define it; the plainest is 1."""

PLANTED = {
    "defocus": "a disc of 7 % of the eye distance",
    "motion": "a line of 11 % of the eye distance",
    "under_exposure": "three stops too dark",
    "over_exposure": "35 % of the face past white",
    "side_light": "one cheek 2.5 stops darker",
    "colour_cast": "light of four other colours",
    "washed_out": "a third of the tones left",
    "patterned_background": "bricks, stripes, lights",
    "background_shadow": "45 % darker beside the head",
    "heavy_jpeg": "quality 10, colour halved",
    "enlarged": "28 pixels between the eyes",
    "tilt": "10 to 20°",
    "yaw": "20 to 26°, bent from the mesh",
    "closed_eyes": "lids painted from skin",
    "one_closed_eye": "the same, one eye",
    "open_mouth": "lower lip and jaw down by 9 to 20 % of the eye-chin distance",
    "dark_glasses": "grey to black lenses",
    "glasses_glare": "frames, and a window, lamp or flash on the lenses",
    "glare_on_own_glasses": "the same without frames",
    "hat": "a cap or a knitted hat",
    "mask": "cloth over nose and mouth",
    "hand": "fingers over part of the face",
    "off_centre": "8 to 18 % of the width",
    "small_head": "80 to 55 % of the size",
    "large_head": "122 to 140 % of the size",
    "low_head": "lower by 12 to 20 % of the height",
}
"""What is planted, for people: from the mildest to the plainest, or at one strength."""

ASKED = (
    *("defocus", "under_exposure", "over_exposure", "tilt", "yaw", "closed_eyes", "open_mouth", "glasses_glare"),
    *("off_centre", "small_head", "patterned_background", "heavy_jpeg"),
)
"""The faults that the goal names: 95 % of at least 30 each, at no more than 5 % false alarms. The others follow."""

FORMED = ("file_compression", "file_size", "file_format", "print_size", "unaltered")
"""Rules about a file, which a tensor has not."""


def plants() -> dict[str, Callable[..., torch.Tensor]]:
    """Every fault by name."""
    return photometric.FAULTS | framing.FAULTS | {name: fault.plant for name, fault in face.FAULTS.items()}


def person(photo: torch.Tensor, kept: Path | None = None) -> torch.Tensor:
    """The person's matte [H,W] in eight bits; of a photo seen before it is read from the folder `kept`."""
    name = hashlib.sha256(photo.contiguous().numpy().tobytes()).hexdigest()[:32]
    file = kept / f"{name}.png" if kept else None
    if file is None or not file.is_file():
        found = matte(photo[None], onnx.session(store.path(MATTE)), normalisation_for(MATTE))[0]
        picture = Image.fromarray((found.clamp(0, 1) * 255).round().to(torch.uint8).numpy())
        if file is None:
            return torch.from_numpy(np.asarray(picture, np.float32) / 255)
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(file)
    with Image.open(file) as picture:
        return torch.from_numpy(np.asarray(picture, np.float32) / 255)


def measure(args: argparse.Namespace) -> None:
    """Write a line of JSON for each photo with each fault."""
    engine, document = load_engine(), document_of(args.document)
    files = sorted(file for file in args.photos.iterdir() if file.suffix.lower() in SUFFIXES)
    if args.chosen:
        names = set(read_labels(args.chosen))
        files = [file for file in files if file.name in names]
    part, parts = args.part
    files = files[:: args.every][: args.count][part - 1 :: parts]
    done = {(row["photo"], row["fault"]) for row in read(args.into)} if args.into.is_file() else set()
    with args.into.open("a", encoding="utf-8") as lines:
        for number, file in enumerate(files):
            for fault, strength, picture in spoilt(file, engine, document, args, done):
                row = {
                    "photo": file.name,
                    "fault": fault,
                    "strength": strength,
                    **look(picture, engine, document, args.mattes),
                }
                lines.write(json.dumps(row) + "\n")
                lines.flush()
            print(f"{number + 1} of {len(files)}: {file.name}", flush=True)


def spoilt(
    file: Path, engine: FaceEngine, document: Any, args: argparse.Namespace, done: set[tuple[str, str]]
) -> Iterator[tuple[str, float, torch.Tensor]]:
    """The clean ID photo of a portrait, and the same with each fault that is still to be measured."""
    wanted = [
        name for name in (CLEAN, *plants()) if (not args.only or name in args.only) and (file.name, name) not in done
    ]
    if not wanted:
        return
    rng = np.random.default_rng(zlib.crc32(file.name.encode()))
    photo = load_photo(file)[0][0]
    try:
        alpha = person(photo, args.mattes)
        walled = photometric.on_plain_wall(photo, look_at(photo, engine, alpha, policy=FacePolicy.LARGEST), rng)
        clean = make_id_photo(TensorSource(walled), engine, MakeOptions(document, largest=True), alpha).picture[0]
        portrait = look_at(clean, engine, person(clean, args.mattes), policy=FacePolicy.LARGEST)
    except LikenessError as error:
        print(f"{file.name}: {error}")
        return
    if CLEAN in wanted:
        yield CLEAN, 0.0, clean
    for name, plant in plants().items():
        draw = np.random.default_rng(zlib.crc32(f"{file.name} {name}".encode()))
        low = MILDEST.get(name, 0.0)
        strength = low + (1 - low) * float(draw.uniform())
        if name in wanted:
            yield name, strength, plant(clean, portrait, strength, draw).float().clamp(0, 1)


def look(picture: torch.Tensor, engine: FaceEngine, document: Any, mattes: Path | None) -> dict[str, Any]:
    """Every measure of one photo as data."""
    seen = measure_all(picture, engine, document, person(picture, mattes), About())
    measures = {each.name: [each.value, each.unit, each.uncertainty] for each in seen.measures}
    return {"faces": len(seen.faces), "document": document.id, "measures": measures}


def read(file: Path) -> list[dict[str, Any]]:
    """The lines of a file that `measure` wrote."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def outcomes(row: dict[str, Any]) -> dict[str, Outcome]:
    """What today's limits make of one photo, by rule."""
    measures = [Measure(name, value, unit, error) for name, (value, unit, error) in row["measures"].items()]
    checks = judge_all(measures, document_of(row["document"]), row["faces"])
    return {check.name: check.outcome for check in checks}


@dataclass
class Tally:
    """How often a fault, or a clean photo, ended so."""

    photos: int = 0
    caught: int = 0
    unsure: int = 0
    others: int = 0
    refused: int = 0


def tally(rows: list[dict[str, Any]], labels: dict[str, set[str]]) -> tuple[dict[str, Tally], dict[str, Tally]]:
    """By fault what became of it, and by rule what it says of clean photos."""
    judged = {(row["photo"], row["fault"]): outcomes(row) for row in rows}
    faults: dict[str, Tally] = defaultdict(Tally)
    alarms: dict[str, Tally] = defaultdict(Tally)
    for (photo, fault), found in judged.items():
        broken = labels.get(photo, set())
        if fault == CLEAN:
            for rule, outcome in found.items():
                if rule in broken or rule in FORMED or outcome in (Outcome.NOT_ASKED, Outcome.NOT_MEASURED):
                    continue
                alarms[rule].photos += 1
                alarms[rule].caught += outcome is Outcome.FAIL
                alarms[rule].unsure += outcome is Outcome.UNCERTAIN
            continue
        clean, rules = judged.get((photo, CLEAN)), RULES[fault]
        if clean is None or set(rules) & broken or any(clean.get(rule) is Outcome.FAIL for rule in rules):
            continue
        count = faults[fault]
        count.photos += 1
        right = {found.get(rule) for rule in rules}
        no_face = found.get("faces") is Outcome.FAIL
        count.caught += Outcome.FAIL in right
        count.unsure += Outcome.FAIL not in right and Outcome.UNCERTAIN in right
        fresh = {rule for rule, outcome in found.items() if outcome is Outcome.FAIL and clean.get(rule) != outcome}
        count.others += not (right & {Outcome.FAIL, Outcome.UNCERTAIN}) and bool(fresh)
        count.refused += bool(fresh) or no_face
    return faults, alarms


def judge(args: argparse.Namespace) -> None:
    """Print the tables, and with --write commit them to results/."""
    rows, labels = [row for file in args.measured for row in read(file)], read_labels(args.labels)
    if args.half:
        chosen = set(sorted({row["photo"] for row in rows})[args.half - 1 :: 2])
        rows = [row for row in rows if row["photo"] in chosen]
    faults, alarms = tally(rows, labels)
    text = markdown(rows, faults, alarms)
    print(text)
    if args.write:
        RESULTS.mkdir(exist_ok=True)
        values = {
            "date": datetime.date.today().isoformat(),
            "photos": len({row["photo"] for row in rows}),
            "document": rows[0]["document"],
            "faults": {name: vars(count) for name, count in faults.items()},
            "clean": {name: vars(count) for name, count in alarms.items()},
        }
        (RESULTS / "compliance.json").write_text(json.dumps(values, indent=2) + "\n", "utf-8")
        (RESULTS / "compliance.md").write_text(text, "utf-8")


def read_labels(file: Path | None) -> dict[str, set[str]]:
    """The rules that a photo breaks by nature, by photo: columns photo and rules, the rules with spaces between."""
    if file is None:
        return {}
    with file.open(encoding="utf-8", newline="") as lines:
        return {row["photo"]: set(row["rules"].split()) for row in csv.DictReader(lines)}


def share(part: int, whole: int) -> str:
    """A share for people."""
    return f"{part / whole:.1%}".replace("%", " %") if whole else "–"


def markdown(rows: list[dict[str, Any]], faults: dict[str, Tally], alarms: dict[str, Tally]) -> str:
    """The tables, and what was found on looking."""
    photos = len({row["photo"] for row in rows})
    lines = [
        "# The whole check against planted faults",
        "",
        "    cd benchmarks/id_photo",
        "    python compliance.py measure --photos DIR --chosen portraits.csv --into measured.jsonl",
        "    python compliance.py judge measured.jsonl --labels portraits.csv --write",
        "",
        f"{datetime.date.today():%d %B %Y}: {photos} portraits of github.com/CivilServiceUSA/us-house (portraits.csv)",
        f"as `{rows[0]['document']}` photos before a plain wall; mattes by {MATTE}, no face parser. A fault counts",
        "where the clean photo does not fail the right rules, by them and by eye. *Fails*: a right rule fails. *Or",
        "uncertain*: it fails, or says that a person must look. *Only others*: the right rules pass, and another one",
        "fails that did not before. *Refused*: the photo fails by any rule by which its clean photo does not.",
        "",
        "## The faults of the goal",
        "",
        *fault_table(faults, ASKED),
        "",
        "## Other faults",
        "",
        *fault_table(faults, [name for name in RULES if name not in ASKED]),
        "",
        "## Clean photos",
        "",
        "| Rule | Photos | False alarms: fails | Uncertain |",
        "|---|---:|---:|---:|",
    ]
    for name in table():
        if name in alarms:
            count = alarms[name]
            fails, unsure = share(count.caught, count.photos), share(count.unsure, count.photos)
            lines.append(f"| {name} | {count.photos} | {fails} | {unsure} |")
    return "\n".join(lines) + "\n\n" + NOTES.read_text("utf-8")


def fault_table(faults: dict[str, Tally], names: Iterable[str]) -> list[str]:
    """The lines of a table of faults; those that were not measured are left out."""
    lines = [
        "| Fault | Planted | Right rule | Photos | Fails | Or uncertain | Only others | Refused |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for name in names:
        if name not in faults:
            continue
        count = faults[name]
        flagged = share(count.caught + count.unsure, count.photos)
        caught, refused = share(count.caught, count.photos), share(count.refused, count.photos)
        words = (name.replace("_", " "), PLANTED[name], ", ".join(RULES[name]), count.photos, caught, flagged)
        lines.append("| " + " | ".join(map(str, (*words, count.others, refused))) + " |")
    return lines


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    first = parts.add_parser("measure")
    first.add_argument("--photos", type=Path, required=True)
    first.add_argument("--into", type=Path, required=True)
    first.add_argument("--chosen", type=Path, help="a CSV with the names of the photos to take, in a column photo")
    first.add_argument("--count", type=int)
    first.add_argument("--every", type=int, default=1, help="take every n-th photo of the folder")
    first.add_argument("--mattes", type=Path, help="a folder in which mattes are kept, so that they are made once")
    first.add_argument("--document", default="icao")
    first.add_argument("--part", type=int, nargs=2, default=(1, 1), help="which of how many, for several processes")
    first.add_argument("--only", nargs="*", default=[], help="only these faults")
    first.set_defaults(work=measure)
    second = parts.add_parser("judge")
    second.add_argument("measured", type=Path, nargs="+")
    second.add_argument("--labels", type=Path)
    second.add_argument("--half", type=int, choices=(1, 2), help="only every second person, to choose limits on")
    second.add_argument("--write", action="store_true")
    second.set_defaults(work=judge)
    args = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    args.work(args)


if __name__ == "__main__":
    main()
