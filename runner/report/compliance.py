"""What pages show of photos judged by rules, of pictures that were compared, and of stages that were measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ...core.files import write_whole
from ...core.imaging.chart import Chart, chart_of
from ..backends.base import RunResult
from ..errors import OutputUnwritable
from .html import LARGE, SMALL, finite, mappings, thumbnail
from .svg_chart import mark, svg

OUTCOMES = {
    "pass": "Same person",
    "fail": "Not confirmed",
    "no_face": "No face found",
    "several_faces": "Several faces",
    "face_too_small": "Face too small",
    "poor_photo": "Poor photo",
}

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
        "rows": [
            {"picture": picture, "word": OUTCOMES.get(str(picture.get("outcome")), str(picture.get("outcome")))}
            for picture in pictures
        ],
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
        problem = "" if cosine is not None else OUTCOMES.get(str(picture.get("outcome")), "no usable face")
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

WORDS = {"pass": "pass", "fail": "fail", "uncertain": "uncertain", "not measured": "not measured"}
"""Outcomes that are shown one by one; what is not asked is only counted."""

STYLES = {"pass": "ok", "fail": "low", "uncertain": "unclear"}

VERDICTS = {
    "id_photo": {"pass": "Meets the rules", "fail": "Does not meet the rules", "uncertain": "A person must look"},
    "selfie": {"pass": "Usable", "fail": "Not usable", "uncertain": "Usable, could be better"},
}
"""By the kind of a report and its verdict."""

KINDS = {"pass": "pass", "fail": "fail", "uncertain": "unsure"}
"""Of a seal, by verdict."""


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
        check["style"] = STYLES.get(str(check.get("outcome")), "")
    groups: dict[str, list[dict[str, Any]]] = {}
    for check in checks:
        if check.get("outcome") in WORDS:
            groups.setdefault(str(check.get("group") or ""), []).append(check)
    shown = thumbnail(overlay, SHARP) if overlay else None
    pictured = photo or overlay
    small = thumbnail(pictured, SMALL) if pictured else None
    verdict = str(report.get("verdict"))
    return {
        "report": report,
        "name": str(report.get("name") or ""),
        "headline": str(report.get("headline") or ""),
        "kind": KINDS.get(verdict, "fail"),
        "style": STYLES.get(verdict, "low"),
        "word": VERDICTS.get(str(report.get("kind")), VERDICTS["id_photo"]).get(verdict, verdict),
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
        (advice, STYLES[outcome])
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
        report = reports[0]
        kinds = VERDICTS.get(str(report.get("kind")), VERDICTS["id_photo"])
        found = str(report.get("verdict"))
        headline = f"{kinds.get(found, found)}."
        return {"kind": KINDS.get(found, "fail"), "headline": headline, "sentence": str(report.get("headline") or "")}
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
        write_whole(data, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
        write_whole(html, page)
    except OSError as error:
        raise OutputUnwritable(f"The report cannot be written to {folder} ({error.strerror or error}).") from error
    return html, data
