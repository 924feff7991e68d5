"""How often each rule of the ID photo check is kept by portraits of each group of people.

    python benchmarks/fairness/compliance.py measure --house us-senate --house us-house --into /tmp/fairness-rules.jsonl
    python benchmarks/fairness/compliance.py judge --house us-senate --house us-house /tmp/fairness-rules.jsonl --write

`measure` takes every measure of the whole check (`likeness check --document icao --uncut`) on each official portrait
as it is; `judge` holds the figures against the limits of today. The portraits were not taken as ID photos: many smile,
wear glasses or stand before flags, and fail for that. What matters is whether one group fails more than another where
the photos give no reason. People are taken in turn from every ethnicity and gender, so that a run that was stopped has
the small groups whole.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from scipy.stats import fisher_exact

from likeness_studio.benchmarks.fairness.people import Person, add_people, groups_of, read_people
from likeness_studio.benchmarks.fairness.results_file import write
from likeness_studio.core.errors import LikenessError
from likeness_studio.core.faces import load_engine
from likeness_studio.core.id_photo import About, judge_all, measure_all
from likeness_studio.core.id_photo.documents import document as document_of
from likeness_studio.core.imaging import load_photo
from likeness_studio.core.models import runtimes as onnx
from likeness_studio.core.models import store
from likeness_studio.core.portrait import normalisation_for
from likeness_studio.core.portrait.matte import matte
from likeness_studio.core.quality import Measure, Outcome

DOCUMENT, MATTE = "icao", "u2net"
UNEVEN, DOUBTFUL = 0.001, 0.01
"""Probabilities of coming about by chance below which a difference between a group and everybody else is called one,
and below which it is worth a look. Several hundred differences are looked at, so that a few of the second kind are
chance."""

MIRROR = "men"
"""All others of women: one of both is enough."""

LEAST = 10
"""Smaller groups are not compared with the others."""


def in_turn(people: list[Person]) -> list[Person]:
    """Everybody, one of each ethnicity and gender after another."""
    kinds = [group.members for group in groups_of(people) if group.kind == "ethnicity and gender"]
    return [people[place] for row in zip_longest(*kinds) for place in row if place is not None]


def measure(arguments: argparse.Namespace) -> None:
    engine, document = load_engine(device="cpu"), document_of(DOCUMENT)
    people = read_people(arguments.house, None)
    done = {row["person"] for row in read(arguments.into)} if arguments.into.is_file() else set()
    with arguments.into.open("a") as lines:
        for person in track(in_turn(people)[slice(*arguments.people)], description="rules"):
            if person.id in done:
                continue
            photo = load_photo(person.portrait)[0][0]
            alpha = matte(photo[None], onnx.session(store.path(MATTE)), normalisation_for(MATTE))[0]
            row: dict[str, Any] = {"person": person.id, "faces": 0, "measures": {}}
            try:
                seen = measure_all(photo, engine, document, alpha, About(uncut=True))
                row["faces"] = len(seen.faces)
                row["measures"] = {each.name: [each.value, each.unit, each.uncertainty] for each in seen.measures}
            except LikenessError as error:
                row["error"] = error.code
            lines.write(json.dumps(row) + "\n")
            lines.flush()


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines() if line.strip()]


def outcomes(row: dict[str, Any]) -> dict[str, Outcome]:
    """What today's limits make of one portrait, by rule."""
    measures = [Measure(name, value, unit, error) for name, (value, unit, error) in row["measures"].items()]
    checks = judge_all(measures, document_of(DOCUMENT), row["faces"], uncut=True)
    return {check.name: check.outcome for check in checks}


def asked(judged: dict[str, dict[str, Outcome]]) -> list[str]:
    """Rules that were held against anything, in the order of a report."""
    names = list(next(iter(judged.values())))
    beside = (Outcome.NOT_ASKED, Outcome.NOT_MEASURED)
    return [name for name in names if any(found[name] not in beside for found in judged.values())]


