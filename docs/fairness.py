"""Make docs/fairness.md and its plots from the results of benchmarks/fairness.

.venv/bin/python docs/fairness.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from likeness_studio.benchmarks.fairness.intervals import share
from likeness_studio.benchmarks.fairness.people import BANDS
from likeness_studio.benchmarks.fairness.variants import WORDS
from likeness_studio.core.id_photo import table as limits
from likeness_studio.docs.fairness_format import counted, percent, table, with_interval
from likeness_studio.docs.fairness_plots import Axis, Dot, plot
from likeness_studio.docs.fairness_words import BORROWED, END, HOW, INTRO, LOOKED_INTO, NOT_SAID

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_suffix(".md")
RESULTS = ROOT / "benchmarks" / "fairness" / "results"
ENGINES = ("yunet-sface", "insightface/buffalo_s")
BY_CHOICE = ("yunet-sface+dlib", "yunet-dlib")
COLUMNS = (("0.01", "1 in 100"), ("0.001", "1 in 1,000"), ("0.0001", "1 in 10,000"), ("1e-05", "1 in 100,000"))
EVEN = ("even 0.001", "even 0.0001")
FEW = " †"
SHOWN = 10
"""Groups of fewer people are in the tables and not in the plots."""

Result = dict[str, Any]


def read(name: str) -> Result:
    """A file of the results."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def verification(engine: str) -> Result:
    """The results of an engine."""
    return read(f"verification-{engine.replace('/', '-')}")


def named(group: Result) -> str:
    """The group's name, with a mark where it has too few people."""
    few = group.get("few", group["people"] < 30)
    return f"{group['group'][0].upper()}{group['group'][1:]}{FEW if few else ''}"


def strangers(result: Result) -> str:
    """False match rates of every group at every strictness."""
    rows = []
    for group in result["groups"]:
        rates = [group["at"][name]["false_match"] for name, _ in COLUMNS]
        rows.append([named(group), group["people"], f"{rates[0]['total']:,}", *map(with_interval, rates)])
    return table(["Group", "People", "Pairs", *(f"asked: {words}" for _, words in COLUMNS)], rows)


def strangers_of(engine: str) -> Result:
    """The results of benchmarks/fairness/strangers.py for an engine, in the form of `verification`."""
    found = read(f"strangers-{engine}")
    for group in found["groups"]:
        group["at"] = {name: {"false_match": rate} for name, rate in group["at"].items()}
    return found


def refused(result: Result) -> str:
    """False non-matches of every group at the strictness that matter."""
    columns = (*COLUMNS[1:], *((name, f"even, {words}") for name, (_, words) in zip(EVEN, COLUMNS[1:3], strict=True)))
    rows = []
    for group in result["groups"]:
        cells = [counted(group["at"][name]["false_non_match"]) for name, _ in columns]
        made = [group["at"][name]["false_non_match_augmented"] for name in ("0.0001", EVEN[1])]
        rows.append([named(group), *cells, *map(counted, made)])
    head = ["Group", *(words for _, words in columns), "made worse: 1 in 10,000", "made worse: even, 1 in 10,000"]
    return table(head, rows)


def model_error(results: list[Result]) -> str:
    """How far the model lies beside the count at most, where a group has pairs enough."""
    bounds = [
        each for result in results for each in result["even"][0]["groups"].values() if each["counted"] is not None
    ]
    return f"{max(abs(each['expected'] - each['point']) for each in bounds):.3f}"


def asked(result: Result, place: int) -> str:
    """What each group asks of the even threshold at one rate."""
    point = result["even"][place]
    rows = []
    for name, bound in point["groups"].items():
        mark = "" if bound["used"] else FEW
        seen = "too few pairs" if bound["counted"] is None else f"{bound['counted']:.3f}"
        words = f"{name[0].upper()}{name[1:]}{mark}"
        met = (f"{bound[kind]:.3f}" for kind in ("point", "expected"))
        rows.append([words, f"{bound['pairs']:,}", *met, seen, f"{bound['modelled']:.3f}"])
    head = ["Group", "Pairs", "rate met, by count", "rate met, by model", "asked, by count", "asked, by model"]
    return table(head, rows)


