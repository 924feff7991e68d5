"""Every page on a telephone of 360 pixels: nothing sideways, nothing too small, what failed first; light and dark."""

from __future__ import annotations

import json
import os
from itertools import product
from pathlib import Path

import pytest
from PIL import Image

from likeness_studio.core.errors import PhotoUnreadable
from likeness_studio.runner.backends import NodeTime, RunResult, SavedFile
from likeness_studio.runner.batch.contact_sheet import write_sheet
from likeness_studio.runner.batch.job_records import Counts, JobRow, JobSpec
from likeness_studio.runner.batch.photo_rows import refused_row, row_of, write_overview
from likeness_studio.runner.compare.cells import Cell, StageFigures, Trial
from likeness_studio.runner.compare.page import Comparison, write_page
from likeness_studio.runner.compare.vary import Axis
from likeness_studio.runner.report import write_report
from likeness_studio.runner.report.compliance import Checked, write_compliance
from likeness_studio.runner.report.schemas import ComplianceReport
from likeness_studio.runner.workflow import Given, InputPhoto, load

WIDTH, HEIGHT = 360, 740
SMALLEST_TEXT = 12
"""CSS pixels."""

LONG = "Bewerbungsfoto_Donaudampfschifffahrtsgesellschaftskapitaensmuetze_final_v2_neu"
MODELS = [
    {"name": "yunet", "use": "face detection", "licence": "MIT", "commercial": "yes"},
    {"name": "blendswap_256_with_a_long_name", "use": "face swap", "licence": "FaceFusion-NC-1.0", "commercial": "no"},
]

TOO_WIDE = """
(width) => [...document.querySelectorAll("body *")].filter((each) => {
  const box = each.getBoundingClientRect();
  return box.width && (box.right > width + 1 || box.left < -1) && !each.closest(".wide, .share");
}).map((each) => `${each.tagName}.${each.className}: ${each.textContent.trim().slice(0, 60)}`)
"""
TOO_SMALL = """
(least) => [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility()
  && !["SCRIPT", "STYLE"].includes(each.tagName) && parseFloat(getComputedStyle(each).fontSize) < least
  && [...each.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim())
).map((each) => `${each.tagName}.${each.className}: ${each.textContent.trim().slice(0, 60)}`)
"""