def summary(people: list[Person], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Pass, uncertain and fail by group and rule, and the median of what was measured."""
    judged = {row["person"]: outcomes(row) for row in rows}
    measured = {row["person"]: row["measures"] for row in rows}
    known = [person for person in people if person.id in judged]
    rules = asked(judged)
    groups: list[dict[str, Any]] = []
    for group in groups_of(known):
        ids = [known[place].id for place in group.members]
        entry: dict[str, Any] = {"kind": group.kind, "group": group.name, "people": len(ids), "rules": {}}
        for rule in rules:
            found = [judged[each][rule] for each in ids]
            found = [each for each in found if each not in (Outcome.NOT_ASKED, Outcome.NOT_MEASURED)]
            fails, unsure = found.count(Outcome.FAIL), found.count(Outcome.UNCERTAIN)
            values = [measured[each][rule][0] for each in ids if rule in measured[each]]
            values = [each for each in values if each is not None]
            entry["rules"][rule] = {
                "fails": fails,
                "not_passed": fails + unsure,
                "of": len(found),
                "median": round(float(np.median(values)), 4) if values else None,
            }
        groups.append(entry)
    everybody = groups[0]["rules"]
    return {
        "uneven": [
            found
            for entry in groups[1:]
            if entry["people"] >= LEAST and entry["group"] != MIRROR
            for rule in rules
            for found in uneven(entry["group"], rule, entry["rules"][rule], everybody[rule])
        ],
        "document": DOCUMENT,
        "people": len(known),
        "of": len(people),
        "not_measured": sum("error" in row for row in rows),
        "rules": rules,
        "groups": groups,
    }


def uneven(group: str, rule: str, own: dict[str, Any], everybody: dict[str, Any]) -> list[dict[str, Any]]:
    """Whether a group fails a rule, or does not pass it, more or less often than all others: Fisher's exact test."""
    found = []
    for kind in ("fails", "not_passed"):
        count, total = own[kind], own["of"]
        others, rest = everybody[kind] - count, everybody["of"] - total
        if not total or not rest:
            continue
        chance = float(fisher_exact([[count, total - count], [others, rest - others]]).pvalue)  # type: ignore[union-attr]
        row = {"rule": rule, "group": group, "kind": kind, "count": count, "total": total}
        found.append(row | {"others": others, "others_total": rest, "p": float(f"{chance:.1e}")})
    clearest = sorted(found, key=lambda each: each["p"])[:1]
    return [each | {"sure": each["p"] < UNEVEN} for each in clearest if each["p"] < DOUBTFUL]


def judge(arguments: argparse.Namespace) -> None:
    people = read_people(arguments.house, None)
    rows = list({row["person"]: row for file in arguments.measured for row in read(file)}.values())
    result: dict[str, Any] = {"date": datetime.date.today().isoformat()} | summary(people, rows)
    for rule in result["rules"]:
        line = [
            f"{entry['group']} {counts['fails']}+{counts['not_passed'] - counts['fails']}/{counts['of']}"
            for entry in result["groups"]
            if entry["kind"] in ("everybody", "gender", "ethnicity") and entry["people"] >= LEAST
            for counts in [entry["rules"][rule]]
        ]
        print(f"{rule:24}", "; ".join(line))
    for found in result["uneven"]:
        print(found)
    if arguments.write:
        write("compliance", result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    first = parts.add_parser("measure")
    add_people(first)
    first.add_argument("--into", type=Path, required=True, help="file for a line of JSON per person; it is resumed")
    first.add_argument("--people", type=int, nargs=2, default=(0, None), help="only these, to share the work")
    first.set_defaults(work=measure)
    second = parts.add_parser("judge")
    add_people(second)
    second.add_argument("measured", type=Path, nargs="+", help="what `measure` wrote")
    second.add_argument("--write", action="store_true", help="write results/compliance.json")
    second.set_defaults(work=judge)
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    arguments.work(arguments)


if __name__ == "__main__":
    main()
