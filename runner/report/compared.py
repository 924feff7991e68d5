"""What a run's report shows of pictures that were compared and of stages that were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ...core.imaging.chart import Chart, chart_of
from ..backends.result import RunResult
from ..batch import verdict_tables as facts
from .html import LARGE, thumbnail
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
    pictures = [BLANK | dict(picture) for picture in facts.mappings(report.get("pictures"))]
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
        low, middle = facts.finite(own.get("low")), facts.finite(own.get("median"))
        baseline = None if low is None or middle is None else (low, middle)
    entries = []
    for picture in pictures:
        label, series = str(picture.get("label") or ""), str(picture.get("series") or "")
        cosine = facts.finite(picture.get("cosine"))
        words = label.removeprefix(series).lstrip(" ·") or label
        problem = "" if cosine is not None else OUTCOMES.get(str(picture.get("outcome")), "no usable face")
        entries.append(
            (series, words, facts.finite(picture.get("value")), () if cosine is None else (cosine,), problem)
        )
    return chart_of(entries, str(report.get("axis") or "value"), facts.finite(report.get("threshold")), baseline)


def stages(result: RunResult) -> list[dict[str, Any]]:
    """The measured stages with their share of the longest one; seconds are None where nothing was measured."""
    found = [
        {
            "name": str(entry.get("name") or entry["title"]),
            "seconds": facts.finite(entry.get("seconds")),
            "memory": facts.finite(entry.get("peak_memory_bytes")),
            "device": str(entry.get("device") or ""),
            "cached": entry["cached"],
        }
        for entry in result.measured
    ]
    longest = max((entry["seconds"] or 0.0 for entry in found), default=0.0)
    return [
        entry | {"width": round(100 * (entry["seconds"] or 0.0) / longest, 1) if longest else 0.0} for entry in found
    ]


def megabytes(value: float | None) -> str:
    """Bytes for people; a dash for none."""
    if value is None:
        return "–"
    return f"{value / 2**30:.1f} GB" if value >= 2**30 else f"{value / 2**20:,.0f} MB"