def even_cost(results: list[Result]) -> str:
    """What the even thresholds are, whose they are, and what they cost."""
    rows = []
    for result in results:
        everybody = result["groups"][0]["at"]
        for point in result["even"]:
            plain = everybody[f"{point['fmr']:g}"]
            even = everybody[f"even {point['fmr']:g}"]
            rate = f"1 in {round(1 / point['fmr']):,}"
            limit = next(each["threshold"] for each in result["thresholds"] if each["name"] == f"{point['fmr']:g}")
            rows.append(
                [
                    f"`{result['engine']}`, {rate}",
                    f"{limit:.3f}",
                    f"{point['threshold']:.3f}",
                    f"{point['group']}, {point['how']}",
                    f"{with_interval(plain['false_non_match'])}",
                    f"{with_interval(even['false_non_match'])}",
                ]
            )
    head = ["Engine and rate", "plain threshold", "even threshold", "decided by", "refused at the plain", "at the even"]
    return table(head, rows)


def sources() -> list[str]:
    """What the thresholds cost on photos of another source."""
    rows = []
    engines = read("sources")["engines"]
    for engine, result in engines.items():
        for name, each in result["refused"].items():
            counts = with_interval(each["of_people"])
            rows.append([f"`{engine}`, {name}", f"{each['threshold']:.3f}", counts, percent(each["of_pairs"])])
    words = NOT_SAID["sources"].format(**next(iter(engines.values())))
    return [
        words,
        table(["Engine and rate", "threshold", "people refused, by their first photo", "pairs refused"], rows),
    ]


def worst_costs(results: list[Result]) -> Iterator[str]:
    """Whom the even thresholds refuse, in words."""
    for result in results:
        for point in result["even"]:
            name = f"even {point['fmr']:g}"
            costs = [
                f"{group['group']} {counted(group['at'][name]['false_non_match'])}"
                for group in result["groups"]
                if group["kind"] in ("gender", "ethnicity") and group["at"][name]["false_non_match"]["total"] >= SHOWN
            ]
            yield f"- `{result['engine']}`, even, 1 in {round(1 / point['fmr']):,}: {', '.join(costs)}."


def found(result: Result) -> Iterator[str]:
    """Failures to find a face or its mesh, a table for each network of the sizes at which anybody was missed."""
    titles = {"mesh": "the dense landmarks (on the face that YuNet found)"}
    everybody = result["groups"][0]
    for network in result["networks"]:
        missed = [size for size in result["sizes"] if everybody["failures"][size][network]]
        fine = [size for size in result["sizes"] if size not in missed]
        name = titles.get(network, f"`{network}`")
        sizes = ", ".join(map(pixels, fine))
        yield f"By {name} nobody was missed at {sizes}{'; at the others:' if missed else '.'}\n"
        rows = [
            [named(group), group["people"], *(group["failures"][size][network] for size in missed)]
            for group in result["groups"]
            if group["kind"] != KINDS_LEFT_OUT
        ]
        if missed:
            yield table(["Group", "People", *map(pixels, missed)], rows) + "\n"


WHO = {BANDS[0][2]: f"people {BANDS[0][2]}", BANDS[-1][2]: f"people of {BANDS[-1][2]}"}


def smallest(result: Result) -> str:
    """Who is missed where only some are: by detector, gender, and the youngest and the oldest."""
    size, names = "24 in a larger picture", ("women", "men", BANDS[0][2], BANDS[-1][2])
    groups = {group["group"]: group for group in result["groups"]}
    parts = []
    for network in ENGINES:
        missed = [(groups[name]["failures"][size][network] / groups[name]["people"], name) for name in names]
        parts.append(
            f"`{network}` misses " + ", ".join(f"{percent(rate)} of {WHO.get(name, name)}" for rate, name in missed)
        )
    return f"Every face of 48 pixels and more was found by both detectors. At {pixels(size)} {'; '.join(parts)}."


