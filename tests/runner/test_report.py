"""The report tells the truth, stands alone, and cannot be made to run what a file name says."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from PIL import Image

from likeness_studio.runner import errors
from likeness_studio.runner.api import run
from likeness_studio.runner.backends import NodeTime, RunResult, SavedFile, report_passed
from likeness_studio.runner.cli.run import about_id_photo
from likeness_studio.runner.report import write_report
from likeness_studio.runner.report.html import chance, number
from likeness_studio.runner.report.page import likeness_scale
from likeness_studio.runner.report.pictures import thumbnail
from likeness_studio.runner.report.schemas import IDPhotoReport, LikenessReport, RunReport
from likeness_studio.runner.workflow import InputPhoto

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"


def check(passed=True, **more):
    image = {"index": 0, "outcome": "pass" if passed else "fail", "passed": passed, "cosine": 0.83 if passed else 0.1}
    image |= {"score": 0.99999, "reason": "Likeness 0.83 reaches it.", "box": [1, 2, 3, 4]}
    report = {"engine": "yunet-sface", "threshold": 0.4, "threshold_source": "LFW", "fmr": 1e-4}
    report |= {"baseline": {"median": 0.71, "low": 0.62, "photos": 3}, "all_passed": passed, "best": image["cosine"]}
    return report | {"warnings": ["Mind this."], "images": [image]} | more


@pytest.fixture
def result(tmp_path):
    for name in ("in.png", "out.png", "seen.png"):
        Image.new("RGBA", (40, 30), (200, 100, 50, 128)).save(tmp_path / name)
    made = RunResult("studio_headshot", "ab" * 32, "local", titles={"1": "Check", "2": "Save"})
    made.outputs = [SavedFile(tmp_path / "out.png", "2", "Save")]
    made.previews = [SavedFile(tmp_path / "seen.png", "1", "Check")]
    made.photos = [InputPhoto("3", "Photo", "me.png", tmp_path / "in.png")]
    made.times = [NodeTime("1", "Check", "LikenessCheckLikeness", 1.5), NodeTime("2", "Save", "SaveImage", 0.5, True)]
    models = [{"name": "sface", "use": "embed", "licence": "Apache-2.0", "commercial": "yes"}]
    made.ui = {"1": {"likeness": [check()], "models": models * 2}}
    return made


def page(result, folder):
    return write_report(result, folder)[0].read_text("utf-8")


def test_page_says_what_was_found(result, tmp_path):
    html = page(result, tmp_path)
    for words in (
        "It is the same person.",
        "1 in 10,000 strangers",
        "me.png",
        "yunet-sface",
        "Apache-2.0",
        "Mind this.",
        "0.83",
        "1.50 s",
        "kept",
    ):
        assert words in html
    assert html.count("data:image/jpeg;base64,") == 3
    assert html.count("<b>sface</b>") == 1
    assert 'href="out.png"' in html


def test_what_a_person_should_look_at_stands_under_a_verdict_that_is_no_longer_green(result, tmp_path):
    result.ui["2"] = {"look": [HOSTILE, HOSTILE, 5, "", "There is no body below the chin."]}
    html, report = page(result, tmp_path), RunReport.of(result)
    assert [each.text for each in report.look] == [HOSTILE, "There is no body below the chin."]
    assert "It is the same person. Look at the picture." in html
    assert 'class="verdict unsure"' in html
    assert "Save: There is no body below the chin." in html
    assert HOSTILE not in html
    assert result.verdict is True, "it is still the person"
    result.ui["1"]["likeness"] = [check(passed=False)]
    assert 'class="verdict fail"' in page(result, tmp_path)


@pytest.mark.parametrize(
    ("verdict", "headline", "kind"),
    [
        ("pass", "It is the same person.", "pass"),
        ("look", "It is the same person. Look at the picture.", "unsure"),
        ("not seen", "It is the same person. Look at the picture.", "unsure"),
        ("splendid", "It is the same person. Look at the picture.", "unsure"),
        ("fail", "It is the same person. The picture is poor.", "fail"),
    ],
)
def test_the_verdict_on_the_picture_stands_beside_the_likeness(result, tmp_path, verdict, headline, kind):
    judged = check(passed=True)
    judged["images"][0]["picture"] = {"verdict": verdict, "reasons": [] if verdict == "pass" else [HOSTILE]}
    result.ui["1"]["likeness"] = [judged]
    html, report = page(result, tmp_path), RunReport.of(result)
    assert f"<h1>{headline}</h1>" in html
    assert f'class="verdict {kind}"' in html
    assert report.picture == ("not seen" if verdict == "splendid" else verdict)
    assert report.to_look_at is (verdict != "pass")
    assert HOSTILE not in html


def test_only_kept_pictures_are_looked_at(result):
    judged = check(passed=True)
    judged["images"] = [
        judged["images"][0] | {"index": index, "picture": {"verdict": verdict, "reasons": [verdict]}}
        for index, verdict in enumerate(("fail", "pass"))
    ]
    result.ui["1"]["likeness"] = [judged | {"kept": [1]}]
    assert RunReport.of(result).picture == "pass"
    result.ui["1"]["likeness"] = [judged]
    assert RunReport.of(result).picture == "fail"


def made_id_photo(**more):
    report = {"document_title": "US passport", "rules": [{}], "broken": [], "to_do": [], "warnings": []}
    return {"4": {"id_photo": [report | more], "models": [{"name": "yunet"}], "text": ["A line of the node."]}}


def test_an_id_photo_that_was_made_is_no_picture_without_a_check(result, tmp_path):
    result.ui = made_id_photo()
    assert result.verdict is True
    said = page(result, tmp_path)
    assert "An ID photo was made; rules kept." in said
    assert "no likeness check" not in said
    assert "A line of the node." in said


def test_a_broken_rule_of_the_frame_fails_the_run_and_warnings_are_told(result, tmp_path):
    broken, warning = "Head height: 30.1 mm, and 25.4 to 34.9 are asked for.", "The picture is enlarged 4.84 times."
    result.ui = made_id_photo(broken=[broken], to_do=["Step back."], warnings=[warning])
    assert result.verdict is False
    said = page(result, tmp_path)
    assert "An ID photo was made; rules are broken." in said
    assert broken in said
    assert about_id_photo(IDPhotoReport.read(result.id_photos[0])) == [
        f"Broken   {broken}",
        "To do    Step back.",
        f"Warning  {warning}",
    ]
    result.ui["5"] = {"compliance": [{"kind": "id_photo", "verdict": "pass"}]}
    assert result.verdict is False
    assert "rules are broken" in page(result, tmp_path)


def test_a_rate_that_holds_for_every_group_is_told_from_an_average(result, tmp_path):
    assert "About 1 in 10,000 strangers would pass too." in page(result, tmp_path)
    result.ui = {"1": {"likeness": [check(every_group=True)]}}
    said = page(result, tmp_path)
    assert "At most 1 in 10,000 strangers of any group of people that was measured would pass too." in said
    assert "About 1 in" not in said


def test_a_judge_that_is_not_independent_is_not_called_so(result, tmp_path):
    assert "An independent face recogniser looked" in page(result, tmp_path)
    result.ui["1"]["likeness"] = [check(independent=False, warnings=["Node 5 (Restore Face) put the face there."])]
    html = page(result, tmp_path)
    assert "An independent" not in html
    assert "confirmed, but that proves little. See the warnings." in html
    assert "Node 5 (Restore Face) put the face there." in html


@pytest.mark.parametrize("nonsense", [3, "many", {"a": 1}, [4, None], None])
def test_nonsense_in_a_comparison_is_no_picture(result, tmp_path, nonsense):
    result.ui = {"1": {"comparison": [{"pictures": nonsense, "threshold": "high", "baseline": 7}]}}
    assert "0 of 0 pictures" in page(result, tmp_path)
    result.ui = {"1": {"comparison": [{"pictures": [{"x": 1}, {"cosine": "high", "label": HOSTILE}]}]}}
    assert "0 of 2 pictures" in page(result, tmp_path)


def test_page_stands_alone(result, tmp_path):
    html = page(result, tmp_path)
    assert "<script" not in html
    assert not re.findall(r"""(?:src|href)=["'](?!data:|out\.png)""", html)
    assert "url(" not in html
    assert "default-src 'none'" in html


