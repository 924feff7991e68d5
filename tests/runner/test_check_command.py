"""`likeness check`, and photos that were judged by rules in runs: verdicts, exit codes, pages, wherever they ran."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio.core.provenance import COMPOSITE, GENERATED, Generative, Record, packet
from likeness_studio.runner.backends import RunResult, SavedFile
from likeness_studio.runner.batch import verdict_tables as facts
from likeness_studio.runner.batch.job_records import JobRow, JobSpec
from likeness_studio.runner.cli import main
from likeness_studio.runner.client import Client
from likeness_studio.runner.errors import OutputUnwritable
from likeness_studio.runner.report import write_report
from likeness_studio.runner.report.compliance import Checked, verdict, write_compliance
from likeness_studio.runner.report.schemas import ComplianceReport

CHECK = {
    "name": "head_height",
    "title": "Head height",
    "group": "Position",
    "outcome": "fail",
    "value": 14.5,
    "shown": "14.5 ± 0.7 mm",
    "limit": "25.0 to 35.0 mm",
    "advice": "The head is too small.",
    "detail": "Chin to crown.",
    "source": "ISO",
}


def report(outcome="fail", **more):
    checks = [CHECK | {"outcome": outcome}, CHECK | {"name": "smile", "title": "Smile", "outcome": "not asked"}]
    return {
        "kind": "id_photo",
        "name": "a.jpg",
        "document_title": "US passport",
        "verdict": outcome,
        "headline": "1 rule not met for the US passport: head height.",
        "checks": checks,
        "notes": ["Bring two prints."],
        "not_measurable": ["whether it was taken recently"],
        "sources": [{"url": "https://example.org/rule", "checked": "2026-11-20"}],
    } | more


def typed(outcome="fail", **more):
    return ComplianceReport.read(report(outcome, **more))


def result(*reports, likeness=()):
    shown = {"2": {"compliance": list(reports)}, "3": {"likeness": list(likeness)}}
    return RunResult("check", "0" * 64, "local", ui=shown, titles={"2": "ID photo check", "3": "Likeness"})


SAME = {
    "all_passed": True,
    "images": [{"index": 0, "passed": True, "reason": "Likeness 0.90.", "cosine": 0.9, "score": 0.99}],
    "threshold": 0.4,
    "threshold_source": "a test",
    "best": 0.9,
    "engine": "yunet-sface",
    "baseline": None,
    "warnings": [],
}


def test_a_run_fails_with_a_broken_rule_and_not_with_a_doubt():
    assert result(report("pass")).verdict is True
    assert result(report("uncertain")).verdict is True
    assert result(report("pass"), report("fail")).verdict is False
    assert result({"verdict": None}).verdict is False
    assert result(report("fail"), likeness=[SAME]).verdict is False
    assert result(report("pass"), likeness=[SAME]).verdict is True
    assert result(report("pass"), likeness=[SAME | {"all_passed": False}]).verdict is False
    assert result().verdict is None
    assert result(report()).as_dict()["compliance"][0]["title"] == "ID photo check"


def job(verdict, *reports, likeness=()):
    made = {"compliance": list(reports), "likeness": list(likeness)}
    return JobRow("1", "a", JobSpec("a"), "done", verdict=verdict, result=made)


def test_a_batch_names_what_was_judged():
    assert facts.word(job("passed", report("pass"))) == "Meets the rules"
    assert facts.word(job("not_confirmed", report())) == "Rules not met"
    assert facts.reason(job("not_confirmed", report())).startswith("1 rule not met")
    assert facts.word(job("passed", report("pass"), likeness=[SAME])) == "Same person"


class _Text(HTMLParser):
    """The words of a page, and what it would load."""

    def __init__(self):
        super().__init__()
        self.words, self.loads, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        source = values.get("src") or "data:"
        if not source.startswith("data:"):
            self.loads.append(source)
        if tag in {"script", "link"}:
            self.loads.append(tag)
        if tag == "a":
            self.links.append(values.get("href"))

    def handle_data(self, data):
        self.words.append(data)


def read(page: Path):
    parser = _Text()
    parser.feed(page.read_text("utf-8"))
    return " ".join(" ".join(parser.words).split()), parser


def picture(path: Path, colour="grey") -> Path:
    Image.new("RGB", (60, 80), colour).save(path)
    return path


def test_the_page_shows_each_rule_what_to_do_and_needs_no_network(tmp_path):
    entry = Checked(typed(), picture(tmp_path / "a.jpg"), picture(tmp_path / "lines.jpg"))
    html, data = write_compliance([entry], [{"name": "yunet", "licence": "MIT", "commercial": "yes"}], tmp_path)
    words, page = read(html)
    for part in (
        *("Does not meet the rules.", "1 rule not met", "Head height", "14.5 ± 0.7 mm", "25.0 to 35.0 mm"),
        *("The head is too small.", "Not asked by this document: smile", "Bring two prints.", "taken recently"),
        *("yunet", "MIT", "no promise"),
    ):
        assert part in words, part
    assert page.loads == []
    assert page.links == ["https://example.org/rule"]
    assert html.read_text().count("data:image/jpeg") == 1
    values = json.loads(data.read_text())
    assert values["photos"] == [report()]
    assert values["versions"]["likeness-studio"]


def test_a_page_of_several_photos_has_an_overview(tmp_path):
    entries = [Checked(typed(outcome, name=f"{outcome}.jpg")) for outcome in ("pass", "uncertain", "fail")]
    words, page = read(write_compliance(entries, [], tmp_path)[0])
    assert "1 of 3 photos pass." in words
    assert "1 pass, 1 must be looked at, 1 do not pass." in words
    assert page.links[:3] == ["#photo-1", "#photo-2", "#photo-3"]
    assert verdict([typed("pass"), typed("pass")])["kind"] == "pass"
    assert verdict([typed("pass"), typed("uncertain")])["kind"] == "unsure"


def test_what_comes_from_a_server_is_escaped_and_may_be_broken(tmp_path):
    evil = '<script>alert("x")</script>'
    broken = [
        report(name=evil, headline=evil, notes=[evil], sources=[{"url": f"javascript:{evil}", "checked": evil}]),
        report(checks=[{"outcome": 5, "title": None}, "nonsense"], notes="no list", sources=5, kind=["?"]),
        {"verdict": {}, "checks": None},
    ]
    html = write_compliance([Checked(ComplianceReport.read(each)) for each in broken], [], tmp_path)[0].read_text()
    assert "<script" not in html
    assert "javascript:" not in html


def test_a_page_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputUnwritable, match="file"):
        write_compliance([Checked(typed())], [], tmp_path / "file" / "inside")


def test_the_report_of_a_run_shows_the_check_with_the_nodes_picture(tmp_path):
    run = result(report())
    run.previews.append(SavedFile(picture(tmp_path / "lines.png"), "2", "ID photo check"))
    words, _ = read(write_report(run, tmp_path)[0])
    assert "Does not meet the rules." in words
    assert "What to do The head is too small." in words
    both = result(report(), likeness=[SAME])
    words, _ = read(write_report(both, tmp_path)[0])
    assert "Does not meet the rules." in words
    good = result(report("pass"), likeness=[SAME])
    words, _ = read(write_report(good, tmp_path)[0])
    assert "It is the same person." in words
    assert "Meets the rules" in words


def call(*words):
    return CliRunner().invoke(main, ["check", *map(str, words)])


def values_of(done):
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.models
def test_a_photo_against_a_document_with_its_page(astronaut, tmp_path):
    done = call(astronaut, "-d", "us-passport", "--matte", "u2netp", "-o", tmp_path / "out")
    assert done.exit_code == 3, done.output
    assert "FAIL" in done.stdout
    assert "Head height (" in done.stdout
    words, page = read(tmp_path / "out" / "compliance.html")
    assert "Does not meet the rules." in words
    assert page.loads == []
    data = json.loads((tmp_path / "out" / "compliance.json").read_text())
    assert data["photos"][0]["name"] == astronaut.name
    assert {"yunet", "face_mesh", "u2netp"} <= {model["name"] for model in data["models"]}
    with Image.open(tmp_path / "out" / "overlays" / "001-astronaut.jpg") as overlay:
        assert overlay.width > 600


@pytest.mark.models
def test_a_selfie_for_programs(astronaut):
    done = call(astronaut, "--json")
    values = values_of(done)
    assert values["verdict"] in {"pass", "uncertain"}
    assert values["photos"][0]["kind"] == "selfie"
    assert done.exit_code == 0
    assert call(astronaut, "--strict").exit_code == (0 if values["verdict"] == "pass" else 3)


@pytest.mark.models
def test_a_photo_that_lies_on_its_side_is_judged_upright(astronaut, tmp_path):
    turned = tmp_path / "turned.jpg"
    with Image.open(astronaut) as upright:
        exif = upright.getexif()
        exif[0x0112] = 6
        upright.rotate(90, expand=True).save(turned, quality=95, exif=exif)
    found = [
        values_of(call(file, "-d", "icao", "--matte", "none", "--json"))["photos"][0] for file in (astronaut, turned)
    ]
    for first, second in zip(*(each["checks"] for each in found), strict=True):
        if first["name"] in {"faces", "roll", "head_height", "eye_line", "yaw"}:
            assert first["outcome"] == second["outcome"], first["name"]
            assert first["value"] == pytest.approx(second["value"], abs=1.0)


@pytest.mark.models
def test_many_photos_of_which_one_cannot_be_read(astronaut, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(astronaut.read_bytes())
    (photos / "b.jpg").write_bytes(b"this is no photo")
    picture(photos / "c.png")
    done = call(photos, "--json")
    values = values_of(done)
    assert done.exit_code == 1
    assert [photo["name"] for photo in values["photos"]] == ["a.jpg", "c.png"]
    assert values["verdict"] == "fail"
    (error,) = values["errors"]
    assert error["code"] == "photo_unreadable"
    assert error["photo"].endswith("b.jpg")
    alone = call(photos / "b.jpg", "--json")
    assert alone.exit_code == 1
    assert values_of(alone)["code"] == "photo_unreadable"


@pytest.mark.models
def test_photos_of_one_name_are_told_apart(astronaut, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "me.jpg").write_bytes(astronaut.read_bytes())
    done = call(tmp_path / "one", tmp_path / "two", "-o", tmp_path / "out", "--json")
    assert [photo["name"] for photo in values_of(done)["photos"]] == ["one/me.jpg", "two/me.jpg"]
    assert sorted(file.name for file in (tmp_path / "out" / "overlays").iterdir()) == ["001-me.jpg", "002-me.jpg"]


@pytest.mark.models
def test_a_stopped_command_leaves_the_report_of_what_it_judged(astronaut, tmp_path):
    """Ctrl-C in the middle of many photos."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(200):
        (photos / f"{number:03}.jpg").write_bytes(astronaut.read_bytes())
    program = "from likeness_studio.runner.cli import main; main(prog_name='likeness')"
    command = [sys.executable, "-c", program, "check", str(photos), "-o", str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "out" / "overlays" / "002-001.jpg").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "compliance.html" in said
    assert 2 <= len(json.loads((tmp_path / "out" / "compliance.json").read_text())["photos"]) < 200