def pixels(size: str) -> str:
    """A size for people: of the whole portrait, or of the face in it."""
    number, _, where = size.partition(" ")
    return f"{int(number):,} px {where}".removesuffix(" portrait")


KINDS_LEFT_OUT = "ethnicity and gender"


def rules(result: Result) -> str:
    """Every rule with how many fail and are uncertain, everybody and by gender and ethnicity."""
    groups = [group for group in result["groups"] if group["kind"] in ("everybody", "gender", "ethnicity", "age")]
    groups = [group for group in groups if group["people"] >= SHOWN]
    rows = []
    for rule in result["rules"]:
        cells = []
        for group in groups:
            entry = group["rules"][rule]
            cells.append(f"{entry['fails']} + {entry['not_passed'] - entry['fails']}" if entry["of"] else "–")
        rows.append([limits()[rule].title, *cells])
    return table(["Rule", *(f"{named(group)} ({group['people']})" for group in groups)], rows)


def rates_of_rules(result: Result) -> str:
    """Pass rates with intervals of the rules that are uneven for any group, and of those that ask most of a face."""
    wanted = list(dict.fromkeys([*(each["rule"] for each in result["uneven"]), *WATCHED]))
    groups = [group for group in result["groups"] if group["kind"] in ("everybody", "gender", "ethnicity")]
    groups = [group for group in groups if group["people"] >= SHOWN]
    rows = [
        [limits()[rule].title, *(not_passed(group["rules"][rule]) for group in groups)]
        for rule in result["rules"]
        if rule in wanted
    ]
    return table(["Rule: not passed", *(f"{named(group)} ({group['people']})" for group in groups)], rows)


def not_passed(entry: Result) -> str:
    """A share of people with its interval."""
    return with_interval(share(entry["not_passed"], entry["of"]).as_dict())


WATCHED = ("left_eye_open", "right_eye_open", "natural_colour", "under_exposure", "over_exposure", "dynamic_range")
"""Rules by which checks of photos have been unfair elsewhere: eyes, and the light on dark and pale skin."""


def uneven(result: Result, *, sure: bool) -> Iterator[str]:
    """The differences that are no chance, or that may be, in words."""
    found = [each for each in result["uneven"] if each["sure"] is sure]
    kinds = {group["group"]: group["kind"] for group in result["groups"]}
    words = {"ethnicity": "{} people", "age": "people of {}"}
    if not found:
        yield "None."
    for each in sorted(found, key=lambda each: result["rules"].index(each["rule"])):
        verb = "fail" if each["kind"] == "fails" else "fail or are uncertain"
        own, others = each["count"] / each["total"], each["others"] / each["others_total"]
        group = words.get(kinds[each["group"]], "{}").format(each["group"])
        yield (
            f"- **{limits()[each['rule']].title}**: {each['count']} of {each['total']} {verb} among {group} "
            f"({percent(own)}), {each['others']} of {each['others_total']} among all others ({percent(others)}); "
            f"p = {each['p']:.1g}."
        )


def looked_into(result: Result) -> str:
    """What was found out about rules that are uneven, with the figures of today."""
    groups = {group["group"]: group["rules"] for group in result["groups"]}
    failed, rest_failed = beside_others(groups, "natural_colour", "fails")
    eyes_doubtful, rest_doubtful = beside_others(groups, "eyes_visible", "not_passed")
    return LOOKED_INTO.format(
        brown=failed,
        rest=rest_failed,
        asian=groups["Asian"]["left_eye_open"]["of"],
        eyes_brown=eyes_doubtful,
        eyes_rest=rest_doubtful,
        eyes_failed=groups["Black"]["eyes_visible"]["fails"] or "nobody",
    )


