"""The page: a run's result turned into what the template draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..backends.result import RunResult
from . import compliance
from .compliance import comparison, stages
from .html import templates, versions
from .pictures import PICTURES_SHOWN, RunPictures
from .schemas import EnrollmentReport, IDPhotoReport, LikenessReport, RunReport

MOST_NUMBERS, NUMBER_WIDTH = 3, 5.0
"""How many scores have their numbers on the scale, and how wide one is there, in percent."""

SHOWN_OTHERWISE = ("likeness", "enrollment", "compliance", "comparison", "measured", "models")


@dataclass(frozen=True)
class Mark:
    """Something on the likeness scale: its place in percent of the width, and its value."""

    at: float
    value: float
    label: str = ""


@dataclass(frozen=True)
class Scale:
    """The likeness scale of one check. `baseline` is (lowest, median) in percent."""

    ticks: list[Mark]
    threshold: Mark
    scores: list[Mark]
    baseline: tuple[float, float] | None
    median: Mark | None

    @property
    def numbers_fit(self) -> bool:
        """Whether there is room for the scores' numbers beside each other."""
        places = sorted(score.at for score in self.scores)
        return len(places) <= MOST_NUMBERS and all(b - a >= NUMBER_WIDTH for a, b in pairwise(places))


def render(result: RunResult, report: RunReport, folder: Path) -> str:
    """The HTML page for `result` and its `report`; its files lie in `folder`."""
    pictures = RunPictures.read(result, folder)
    compared = bool(report.comparisons and not report.likeness)
    verdict = _verdict(report)
    if report.to_look_at and verdict["kind"] == "pass":
        verdict |= _with_picture(verdict["headline"], report)
    pair, others = ([], pictures.photos) if compared else pictures.pair()
    return (
        templates()
        .get_template("report.html.j2")
        .render(
            result=result,
            verdict=verdict,
            look=report.look,
            pair=pair,
            others=others,
            more=pictures.outputs if compared else pictures.outputs[1:],
            uncut=compared,
            not_shown=max(len(result.outputs) - PICTURES_SHOWN, 0),
            checks=[_check(result, each) for each in report.likeness],
            compliances=compliance.cards(result, report.compliance),
            comparisons=[comparison(result, each) for each in report.comparisons],
            stages=stages(report.measured),
            enrollments=[_enrollment(result, each) for each in report.enrollments],
            said=_said(result),
            models=result.models,
            times=_bars(result),
            engine=result.place,
            date=f"{result.started.day} {result.started:%B %Y, %H:%M} UTC",
            versions=versions(),
        )
    )


def _with_picture(headline: str, report: RunReport) -> dict[str, str]:
    """What the verdict on the picture itself makes of a headline that says yes."""
    if report.picture == "fail":
        return {"kind": "fail", "headline": f"{headline} The picture is poor."}
    return {"kind": "unsure", "headline": f"{headline} Look at the picture."}


def _verdict(result: RunReport) -> dict[str, str]:
    """The first thing to read: a word for the colour, a headline and one sentence."""
    reports, judged = result.likeness, result.compliance
    made = result.id_photos
    if made and (any(report.broken for report in made) or not (judged or reports)):
        return _made(made)
    if judged and (not reports or (all(report.passed for report in reports) and not result.verdict)):
        return compliance.verdict(judged)
    if not reports and result.comparisons:
        pictures = [picture for report in result.comparisons for picture in report.pictures]
        passed = sum(picture.passed is True for picture in pictures)
        sentence = f"{passed} of {len(pictures)} pictures show the same person. A comparison is no verdict on a result."
        return {"kind": "none", "headline": "Pictures were compared.", "sentence": sentence}
    if not reports and result.enrollments:
        accepted = sum(report.accepted or 0 for report in result.enrollments)
        given = sum(len(report.photos) for report in result.enrollments)
        sentence = f"{accepted} of {given} reference photos were accepted. No picture was checked in this run."
        return {"kind": "none", "headline": "A person was enrolled.", "sentence": sentence}
    if not reports and not result.outputs:
        sentence = "This workflow has no likeness check, and saved no picture."
        return {"kind": "none", "headline": "Done", "sentence": sentence}
    if not reports:
        sentence = "This workflow has no likeness check, so nothing was proven about who is in the pictures."
        return {"kind": "none", "headline": "Not checked", "sentence": sentence}
    images = [image for report in reports for image in report.judged]
    failed = [image for image in images if not image.passed]
    if result.verdict:
        headline = "It is the same person."
        how = "the picture was" if len(images) == 1 else f"all {len(images)} pictures were"
        doubts = list(dict.fromkeys(doubt for report in reports for doubt in report.doubts))
        if doubts or any(report.independent is False for report in reports):
            why = doubts[0] if doubts else "See the warnings."
            sentence = f"A face recogniser looked, and {how} confirmed, but that proves little. {why}"
            return {"kind": "unsure", "headline": headline, "sentence": sentence}
        told = [*dict.fromkeys(each for report in reports for each in report.told), *_strangers_among(result)]
        sentence = f"An independent face recogniser looked, and {how} confirmed.{_strangers(reports)}"
        return {"kind": "pass", "headline": headline, "sentence": " ".join([sentence, *told])}
    sentence = failed[0].reason if failed else "No picture was checked."
    more = f" {len(failed)} of {len(images)} pictures were not confirmed." if len(failed) > 1 else ""
    return {"kind": "fail", "headline": "The likeness was not confirmed.", "sentence": sentence + more}