@pytest.mark.models
def test_a_file_of_poor_quality_fails_and_the_report_says_why_where_nobody_knows(astronaut, tmp_path):
    poor = tmp_path / "poor.jpg"
    with Image.open(astronaut) as picture:
        picture.save(poor, quality=15)
    said = " ".join(call(poor, "-d", "us-passport", "--matte", "none", "--uncut").stdout.split())
    assert re.search(r"FAIL Saved in good quality \(1[4-7] of 100, asked: at least 60 of 100\)", said), said
    assert "no pattern on the background. Nothing said where the person is." in said
    assert "not known no forbidden changes. A picture alone does not show how it was made." in said


@pytest.mark.models
def test_a_photo_whose_file_says_that_it_was_edited_is_not_unaltered(astronaut, tmp_path):
    edited, composed = tmp_path / "edited.jpg", tmp_path / "composed.jpg"
    whitened = Record(Generative.NONE, COMPOSITE, document="us-passport", edits=("The background was replaced.",))
    with Image.open(astronaut) as photo:
        photo.save(edited, xmp=packet(whitened))
        photo.save(composed, xmp=packet(Record(source_type=GENERATED)))
    said = " ".join(call(edited, "-d", "us-passport", "--matte", "none", "--uncut").stdout.split())
    assert "FAIL No forbidden changes (The file says: changed: The background was replaced)" in said, said
    said = " ".join(call(composed, "-d", "us-passport", "--matte", "none", "--uncut").stdout.split())
    assert "FAIL No forbidden changes (The file says: its source is trainedAlgorithmicMedia)" in said, said