def test_failed_check_gives_its_reason(result, tmp_path):
    result.ui["1"]["likeness"] = [check(False)]
    html = page(result, tmp_path)
    assert "The likeness was not confirmed." in html
    assert "It is the same person." not in html
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["verdict"] is False


def test_run_without_check_claims_nothing(result, tmp_path):
    result.ui = {}
    assert "Not checked" in page(result, tmp_path)


def test_picture_without_face_has_no_number(result, tmp_path):
    report = check(False, baseline=None, best=None)
    report["images"][0] |= {"outcome": "no_face", "cosine": None, "score": None, "reason": "No face was found."}
    result.ui["1"]["likeness"] = [report]
    html = page(result, tmp_path)
    assert "No face found" in html
    assert "–" in html


def test_hostile_names_are_only_text(result, tmp_path):
    result.workflow = HOSTILE
    result.photos = [InputPhoto("3", HOSTILE, HOSTILE, tmp_path / "in.png")]
    result.titles = {"1": HOSTILE}
    result.times = [NodeTime("1", HOSTILE, "X", 1.0)]
    report = check(engine=HOSTILE, threshold_source=HOSTILE, warnings=[HOSTILE])
    report["images"][0] |= {"reason": HOSTILE, "outcome": HOSTILE}
    model = {"name": HOSTILE, "licence": HOSTILE, "commercial": HOSTILE, "use": HOSTILE}
    result.ui = {"1": {"likeness": [report], "models": [model]}}
    html = page(result, tmp_path)
    assert "<script" not in html
    assert "<img src=x" not in html
    assert html.count("&lt;script&gt;") >= 10
    assert ">49<" not in html


