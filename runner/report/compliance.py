"""What pages show of photos judged by rules, of pictures that were compared, and of stages that were measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ...core.imaging.chart import Chart, chart_of
from ...core.outcomes import BAD, LIKENESS, RULES, SELFIE, Tone, heading_of
from ..backends.base import RunResult
from ..errors import OutputUnwritable
from .html import LARGE, SMALL, finite, mappings, thumbnail
from .svg_chart import mark, svg

BLANK = dict.fromkeys(("label", "outcome", "passed", "cosine", "reason"))
"""What is said of a picture of which a server says nothing."""


def comparison(result: RunResult, report: Mapping[str, Any]) -> dict[str, Any]:
    """One comparison: its plot, its grid where the run has it, and a row for each picture."""
    pictures = [BLANK | dict(picture) for picture in mappings(report.get("pictures"))]
    chart = _chart(report, pictures)
    sheet = next((thumbnail(file.path, 2 * LARGE) for file in result.previews if file.node == report["node"]), None)
    names = [series.name for series in chart.series]
    legend: list[tuple[Markup, str]] = [(mark(place), name) for place, name in enumerate(names)]
    return {
        "report": report,
        "plot": svg(chart, f"Likeness against {chart.x_label}") if chart.points else None,
        "legend": legend if len(names) > 1 else [],
        "sheet": sheet and sheet.uri,
        "rows": [{"picture": picture, "word": heading_of(LIKENESS, picture.get("outcome"))} for picture in pictures],
    }


def _chart(report: Mapping[str, Any], pictures: Sequence[Mapping[str, Any]]) -> Chart:
    own, baseline = report.get("baseline"), None
    if isinstance(own, Mapping):
        low, middle = finite(own.get("low")), finite(own.get("median"))
        baseline = None if low is None or middle is None else (low, middle)
    entries = []
    for picture in pictures:
        label, series = str(picture.get("label") or ""), str(picture.get("series") or "")
        cosine = finite(picture.get("cosine"))
        words = label.removeprefix(series).lstrip(" ·") or label
        known = LIKENESS.get(str(picture.get("outcome")))
        problem = "" if cosine is not None else "no usable face" if known is None else known.heading
        entries.append((series, words, finite(picture.get("value")), () if cosine is None else (cosine,), problem))
    return chart_of(entries, str(report.get("axis") or "value"), finite(report.get("threshold")), baseline)


def stages(result: RunResult) -> list[dict[str, Any]]:
    """The measured stages with their share of the longest one; seconds are None where nothing was measured."""
    found = [
        {
            "name": str(entry.get("name") or entry["title"]),
            "seconds": finite(entry.get("seconds")),
            "memory": finite(entry.get("peak_memory_bytes")),
            "device": str(entry.get("device") or ""),
            "cached": entry["cached"],
        }
        for entry in result.measured
    ]
    longest = max((entry["seconds"] or 0.0 for entry in found), default=0.0)
    return [
        entry | {"width": round(100 * (entry["seconds"] or 0.0) / longest, 1) if longest else 0.0} for entry in found
    ]


HTML_NAME, JSON_NAME = "compliance.html", "compliance.json"

SHARP = 1400
"""Longest side of the picture with the measured lines: their letters must stay legible."""

LISTED = frozenset({*RULES, "not measured"})
"""Outcomes of rules that are shown one by one; what is not asked is only counted."""


def shown_verdict(report: Mapping[str, Any]) -> tuple[str, Tone]:
    """Heading and colour of a report's verdict; one that is not known stands for itself and is bad."""
    verdict, words = str(report.get("verdict")), SELFIE if report.get("kind") == "selfie" else RULES
    return heading_of(words, verdict), RULES[verdict].tone if verdict in RULES else BAD


def rule_tag(outcome: Any) -> str:
    """The class of a rule's tag; empty for one that was neither met nor broken."""
    known = RULES.get(str(outcome))
    return "" if known is None else known.tone.tag


@dataclass(frozen=True)
class Checked:
    """One photo's report as data, and the files of the photo and of the picture with the measured lines."""

    report: Mapping[str, Any]
    photo: Path | None = None
    overlay: Path | None = None