@pytest.mark.models
def test_wrong_words(astronaut, tmp_path):
    assert values_of(call(astronaut, "-d", "us-pasport", "--json"))["code"] == "document_unknown"
    assert "us-passport" in call(astronaut, "-d", "us-pasport").output
    assert call().exit_code == 2
    assert call(tmp_path).exit_code == 1
    assert values_of(call(tmp_path / "none.jpg", "--json"))["code"] == "photo_missing"


@pytest.mark.models
@pytest.mark.parametrize("name", ["check_id_photo", "check_selfie"])
def test_the_workflow_here_gives_the_verdict_and_the_exit_code(astronaut, tmp_path, name):
    done = CliRunner().invoke(main, ["run", name, "-i", str(astronaut), "-o", str(tmp_path)])
    assert done.exit_code == (3 if name == "check_id_photo" else 0), done.output
    assert "Rules    " in done.stdout
    words, _ = read(tmp_path / "report.html")
    assert "Not asked by this document" in words or name == "check_selfie"
    assert json.loads((tmp_path / "report.json").read_text())["compliance"]


@pytest.mark.comfyui
@pytest.mark.models
@pytest.mark.parametrize("name", ["check_id_photo", "check_selfie"])
def test_a_real_comfyui_says_the_same_as_this_process(comfyui_server, astronaut, tmp_path, name):
    found = []
    for place in (None, comfyui_server.url):
        with Client(place) as client:
            run = client.run(client.load(name), astronaut, tmp_path / ("server" if place else "here"))
        (judged,) = run.compliance
        found.append(judged)
        assert run.ui[judged["node"]]["images"], "its overlay came with it"
    here, there = ({check["name"]: check["outcome"] for check in each["checks"]} for each in found)
    assert here == there
    assert found[0]["verdict"] == found[1]["verdict"]


@pytest.mark.models
def test_an_id_photo_made_of_a_poor_file_is_told_so_although_turning_hides_the_blocks(astronaut, tmp_path):
    poor = tmp_path / "poor.jpg"
    with Image.open(astronaut) as picture:
        picture.save(poor, quality=15)
    words = ["-d", "us-passport", "--matte", "u2netp", "-o", str(tmp_path), "--json"]
    found = {}
    for file in (poor, astronaut):
        done = CliRunner().invoke(main, ["id", str(file), *words])
        (photo,) = values_of(done)["photos"]
        found[file] = {check["name"]: check["outcome"] for check in photo["check"]["checks"]}["file_compression"]
    assert found == {poor: "fail", astronaut: "pass"}