def _strangers_among(result: RunReport) -> list[str]:
    """What to say where reference photos were left out because they show somebody else."""
    photos = [photo for report in result.enrollments for photo in report.photos]
    others = sum(photo.outcome == "disagrees" for photo in photos)
    return [f"{others} of {len(photos)} reference photos show somebody else and were left out."] if others else []


def _made(reports: Sequence[IDPhotoReport]) -> dict[str, str]:
    """The verdict on ID photos that were made: whether the rules of their frames are kept, and nothing of the person.

    Their warnings are among the nodes' notes.
    """
    broken = [line for report in reports for line in report.broken]
    what = f"{len(reports)} ID photos were made" if len(reports) > 1 else "An ID photo was made"
    title = reports[0].document_title or reports[0].document
    if broken:
        return {"kind": "fail", "headline": f"{what}; rules are broken.", "sentence": f"{title}: {' '.join(broken)}"}
    doubts = any(report.warnings for report in reports)
    sentence = f"{title}: the rules on where the head is are kept. Light, face and background were not checked."
    sentence += " Read the warnings below." if doubts else ""
    return {"kind": "unsure" if doubts else "none", "headline": f"{what}; rules kept.", "sentence": sentence}


def _strangers(reports: Sequence[LikenessReport]) -> str:
    """How many strangers the most lenient of the checks lets pass, where that was measured."""
    measured = [report.fmr for report in reports if report.fmr is not None and 0 < report.fmr < 1]
    if not measured or len(measured) < len(reports):
        return ""
    share = f"1 in {round(1 / max(measured)):,} strangers"
    if all(report.every_group is True for report in reports):
        return f" At most {share} of any group of people that was measured would pass too."
    return f" About {share} would pass too."


def _check(result: RunResult, report: LikenessReport) -> dict[str, Any]:
    """One likeness check: its scale, and each picture's face, verdict and reason.

    What was kept comes first, and what failed before what passed.
    """
    previews = [file for file in result.previews if file.node == report.node]
    rows = []
    for place, image in enumerate(report.images):
        face = previews[place].path if place < len(previews) else None
        kept = image.index in (report.kept or ())
        rows.append({"number": place + 1, "face": face, "image": image, "kept": kept})
    rows.sort(key=lambda row: (not row["kept"], bool(row["image"].passed)))
    scale = likeness_scale(report)
    return {"report": report, "passed": report.passed, "scale": scale, "rows": rows[:PICTURES_SHOWN]}


def _enrollment(result: RunResult, report: EnrollmentReport) -> dict[str, Any]:
    """The reference photos of one person: a contact sheet, and what became of each; the refused ones first."""
    sheet = next((file.path for file in result.previews if file.node == report.node), None)
    refused = [photo for photo in report.photos if photo.outcome != "pass"]
    return {
        "report": report,
        "sheet": sheet,
        "photos": report.photos,
        "listed": sorted(enumerate(report.photos, 1), key=lambda each: each[1].outcome == "pass"),
        "refused": refused,
        "poor": any(photo.poor for photo in report.photos),
        "noted": any(photo.notes for photo in report.photos),
    }


def likeness_scale(report: LikenessReport) -> Scale | None:
    """Where threshold, scores and the person's own baseline lie between 0 (or the lowest score) and 1."""
    threshold = report.threshold
    if threshold is None:
        return None
    cosines = [image.cosine for image in report.images if image.cosine is not None]
    low = min(0.0, math.floor(min([*cosines, threshold]) * 5) / 5)

    def mark(value: float, label: str = "") -> Mark:
        return Mark(round(100 * (min(max(value, low), 1.0) - low) / (1.0 - low), 2), value, label)

    steps = round((1.0 - low) * 5)
    ticks = [mark(round(low + step / 5, 1)) for step in range(steps + 1)]
    baseline, median, span = report.baseline, None, None
    if baseline is not None and baseline.median is not None and baseline.low is not None:
        median = mark(baseline.median)
        span = (mark(baseline.low).at, median.at)
    return Scale(ticks, mark(threshold), [mark(value) for value in cosines], span, median)


def _said(result: RunResult) -> list[tuple[str, str]]:
    """What the nodes showed as text, such as a prompt, by title; without those that the page shows in another way."""
    elsewhere = {node for key in SHOWN_OTHERWISE for node, _ in result.shown(key)}
    elsewhere -= {report["node"] for report in result.id_photos}
    texts = ((node, text.strip()) for node, text in result.shown("text") if isinstance(text, str))
    return [(result.titles.get(node, node), text) for node, text in texts if text and node not in elsewhere]


def _bars(result: RunResult) -> list[dict[str, Any]]:
    """The nodes with their share of the longest one, in the order in which they ran."""
    longest = max((time.seconds for time in result.times), default=0.0)
    return [
        {"time": time, "width": round(100 * time.seconds / longest, 1) if longest else 0.0} for time in result.times
    ]
