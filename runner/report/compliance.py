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
from ...core.outcome_words import BAD, LIKENESS, RULES, SELFIE, Tone, heading_of
from ..backends.base import RunResult
from ..errors import OutputUnwritable
from .html import LARGE, SMALL, templates, thumbnail, versions
from .schemas import ComparisonReport, ComplianceReport, MeasuredReport, RuleCheck
from .svg_chart import mark, svg


def comparison(result: RunResult, report: ComparisonReport) -> dict[str, Any]:
    """One comparison: its plot, its grid where the run has it, and a row for each picture."""
    chart = _chart(report)
    sheet = next((thumbnail(file.path, 2 * LARGE) for file in result.previews if file.node == report.node), None)
    names = [series.name for series in chart.series]
    legend: list[tuple[Markup, str]] = [(mark(place), name) for place, name in enumerate(names)]
    return {
        "report": report,
        "plot": svg(chart, f"Likeness against {chart.x_label}") if chart.points else None,
        "legend": legend if len(names) > 1 else [],
        "sheet": sheet and sheet.uri,
        "rows": [{"picture": each, "word": heading_of(LIKENESS, each.outcome)} for each in report.pictures],
    }


def _chart(report: ComparisonReport) -> Chart:
    own, baseline = report.baseline, None
    if own is not None and own.low is not None and own.median is not None:
        baseline = (own.low, own.median)
    entries = []
    for picture in report.pictures:
        words = picture.label.removeprefix(picture.series).lstrip(" ·") or picture.label
        known = LIKENESS.get(picture.outcome)
        problem = "" if picture.cosine is not None else "no usable face" if known is None else known.heading
        cosines = () if picture.cosine is None else (picture.cosine,)
        entries.append((picture.series, words, picture.value, cosines, problem))
    return chart_of(entries, report.axis or "value", report.threshold, baseline)


def stages(measured: Sequence[MeasuredReport]) -> list[dict[str, Any]]:
    """The measured stages with their share of the longest one; seconds are None where nothing was measured."""
    longest = max((stage.seconds or 0.0 for stage in measured), default=0.0)
    return [
        {
            "name": stage.name or stage.title,
            "seconds": stage.seconds,
            "memory": stage.peak_memory_bytes,
            "device": stage.device,
            "cached": stage.cached,
            "width": round(100 * (stage.seconds or 0.0) / longest, 1) if longest else 0.0,
        }
        for stage in measured
    ]


HTML_NAME, JSON_NAME = "compliance.html", "compliance.json"

SHARP = 1400
"""Longest side of the picture with the measured lines: their letters must stay legible."""

LISTED = frozenset({*RULES, "not measured"})
"""Outcomes of rules that are shown one by one; what is not asked is only counted."""


def shown_verdict(report: ComplianceReport) -> tuple[str, Tone]:
    """Heading and colour of a report's verdict; one that is not known stands for itself and is bad."""
    words = SELFIE if report.kind == "selfie" else RULES
    return heading_of(words, report.verdict), RULES[report.verdict].tone if report.verdict in RULES else BAD


@dataclass(frozen=True)
class Checked:
    """One photo's report, and the files of the photo and of the picture with the measured lines."""

    report: ComplianceReport
    photo: Path | None = None
    overlay: Path | None = None


def card(report: ComplianceReport, overlay: Path | None, photo: Path | None = None) -> dict[str, Any]:
    """What the template draws of one photo."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for check in report.checks:
        if check.outcome in LISTED:
            tag = RULES[check.outcome].tone.tag if check.outcome in RULES else ""
            groups.setdefault(check.group, []).append({"check": check, "style": tag})
    shown = thumbnail(overlay, SHARP) if overlay else None
    pictured = photo or overlay
    small = thumbnail(pictured, SMALL) if pictured else None
    word, tone = shown_verdict(report)
    return {
        "report": report,
        "kind": tone.seal,
        "style": tone.tag,
        "word": word,
        "title": report.document_title or "Reference photo",
        "picture": shown,
        "small": small,
        "todo": _todo(report.checks),
        "groups": groups,
        "not_asked": [check.title for check in report.checks if check.outcome == "not asked"],
        "failed": [check.failing or check.title for check in report.checks if check.outcome == "fail"],
        "sources": [source for source in report.sources if source.is_web],
    }


def _todo(checks: Sequence[RuleCheck]) -> list[tuple[str, str]]:
    """Each advice once, with its style: what fails before what is uncertain."""
    ordered = [
        (check.advice, RULES[outcome].tone.tag)
        for outcome in ("fail", "uncertain")
        for check in checks
        if check.advice and check.outcome == outcome
    ]
    return list({advice: (advice, style) for advice, style in reversed(ordered)}.values())[::-1]


def cards(result: RunResult, reports: Sequence[ComplianceReport]) -> list[dict[str, Any]]:
    """The photos that the nodes of a run judged, each with the node's picture of it."""
    places: dict[str, int] = {}
    found = []
    for report in reports:
        previews = [file for file in result.previews if file.node == report.node]
        place = places.setdefault(report.node, 0)
        places[report.node] += 1
        found.append(card(report, previews[place].path if place < len(previews) else None))
    return found


def verdict(reports: Sequence[ComplianceReport]) -> dict[str, str]:
    """The first thing to read: a word for the colour, a headline and one sentence."""
    if len(reports) == 1:
        word, tone = shown_verdict(reports[0])
        return {"kind": tone.seal, "headline": f"{word}.", "sentence": reports[0].headline}
    counts = {key: sum(report.verdict == key for report in reports) for key in ("pass", "uncertain", "fail")}
    kind = (
        "fail" if counts["pass"] + counts["uncertain"] < len(reports) else "unsure" if counts["uncertain"] else "pass"
    )
    sentence = f"{counts['pass']} pass, {counts['uncertain']} must be looked at, {counts['fail']} do not pass."
    headline = "All photos pass." if kind == "pass" else f"{counts['pass']} of {len(reports)} photos pass."
    return {"kind": kind, "headline": headline, "sentence": sentence}


def render_compliance(checked: Sequence[Checked], models: Sequence[Mapping[str, Any]]) -> str:
    """The page on photos that were judged. It needs no network and no script; its pictures are inside it."""
    now = datetime.now(UTC)
    return (
        templates()
        .get_template("compliance.html.j2")
        .render(
            verdict=verdict([each.report for each in checked]),
            cards=[card(each.report, each.overlay, each.photo) for each in checked],
            models=models,
            date=f"{now.day} {now:%B %Y, %H:%M} UTC",
            versions=versions(),
            large=LARGE,
        )
    )


def write_compliance(
    checked: Sequence[Checked], models: Sequence[Mapping[str, Any]], folder: Path
) -> tuple[Path, Path]:
    """Write ``compliance.html`` and ``compliance.json`` into `folder`; return their paths. Raises OutputUnwritable."""
    html, data = folder / HTML_NAME, folder / JSON_NAME
    values = {
        "checked": datetime.now(UTC).isoformat(timespec="seconds"),
        "photos": [each.report.as_dict() for each in checked],
        "models": list(models),
        "versions": versions(),
    }
    page = render_compliance(checked, models)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(data, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
        write_whole(html, page)
    except OSError as error:
        raise OutputUnwritable(f"The report cannot be written to {folder} ({error.strerror or error}).") from error
    return html, data