def beside_others(groups: dict[str, Result], rule: str, kind: str) -> tuple[str, str]:
    """How many Black people, and how many others, fail or do not pass a rule, as "4 of 174"."""
    own, everybody = groups["Black"][rule], groups["everybody"][rule]
    return f"{own[kind]} of {own['of']}", f"{everybody[kind] - own[kind]} of {everybody['of'] - own['of']}"


def people(result: Result) -> str:
    """Who was measured."""
    rows = [
        [named(group), group["people"], group["at"]["0.001"]["false_non_match"]["total"]] for group in result["groups"]
    ]
    return table(["Group", "People", "with two different photos"], rows)


def in_short(results: list[Result], rules_of: Result, faces: Result) -> Iterator[str]:
    """The findings, each with its figures."""
    for result in results:
        large = [group for group in result["groups"] if not group["few"]]
        worst = max(large, key=lambda group: group["at"]["0.001"]["false_match"]["rate"])
        overall, there = (each["at"]["0.001"]["false_match"] for each in (large[0], worst))
        doubt = "" if there["low"] > overall["high"] else ", though of so few people that may be chance"
        yield (
            f"- **{result['engine']}** at `standard (1 in 1,000)`, where 0.1 % of strangers should pass: of pairs of "
            f"any two of these people {with_interval(overall)} pass, of pairs of two {worst['group']} "
            f"{with_interval(there)}. That is {there['rate'] / overall['rate']:.0f} times as many{doubt}."
        )
    first, second = results[0]["even"]
    even = [results[0]["groups"][0]["at"][name]["false_non_match"] for name in EVEN]
    yield (
        f"- `even across groups` puts the threshold of `{ENGINES[0]}` to {first['threshold']:.3f} (1 in 1,000) and "
        f"{second['threshold']:.3f} (1 in 10,000). Of two real photos of one person it then refuses "
        f"{counted(even[0])} and {counted(even[1])}; of press photos many more, see below."
    )
    yield f"- {smallest(faces)}"
    sure = {each["rule"] for each in rules_of["uneven"] if each["sure"]}
    doubtful = {each["rule"] for each in rules_of["uneven"]} - sure
    for names, words in ((sure, "uneven between groups beyond chance"), (doubtful, "perhaps uneven")):
        titles = ", ".join(limits()[name].title for name in rules_of["rules"] if name in names) or "none"
        yield f"- Of {len(rules_of['rules'])} rules of the ID photo check, {words}: {titles}."


def strangers_plot(results: list[Result]) -> str:
    """False matches of each group at `standard`."""
    groups = [group for group in results[0]["groups"] if group["people"] >= SHOWN]
    dots = []
    for series, result in enumerate(results):
        by_name = {group["group"]: group for group in result["groups"]}
        for row, group in enumerate(groups):
            rate = by_name[group["group"]]["at"]["0.001"]["false_match"]
            middle = rate["rate"] or None
            dots.append(Dot(row, series, rate["low"] or 1e-4, middle, rate["high"], group["few"]))
    ticks = [(1e-4, "0.01 %"), (1e-3, "0.1 %"), (1e-2, "1 %"), (1e-1, "10 %")]
    axis = Axis(1e-4, 0.2, ticks, "strangers of the same group who pass, with 95 % intervals", tenfold=True)
    rows = [f"{group['group']} ({group['people']})" for group in groups]
    title = "Strangers who pass at standard (1 in 1,000)"
    return plot(title, rows, [result["engine"] for result in results], dots, axis, [(1e-3, -1, "asked: 1 in 1,000")])