def test_report_json_is_complete(result, tmp_path):
    _, path = write_report(result, tmp_path)
    values = json.loads(path.read_text("utf-8"))
    assert values["likeness"][0]["title"] == "Check"
    assert values["models"] == [{"name": "sface", "use": "embed", "licence": "Apache-2.0", "commercial": "yes"}]
    assert values["times"][0]["seconds"] == 1.5
    assert "torch" in values["versions"]


def test_unwritable_folder(result, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.OutputUnwritable):
        write_report(result, tmp_path / "file")


def test_scale_places_everything_between_its_ends():
    scale = likeness_scale(LikenessReport.read(check()))
    assert scale is not None
    assert scale.median is not None
    assert (scale.threshold.at, scale.scores[0].at, scale.baseline, scale.median.at) == (40.0, 83.0, (62.0, 71.0), 71.0)
    assert [tick.value for tick in scale.ticks] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def test_scale_makes_room_for_negative_scores():
    report = check()
    report["images"][0]["cosine"] = -0.31
    scale = likeness_scale(LikenessReport.read(report))
    assert scale is not None
    assert scale.ticks[0].value == -0.4
    assert 0 < scale.scores[0].at < scale.threshold.at


@pytest.mark.parametrize("report", [{}, {"threshold": None}, {"threshold": "x"}, {"threshold": float("nan")}])
def test_no_threshold_no_scale(report):
    assert likeness_scale(LikenessReport.read(report)) is None


def test_the_kept_pictures_decide_where_pictures_were_chosen():
    images = [{"index": 0, "passed": False}, {"index": 1, "passed": True}]
    assert report_passed({"all_passed": False, "kept": [1], "images": images})
    assert not report_passed({"all_passed": False, "kept": [0, 1], "images": images})
    assert not report_passed({"all_passed": True, "kept": [], "images": images})
    assert not report_passed({})


def test_only_the_kept_pictures_are_called_confirmed(result, tmp_path):
    """A picture that failed and was not chosen must not be counted among the confirmed ones."""
    report = check(all_passed=False, kept=[0])
    report["images"].append(
        {"index": 1, "outcome": "fail", "passed": False, "cosine": 0.1, "score": 0.0, "reason": "x"}
    )
    result.ui["1"]["likeness"] = [report]
    html = page(result, tmp_path)
    assert "and the picture was confirmed" in html
    assert "Picture 1, kept" in html
    assert "Picture 2, kept" not in html


def test_two_photos_are_compared_where_nothing_came_out(result, tmp_path):
    result.outputs = []
    result.photos.append(InputPhoto("4", "Photo to check", "other.png", tmp_path / "out.png"))
    html = page(result, tmp_path)
    assert "<b>Photo</b> me.png" in html
    assert "<b>Photo to check</b> other.png" in html
    assert "Before" not in html