def card(report: Mapping[str, Any], overlay: Path | None, photo: Path | None = None) -> dict[str, Any]:
    """What the template draws of one photo. The report may come from a server: nothing in it is taken for granted."""
    checks = [dict(check) for check in mappings(report.get("checks"))]
    for check in checks:
        check["style"] = rule_tag(check.get("outcome"))
    groups: dict[str, list[dict[str, Any]]] = {}
    for check in checks:
        if check.get("outcome") in LISTED:
            groups.setdefault(str(check.get("group") or ""), []).append(check)
    shown = thumbnail(overlay, SHARP) if overlay else None
    pictured = photo or overlay
    small = thumbnail(pictured, SMALL) if pictured else None
    word, tone = shown_verdict(report)
    return {
        "report": report,
        "name": str(report.get("name") or ""),
        "headline": str(report.get("headline") or ""),
        "kind": tone.seal,
        "style": tone.tag,
        "word": word,
        "title": str(report.get("document_title") or "Reference photo"),
        "picture": shown,
        "small": small,
        "todo": _todo(checks),
        "groups": groups,
        "not_asked": [str(check.get("title")) for check in checks if check.get("outcome") == "not asked"],
        "failed": [
            str(check.get("failing") or check.get("title")) for check in checks if check.get("outcome") == "fail"
        ],
        "notes": [str(note) for note in _listed(report.get("notes"))],
        "not_measurable": [str(each) for each in _listed(report.get("not_measurable"))],
        "sources": [source for source in mappings(report.get("sources")) if _web(source.get("url"))],
    }


def _listed(values: Any) -> Sequence[Any]:
    return values if isinstance(values, list | tuple) else ()


def _web(url: Any) -> bool:
    return isinstance(url, str) and url.startswith(("https://", "http://"))


def _todo(checks: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Each advice once, with its style: what fails before what is uncertain."""
    wanted = [(str(check.get("advice") or ""), check) for check in checks]
    ordered = [
        (advice, RULES[outcome].tone.tag)
        for outcome in ("fail", "uncertain")
        for advice, check in wanted
        if advice and check.get("outcome") == outcome
    ]
    return list({advice: (advice, style) for advice, style in reversed(ordered)}.values())[::-1]


def cards(result: RunResult) -> list[dict[str, Any]]:
    """The photos that the nodes of a run judged, each with the node's picture of it."""
    places: dict[str, int] = {}
    found = []
    for report in result.compliance:
        previews = [file for file in result.previews if file.node == report["node"]]
        place = places.setdefault(report["node"], 0)
        places[report["node"]] += 1
        found.append(card(report, previews[place].path if place < len(previews) else None))
    return found


def verdict(reports: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The first thing to read: a word for the colour, a headline and one sentence."""
    if len(reports) == 1:
        word, tone = shown_verdict(reports[0])
        return {"kind": tone.seal, "headline": f"{word}.", "sentence": str(reports[0].get("headline") or "")}
    counts = {key: sum(report.get("verdict") == key for report in reports) for key in ("pass", "uncertain", "fail")}
    kind = (
        "fail" if counts["pass"] + counts["uncertain"] < len(reports) else "unsure" if counts["uncertain"] else "pass"
    )
    sentence = f"{counts['pass']} pass, {counts['uncertain']} must be looked at, {counts['fail']} do not pass."
    headline = "All photos pass." if kind == "pass" else f"{counts['pass']} of {len(reports)} photos pass."
    return {"kind": kind, "headline": headline, "sentence": sentence}


def write_compliance(
    checked: Sequence[Checked], models: Sequence[Mapping[str, Any]], folder: Path
) -> tuple[Path, Path]:
    """Write ``compliance.html`` and ``compliance.json`` into `folder`; return their paths. Raises OutputUnwritable.

    The page needs no network and no script; its pictures are inside it.
    """
    from .html import templates, versions

    html, data = folder / HTML_NAME, folder / JSON_NAME
    now = datetime.now(UTC)
    reports = [each.report for each in checked]
    values = {
        "checked": now.isoformat(timespec="seconds"),
        "photos": reports,
        "models": list(models),
        "versions": versions(),
    }
    page = (
        templates()
        .get_template("compliance.html.j2")
        .render(
            verdict=verdict(reports),
            cards=[card(each.report, each.overlay, each.photo) for each in checked],
            models=models,
            date=f"{now.day} {now:%B %Y, %H:%M} UTC",
            versions=versions(),
            large=LARGE,
        )
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        data.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")
        html.write_text(page, "utf-8")
    except OSError as error:
        raise OutputUnwritable(f"The report cannot be written to {folder} ({error.strerror or error}).") from error
    return html, data