def thresholds_plot(results: list[Result]) -> str:
    """What each group asks of the threshold at 1 in 1,000."""
    first = results[0]["even"][0]["groups"]
    names, dots, lines = list(first), [], []
    sizes = {group["group"]: group["people"] for group in results[0]["groups"]}
    for series, result in enumerate(results):
        point = result["even"][0]
        for row, name in enumerate(names):
            bound = point["groups"][name]
            top = max(bound["threshold"], bound["expected"])
            dots.append(Dot(row, series, bound["expected"], bound["expected"], top, not bound["used"]))
        plain = next(each["threshold"] for each in result["thresholds"] if each["name"] == "0.001")
        lines += [(plain, series, "plain"), (point["threshold"], series, "even")]
    ticks = [(each / 100, f"{each / 100:.2f}") for each in range(20, 56, 5)]
    axis = Axis(0.2, 0.55, ticks, "cosine: from where the rate is met (by the model) to what is asked to be sure")
    title = "The threshold each group asks for 1 in 1,000; dashed: plain and even"
    rows = [f"{name} ({sizes[name]})" for name in names]
    return plot(title, rows, [result["engine"] for result in results], dots, axis, lines)


def page() -> str:
    """The whole page."""
    results, faces, checks = [verification(engine) for engine in ENGINES], read("detection"), read("compliance")
    one = results[0]
    pairs = {
        "people": one["people"],
        "pairs": f"{one['pairs_of_different_people']:,}",
        "same": " and ".join(
            f"{each['left_out_as_one_picture']} fell out and {each['pairs_of_different_photos']} remained with "
            f"`{each['engine']}`"
            for each in results
        ),
        "date": one["date"],
        "apart": model_error(results),
        "checked": checks["people"],
        "variants": "\n".join(f"- {name}: {words}" for name, words in WORDS.items()),
    }
    parts = [INTRO.format(**pairs), "## In short", "\n".join(in_short(results, checks, faces)), "## Who was measured"]
    parts += [people(one), HOW.format(**pairs), "## Strangers taken for the person"]
    parts += ["![Strangers who pass, by group](fairness_strangers.svg)"]
    for result in results:
        parts += [f"`{result['engine']}`: share of pairs of two people of the group that pass.", strangers(result)]
    for result in map(strangers_of, BY_CHOICE):
        parts += [f"`{result['engine']}`, on {result['date']} (its other error was not measured):", strangers(result)]
    parts += ["## The person not recognised", NOT_SAID["refused"]]
    for result in results:
        parts += [f"`{result['engine']}`:", refused(result)]
    parts += ["## A threshold with the worst group in mind", NOT_SAID["even"].format(**pairs), even_cost(results)]
    parts += ["Refused by group, of two different photos of one person:", "\n".join(worst_costs(results)), *sources()]
    parts += ["![What each group asks](fairness_thresholds.svg)"]
    for result in results:
        parts += [f"`{result['engine']}`, 1 in 1,000, what each group asks (cosine):", asked(result, 0)]
        parts += [f"`{result['engine']}`, 1 in 10,000:", asked(result, 1)]
    parts += ["## Faces that are not found", NOT_SAID["found"], "\n".join(found(faces)).rstrip()]
    parts += ["## The rules of ID photos", NOT_SAID["rules"].format(**pairs), "Uneven beyond chance:"]
    parts += ["\n".join(uneven(checks, sure=True)), NOT_SAID["doubtful"], "\n".join(uneven(checks, sure=False))]
    parts += [looked_into(checks).rstrip()]
    parts += [rates_of_rules(checks), "All rules, as *fails + uncertain*:", rules(checks)]
    return "\n\n".join([*parts, BORROWED, END]).rstrip() + "\n"


def files() -> dict[Path, str]:
    """Everything that this command writes."""
    results = [verification(engine) for engine in ENGINES]
    return {
        PAGE: page(),
        PAGE.with_name("fairness_strangers.svg"): strangers_plot(results),
        PAGE.with_name("fairness_thresholds.svg"): thresholds_plot(results),
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
