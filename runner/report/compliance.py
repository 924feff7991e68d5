"""What pages show of photos judged by rules, of pictures that were compared, and of stages that were measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...core.files import beside, free_path, make_private_folder, write_whole
from ...core.imaging.chart import Chart, chart_of
from ...core.outcome_words import LIKENESS, RULES
from ..backends.result import RunResult
from ..errors import OutputUnwritable
from .html import templates, versions
from .schemas import ComparisonReport, ComplianceReport, MeasuredReport, RuleCheck


def comparison(result: RunResult, report: ComparisonReport) -> dict[str, Any]:
    """One comparison: its chart, and its grid where the run has it."""
    sheet = next((file.path for file in result.previews if file.node == report.node), None)
    return {"report": report, "chart": chart_of_comparison(report), "sheet": sheet}


def chart_of_comparison(report: ComparisonReport) -> Chart:
    """Likeness of the compared pictures against what was varied."""
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


HTML_NAME, JSON = "compliance.html", ".json"

WORST_FIRST = ("fail", "uncertain", "not measured", "pass")
"""The order of outcomes on a page; one that is not known comes first, so that nobody misses it."""

LISTED = frozenset({*RULES, "not measured"})
"""Outcomes of rules that are shown one by one; what is not asked is only counted."""


@dataclass(frozen=True)
class Checked:
    """One photo's report, and the files of the photo and of the picture with the measured lines."""

    report: ComplianceReport
    photo: Path | None = None
    overlay: Path | None = None


def card(
    report: ComplianceReport, overlay: Path | None, photo: Path | None = None, heading: str = ""
) -> dict[str, Any]:
    """What the template draws of one photo: the rules that fail before those that are kept."""
    groups: dict[str, list[RuleCheck]] = {}
    for check in sorted(report.checks, key=lambda check: _severity(check.outcome)):
        if check.outcome in LISTED:
            groups.setdefault(check.group, []).append(check)
    return {
        "report": report,
        "heading": heading or report.name or report.title,
        "title": report.document_title or "Reference photo",
        "picture": overlay,
        "small": photo or overlay,
        "todo": _todo(report.checks),
        "groups": groups,
        "not_asked": [check.title for check in report.checks if check.outcome == "not asked"],
        "failed": [check.failing or check.title for check in report.checks if check.outcome == "fail"],
        "sources": [source for source in report.sources if source.is_web],
    }


def _severity(outcome: str) -> int:
    return WORST_FIRST.index(outcome) if outcome in WORST_FIRST else -1


def _failed_first(cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(cards, key=lambda card: _severity(card["report"].verdict))


def _todo(checks: Sequence[RuleCheck]) -> list[tuple[str, str]]:
    """Each advice once, with its style: what fails before what is uncertain."""
    ordered = [
        (check.advice, check.style)
        for outcome in ("fail", "uncertain")
        for check in checks
        if check.advice and check.outcome == outcome
    ]
    return list({advice: (advice, style) for advice, style in reversed(ordered)}.values())[::-1]


def cards(result: RunResult, reports: Sequence[ComplianceReport]) -> list[dict[str, Any]]:
    """The photos that the nodes of a run judged, each with the node's picture of it; those that fail first."""
    places: dict[str, int] = {}
    found = []
    for report in reports:
        previews = [file for file in result.previews if file.node == report.node]
        place = places.setdefault(report.node, 0)
        places[report.node] += 1
        found.append(card(report, previews[place].path if place < len(previews) else None))
    return _failed_first(found)


def verdict(reports: Sequence[ComplianceReport]) -> dict[str, str]:
    """The first thing to read: a word for the colour, a headline and one sentence."""
    if len(reports) == 1:
        report = reports[0]
        return {"kind": report.tone.seal, "headline": f"{report.word}.", "sentence": report.headline}
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
    drawn = [
        card(each.report, each.overlay, each.photo, each.report.name or f"Photo {number}")
        for number, each in enumerate(checked, 1)
    ]
    return (
        templates()
        .get_template("compliance.html.j2")
        .render(
            verdict=verdict([each.report for each in checked]),
            cards=_failed_first(drawn),
            models=models,
            date=f"{now.day} {now:%B %Y, %H:%M} UTC",
            versions=versions(),
        )
    )


def write_compliance(
    checked: Sequence[Checked], models: Sequence[Mapping[str, Any]], folder: Path
) -> tuple[Path, Path]:
    """Write ``compliance.html`` and ``compliance.json`` into `folder`, or compliance_2 beside those of an earlier run.

    Returns their paths; only their owner may read them. Raises OutputUnwritable.
    """
    html = free_path(folder / HTML_NAME, JSON)
    data = beside(html, JSON)
    values = {
        "checked": datetime.now(UTC).isoformat(timespec="seconds"),
        "photos": [each.report.as_dict() for each in checked],
        "models": list(models),
        "versions": versions(),
    }
    page = render_compliance(checked, models)
    try:
        make_private_folder(folder)
        write_whole(data, json.dumps(values, indent=2, ensure_ascii=False) + "\n", private=True)
        write_whole(html, page, private=True)
    except OSError as error:
        raise OutputUnwritable(f"The report cannot be written to {folder} ({error.strerror or error}).") from error
    return html, data