def picture(path: Path, colour=(40, 80, 160), size=(400, 500)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def judged(index: int, passed: bool):
    reason = "The likeness 0.83 reaches the threshold." if passed else f"{LONG} is not like the person."
    cosine = 0.83 if passed else 0.1
    return {"index": index, "outcome": "pass" if passed else "fail", "passed": passed, "cosine": cosine,
            "score": 0.9 if passed else 0.01, "reason": reason}  # fmt: skip


RULES = [
    {"title": "Face height", "group": "Head and pose", "outcome": "pass", "shown": "34.1 mm", "limit": "32 to 36 mm"},
    {"title": "Eyes open", "group": "Face", "outcome": "uncertain", "shown": "0.71", "limit": "at least 0.75",
     "advice": "Open your eyes wide.", "detail": "Both eyes were measured; the left one is narrower."},
    {"title": "Even background", "group": "Surroundings", "outcome": "fail", "shown": "18 grey levels of 255",
     "limit": "at most 8 grey levels of 255", "advice": "Stand before an evenly lit wall.", "failing": "background"},
    {"title": "Head turned", "group": "Head and pose", "outcome": "fail", "shown": "8 degrees", "limit": "at most 5"},
]  # fmt: skip


def compliance_report(verdict: str, **more) -> ComplianceReport:
    values = {"kind": "id_photo", "name": f"{LONG}.jpg", "document": "us-passport", "document_title": "US passport",
              "verdict": verdict, "headline": "The background is not even.", "checks": RULES,
              "notes": [f"The photo {LONG}.jpg was turned."], "not_measurable": ["whether the photo is recent"],
              "sources": [{"url": f"https://example.org/{LONG}/{LONG}.html", "checked": "2026-08-01"}]}  # fmt: skip
    return ComplianceReport.model_validate(values | more)


def run_report(folder: Path) -> Path:
    made = RunResult(
        "studio_headshot", "ab" * 32, "local", titles={"1": "Check", "2": LONG, "3": "Enroll", "4": "Rules"}
    )
    made.outputs = [SavedFile(picture(folder / f"{LONG}_00001.png"), "2", "Save")]
    made.previews = [SavedFile(picture(folder / f"seen{at}.png"), "1", "Check") for at in range(2)]
    made.photos = [InputPhoto("3", "Photo", f"{LONG}.png", picture(folder / "in.png"))]
    made.times = [
        NodeTime("1", LONG.replace("_", " "), "LikenessCheckLikeness", 1.5),
        NodeTime("2", LONG, "Save", 95.0),
    ]
    check = {"engine": "yunet-sface", "threshold": 0.42, "threshold_source": "strangers of LFW", "fmr": 1e-4,
             "baseline": {"median": 0.71, "low": 0.62, "photos": 3}, "all_passed": False, "best": 0.83,
             "warnings": [f"Mind {LONG}."], "images": [judged(0, True), judged(1, False)]}  # fmt: skip
    photos = [{"name": f"{LONG}{at}.jpg", "outcome": outcome, "reason": "It is used." if at else "No face was found."}
              for at, outcome in enumerate(("no_face", "pass"))]  # fmt: skip
    measured = {"name": LONG, "seconds": 1.0, "peak_memory_bytes": 2**31, "device": "cuda:0 NVIDIA A100-SXM4-80GB"}
    compared = {"engine": "sface", "threshold": 0.42, "axis": "denoise", "pictures": [
        {"label": f"model A · {at / 10}", "series": "model A", "value": at / 10, "outcome": "pass", "passed": True,
         "cosine": 0.9 - at / 10, "reason": "It reaches the threshold."} for at in range(1, 6)]}  # fmt: skip
    made.ui = {
        "1": {"likeness": [check], "models": MODELS, "measured": [measured], "comparison": [compared]},
        "2": {
            "text": [f"{LONG}, {LONG}, professional portrait"],
            "look": [f"{LONG}: there is no body."],
        },
        "3": {"enrollment": [{"accepted": 1, "photos": photos}]},
        "4": {"compliance": [compliance_report("fail").as_dict()]},
    }
    return write_report(made, folder)[0]


def compliance_page(folder: Path) -> Path:
    overlay, photo = picture(folder / "lines.png", size=(1400, 1400)), picture(folder / "photo.png")
    reports = [compliance_report("pass", checks=RULES[:1]), compliance_report("uncertain"), compliance_report("fail")]
    return write_compliance([Checked(each, photo, overlay) for each in reports], MODELS, folder)[0]


def job(folder: Path, name: str, **more) -> JobRow:
    made = picture(folder / f"job-{len(name)}" / f"{LONG}.png")
    check = {"threshold": 0.42, "best": 0.83, "images": [judged(0, True)]}
    result = {"outputs": [{"file": made.relative_to(folder).as_posix()}], "likeness": [check], "models": MODELS}
    spec = JobSpec(name, (Given(picture(folder.parent / "photos" / "photo.png")),))
    values = {"key": name.encode().hex(), "name": name, "state": "done", "verdict": "passed", "spec": spec,
              "score": 0.83, "folder": made.parent.name, "result": result, "server": f"http://{LONG}.example:8188",
              "seconds": 3.25, "finished": 1.0}  # fmt: skip
    return JobRow(**(values | more))


def sheet(folder: Path) -> Path:
    broken = {"state": "failed", "score": None, "result": None, "error": f"{LONG}.jpg cannot be decoded."}
    rows = [
        job(folder, f"a {LONG}"),
        job(
            folder, f"seen {LONG}", result={**(job(folder, "a").result or {}), "look": [{"text": "There is no body."}]}
        ),
        job(folder, "not the person", verdict="not_confirmed", score=0.1),
        job(folder, "refused", verdict="refused", error_code="photo_unreadable", **broken),
        job(folder, "server down", verdict=None, error_code="server_unreachable", **broken),
    ]
    counts = Counts(total=len(rows), done=3, failed=2)
    return write_sheet(rows, folder, title=f"studio_headshot on {LONG}", counts=counts, thumbs=folder / "thumbs")


def id_overview(folder: Path) -> Path:
    photo = picture(folder / f"{LONG}.jpg")
    result = {"compliance": [compliance_report("fail").as_dict()]}
    rows = [
        row_of(photo, picture(folder / "made.png"), folder, result, True, None, 3.0, LONG),
        refused_row(photo, PhotoUnreadable(f"{LONG}.jpg has no face."), LONG),
    ]
    return write_overview(rows, folder, "ID photos")[0]


def compare_page(folder: Path) -> Path:
    names = (f"{LONG}.safetensors", "b.ckpt")
    axes = (Axis("Sampler", "denoise", ("0.1", "0.5", "0.9")), Axis("Checkpoint", "ckpt_name", names))
    cells = []
    for number, (name, denoise) in enumerate(product(names, axes[0].values)):
        failed = number == 5
        trial = Trial(
            name=f"run{number}",
            seed=7,
            state="failed" if failed else "done",
            likeness=None if failed else 0.9 - number / 8,
            confirmed=None if failed else number < 4,
            threshold=0.42,
            seconds=9.5,
            kept=2,
            steps=12,
            stages=(StageFigures("sampling", 4.0, 2**31, "cuda:0 NVIDIA A100-SXM4-80GB"),),
            picture=None,
            server=f"http://{LONG}.example:8188",
            problem=f"The server said {LONG}." if failed else "",
            error_code="node_error" if failed else None,
        )
        cells.append(Cell((denoise, name), f"denoise {denoise} · {name}", (trial,)))
    return write_page(Comparison(load("studio_headshot"), axes, tuple(cells), (7,), (), (), folder))


PAGES = {each.__name__: each for each in (run_report, compliance_page, sheet, id_overview, compare_page)}


@pytest.fixture
def page(request, tmp_path):
    folder = tmp_path / "batch"
    folder.mkdir()
    return PAGES[request.param](folder)


def phone(opened, page, scheme="light"):
    return opened(
        page, viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme, is_mobile=True, has_touch=True
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES, indirect=True)
def test_a_page_fits_a_telephone(opened, page, scheme, request):
    shown = phone(opened, page, scheme)
    shown.wait_for_timeout(200)
    if folder := os.environ.get("LIKENESS_SCREENSHOTS"):
        name = request.node.callspec.params["page"]
        shown.screenshot(path=str(Path(folder) / f"{name}_{scheme}.png"), full_page=True)
    assert shown.evaluate(TOO_WIDE, WIDTH) == []
    assert shown.evaluate("document.documentElement.scrollWidth") <= WIDTH
    assert shown.evaluate("innerWidth") == WIDTH
    assert shown.evaluate(TOO_SMALL, SMALLEST_TEXT) == []


def texts(opened, page, where):
    return phone(opened, page).locator(where).all_text_contents()


@pytest.mark.parametrize("page", ["sheet"], indirect=True)
def test_a_contact_sheet_opens_with_what_failed(opened, page):
    words = ["Failed", "Refused", "Not confirmed", "Same person", "Same person"]
    assert texts(opened, page, ".job .pill") == words
    assert phone(opened, page).locator("#sort").input_value() == "worst"


@pytest.mark.parametrize("page", ["compliance_page"], indirect=True)
def test_a_compliance_report_says_what_fails_first(opened, page):
    assert texts(opened, page, ".overview .tag") == [
        each.word for each in map(compliance_report, ("fail", "uncertain", "pass"))
    ]
    rules = texts(opened, page, "#photo-1 .rules td:first-child b")
    assert rules == ["Even background", "Head turned", "Face height", "Eyes open"]
    photos = json.loads(page.with_suffix(".json").read_text())["photos"]
    assert [each["verdict"] for each in photos] == ["pass", "uncertain", "fail"], (
        "a program has them in the given order"
    )


@pytest.mark.parametrize("page", ["run_report"], indirect=True)
def test_a_run_report_shows_the_picture_that_failed_first_under_its_own_number(opened, page):
    assert texts(opened, page, ".face div > .quiet")[:2] == ["Picture 2", "Picture 1"]


@pytest.mark.parametrize("page", ["compare_page"], indirect=True)
def test_a_comparison_says_what_went_wrong_before_it_shows_figures(opened, page):
    assert texts(opened, page, "main > section h2")[0] == "What went wrong"