@pytest.mark.parametrize(("value", "text"), [(0.5, "0.50"), (-0.5, "−0.50"), (None, "–"), (True, "–"), ("x", "–")])
def test_numbers(value, text):
    assert number(value) == text


@pytest.mark.parametrize(("value", "text"), [(1.0, "> 99.9%"), (0.0, "< 0.1%"), (0.9732, "97.3%")])
def test_probability_is_never_certain(value, text):
    assert chance(value) == text


def test_thumbnails_are_upright_and_bounded(tmp_path):
    picture = Image.new("RGB", (4000, 1000))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    import base64
    import io

    thumb = thumbnail(tmp_path / "turned.jpg", 200)
    assert thumb is not None
    assert thumb.ratio == 0.25
    with Image.open(io.BytesIO(base64.b64decode(thumb.uri.partition(",")[2]))) as small:
        assert small.size == (50, 200)


def test_unreadable_picture_is_left_out(tmp_path):
    (tmp_path / "x.png").write_bytes(b"nothing")
    assert thumbnail(tmp_path / "x.png") is None
    assert thumbnail(tmp_path / "missing.png") is None


def test_refused_reference_photos_are_named(result, tmp_path):
    photos = [
        {"index": 0, "outcome": "pass", "reason": "Accepted.", "agreement": 0.74},
        {"index": 1, "outcome": "no_face", "reason": "No face was found in it <b>.", "agreement": None},
    ]
    result.ui = {"1": {"enrollment": [{"engine": "yunet-sface", "accepted": 1, "photos": photos}]}}
    html = page(result, tmp_path)
    assert "A person was enrolled." in html
    assert "1 of 2 reference photos were accepted" in html
    assert "No face was found in it &lt;b&gt;." in html
    assert "Agrees with the others by 0.74" in html
    assert json.loads((tmp_path / "report.json").read_text())["enrollments"][0]["photos"][1]["outcome"] == "no_face"


def test_what_nodes_said_is_in_the_page_unless_it_is_shown_otherwise(result, tmp_path):
    result.ui["1"]["text"] = ["the verdict, said again"]
    result.ui["4"] = {"text": ["portrait of a <person>\nNegative: blurry", 7, " "]}
    result.titles["4"] = "Prompt"
    html = page(result, tmp_path)
    assert "<dt>Prompt</dt><dd>portrait of a &lt;person&gt;\nNegative: blurry</dd>" in html
    assert "the verdict, said again" not in html


def test_a_run_without_pictures_claims_none(result, tmp_path):
    result.ui, result.outputs = {}, []
    html = page(result, tmp_path)
    assert "<h1>Done</h1>" in html
    assert "nothing was proven" not in html


def test_a_comparison_shows_its_pictures_whole_and_no_before_and_after(result, tmp_path):
    result.ui = {"1": {"comparison": [{"pictures": [], "threshold": 0.4, "engine": "yunet-sface"}]}}
    html = page(result, tmp_path)
    assert 'class="grid uncut"' in html
    assert "<b>Before</b>" not in html
    assert "out.png" in html


@pytest.mark.parametrize(("cosines", "fit"), [([0.5, 0.6], True), ([0.5, 0.52], False), ([0.1, 0.3, 0.5, 0.7], False)])
def test_numbers_stand_on_the_scale_only_where_they_have_room(cosines, fit):
    scale = likeness_scale(
        LikenessReport.read({"threshold": 0.4, "images": [{"cosine": cosine} for cosine in cosines]})
    )
    assert scale is not None
    assert scale.numbers_fit is fit


def test_a_report_is_about_these_files_and_no_others(astronaut, tmp_path):
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "x"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "p"}},
    }
    (tmp_path / "w.json").write_text(json.dumps(graph))
    finished = run(tmp_path / "w.json", [astronaut], tmp_path / "out")
    told = json.loads(finished.json.read_text("utf-8"))
    assert told["photos"][0]["sha256"] == hashlib.sha256(astronaut.read_bytes()).hexdigest()
    (saved,) = finished.result.outputs
    assert told["outputs"][0]["sha256"] == hashlib.sha256(saved.path.read_bytes()).hexdigest()
