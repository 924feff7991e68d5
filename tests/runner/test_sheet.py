"""The contact sheet shows every job, runs nothing that a name says, and works by mouse, by keyboard and on paper."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from likeness_studio.runner import errors
from likeness_studio.runner.batch import contact_sheet as sheet
from likeness_studio.runner.batch import verdict_tables as facts
from likeness_studio.runner.batch.contact_sheet import thumbnail_job, write_sheet
from likeness_studio.runner.batch.job_records import Attempt, Counts, JobRow, JobSpec
from likeness_studio.runner.workflow import Given, Setting

HOSTILE = "</script><script>window.hacked=1</script>\"'><img src=x onerror=window.hacked=1>{{ 7*7 }}<!--\u2028‮"

MODELS = [{"name": "sface", "use": "face embedding", "licence": "Apache-2.0", "commercial": "yes"}]


def picture(path, colour=(200, 100, 50), size=(400, 500)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def job(folder: Path, name: str, **more) -> JobRow:
    """A finished job with a photo outside of the batch's folder and a result in it."""
    photo = picture(folder.parent / "photos" / f"{len(name)}-{abs(hash(name))}.png")
    made = picture(folder / f"job-{abs(hash(name))}" / "out.png", (40, 80, 160))
    check = {"threshold": 0.42, "best": 0.83, "images": [{"passed": True, "reason": "Likeness 0.83 reaches it."}]}
    result = {"outputs": [{"file": made.relative_to(folder).as_posix()}], "likeness": [check], "models": MODELS}
    values: dict[str, Any] = {
        "key": name.encode("utf-8", "replace").hex(),
        "name": name,
        "state": "done",
        "verdict": "passed",
    }
    values |= {"spec": JobSpec(name, (Given(photo),)), "score": 0.83, "folder": made.parent.name, "result": result}
    values |= {"server": "http://gpu:8188", "seconds": 3.25, "finished": 1.0}
    values["attempts"] = (Attempt(1, "http://gpu:8188", "p", 7, 1.0, 3.25, "passed", 0.83),)
    return JobRow(**(values | more))


def refused(folder, name, **more):
    error = f"Photo (node 1) failed: {name}.jpg cannot be decoded; save it again."
    values: dict[str, Any] = {"state": "failed", "verdict": "refused", "score": None, "result": None, "error": error}
    return job(folder, name, **(values | {"error_code": "photo_unreadable", "attempts": ()} | more))


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "batch"
    made.mkdir()
    return made


def write(rows, folder, title="studio_headshot on team"):
    counts = Counts(total=len(rows), done=len(rows))
    return write_sheet(rows, folder, title=title, counts=counts, thumbs=folder / "thumbs")


def data(page: Path):
    found = re.search(r'<script type="application/json" id="jobs">(.*?)</script>', page.read_text("utf-8"), re.S)
    assert found
    return json.loads(found[1])


def test_every_job_is_a_card_with_its_facts(folder):
    page = write([job(folder, "ann"), refused(folder, "bob"), job(folder, "cy", state="pending", verdict=None)], folder)
    assert page == folder / "contact_sheet.html"
    ann, bob, cy = data(page)["jobs"]
    assert (ann["kind"], ann["word"], ann["score"], ann["threshold"]) == ("passed", "Same person", 0.83, 0.42)
    assert (ann["tries"], ann["server"], ann["seconds"]) == (1, "http://gpu:8188", 3.25)
    assert ann["attempts"][0]["seed"] == 7
    assert data(page)["models"][ann["models"]] == MODELS
    assert (bob["word"], bob["code"]) == ("Refused", "photo_unreadable")
    assert bob["reason"] == "bob.jpg cannot be decoded; save it again."
    assert cy["kind"] == "pending"


def test_the_filters_have_the_counts(folder):
    html = write([job(folder, "ann"), job(folder, "al"), refused(folder, "bob")], folder).read_text("utf-8")
    counts = dict(re.findall(r'data-show="(\w+)"[^>]*><b>(\d+)</b>', html))
    assert counts == {"all": "3", "passed": "2", "not_confirmed": "0", "refused": "1", "failed": "0", "pending": "0"}


def test_a_small_sheet_has_its_pictures_inside(folder):
    ann = data(write([job(folder, "ann")], folder))["jobs"][0]
    assert ann["photo"].startswith("data:image/jpeg;base64,")
    assert ann["result"].startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize("limit", ["INLINE_JOBS", "INLINE_BYTES"])
def test_a_large_sheet_has_its_pictures_beside_it(folder, monkeypatch, limit):
    monkeypatch.setattr(sheet, limit, 1)
    page = write([job(folder, "ann"), job(folder, "bob")], folder)
    for each in data(page)["jobs"]:
        for small in (each["photo"], each["result"]):
            assert re.fullmatch(r"thumbs/[0-9a-f]{24}-(photo|result)\.jpg", small)
            with Image.open(folder / small) as opened:
                assert max(opened.size) == sheet.SIDE
    assert "data:image" not in page.read_text("utf-8")


def test_hostile_names_are_only_text(folder):
    row = job(folder, HOSTILE, server=HOSTILE, error=HOSTILE, error_code=HOSTILE, key=HOSTILE)
    spec = JobSpec(HOSTILE, row.spec.photos, (Setting(HOSTILE, HOSTILE, HOSTILE),))
    tries = (Attempt(1, HOSTILE, HOSTILE, 1, 1.0, 1.0, "failed", None, HOSTILE, HOSTILE),)
    models = [dict.fromkeys(("name", "use", "licence", "commercial"), HOSTILE)]
    row = replace(row, spec=spec, attempts=tries, result={**(row.result or {}), "models": models})
    page = write([row], folder, title=HOSTILE)
    html = page.read_text("utf-8")
    assert html.count("<script") == html.count("</script>") == 2
    assert "<img src=x" not in html
    assert "<!--" not in html
    assert ">49<" not in html
    assert data(page)["jobs"][0]["name"] == HOSTILE


def test_nothing_is_fetched_and_only_our_script_may_run(folder):
    html = write([job(folder, "ann")], folder).read_text("utf-8")
    assert "default-src 'none'" in html
    assert "script-src 'sha256-" in html
    assert not re.findall(r"https?://(?!gpu:8188)", html.replace("^https?:", ""))
    assert "innerHTML" not in html
    assert not re.findall(r"\son\w+=", html)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "javascript:alert(1)", "\0", "missing.png", 7])
def test_files_elsewhere_get_no_link(folder, name):
    picture(folder.parent / "secret.png")
    row = job(folder, "ann")
    values = data(write([replace(row, result={"outputs": [{"file": name}]})], folder))["jobs"][0]
    assert "files" not in values
    assert "result" not in values


def test_links_are_quoted(folder):
    picture(folder / "a b" / "50%#?.png")
    row = job(folder, "ann", result={"outputs": [{"file": "a b/50%#?.png"}]})
    assert data(write([row], folder))["jobs"][0]["files"][0]["href"] == "a%20b/50%25%23%3F.png"


def test_a_link_out_of_the_folder_is_not_followed(folder):
    secret = picture(folder.parent / "secret.png")
    (folder / "link.png").symlink_to(secret)
    row = job(folder, "ann", result={"outputs": [{"file": "link.png"}]})
    assert "result" not in data(write([row], folder))["jobs"][0]


def test_names_that_are_no_unicode_are_shown_all_the_same(folder):
    name = os.fsdecode(b"caf\xe9")
    page = write([job(folder, name)], folder, title=name)
    assert len(data(page)["jobs"]) == 1


def test_broken_and_odd_photos_do_not_stop_the_sheet(folder):
    photos = folder.parent / "photos"
    photos.mkdir()
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    Image.new("I;16", (60, 40), 30000).save(photos / "deep.png")
    Image.new("CMYK", (60, 40)).save(photos / "print.jpg")
    rows = [
        job(folder, name, spec=JobSpec(name, (Given(photos / name),)))
        for name in ("broken.jpg", "deep.png", "print.jpg", "gone.jpg", ".")
    ]
    shown = {each["name"]: "photo" in each for each in data(write(rows, folder))["jobs"]}
    assert shown == {"broken.jpg": False, "deep.png": True, "print.jpg": True, "gone.jpg": False, ".": True}
    deep = thumbnail_job(rows[1], folder, folder / "thumbs").photo
    assert deep is not None
    with Image.open(deep) as opened:
        assert abs(opened.convert("L").tobytes()[500] - 30000 / 257) < 3


def test_thumbnails_are_made_once_and_again_when_the_result_changes(folder):
    row, thumbs = job(folder, "ann"), folder / "thumbs"
    first = thumbnail_job(row, folder, thumbs)
    assert first.photo is not None
    assert first.result is not None
    before = [path.stat().st_ino for path in first.files()]
    assert [path.stat().st_ino for path in thumbnail_job(row, folder, thumbs).files()] == before
    source = folder / facts.output_files(row)[0]
    picture(source, (250, 250, 250))
    os.utime(source, (time.time() + 5, time.time() + 5))
    photo, result = thumbnail_job(row, folder, thumbs).files()
    assert photo.stat().st_ino == before[0]
    with Image.open(result) as opened:
        assert min(opened.tobytes()) > 240
    assert not list(thumbs.glob("*.part"))


def test_a_photo_that_was_moved_away_is_still_shown(folder):
    row = job(folder, "ann")
    thumbnail_job(row, folder, folder / "thumbs")
    row.spec.photos[0].path.unlink()
    assert "photo" in data(write([row], folder))["jobs"][0]


def test_a_batch_of_two_thousand_is_quick_once_thumbnails_are_there(folder):
    """Measured at 0.6 s on two slow cores."""
    base = job(folder, "ann")
    rows = [replace(base, key=f"{number:04}", name=f"ann-{number}") for number in range(2000)]
    small = thumbnail_job(rows[0], folder, folder / "thumbs")
    for row in rows[1:]:
        for kind, path in zip(("photo", "result"), small.files(), strict=True):
            os.link(path, folder / "thumbs" / f"{sheet.thumb_stem(row)}-{kind}.jpg")
    started = time.perf_counter()
    page = write(rows, folder)
    assert time.perf_counter() - started < 10
    assert len(data(page)["jobs"]) == 2000
    assert page.stat().st_size < 3_000_000


def test_an_unwritable_folder_is_said(folder):
    (folder / "file").write_text("")
    with pytest.raises(errors.OutputUnwritable, match="contact sheet"):
        write([], folder / "file")
    with pytest.raises(errors.OutputUnwritable, match="thumbnails"):
        thumbnail_job(job(folder, "ann"), folder, folder / "file")


def test_an_empty_batch_has_a_sheet_too(folder):
    assert data(write([], folder)) == {"jobs": [], "models": [], "sort": "worst"}


def test_a_sheet_that_cannot_be_finished_leaves_the_old_one(folder, monkeypatch):
    page = write([job(folder, "ann")], folder)
    before = page.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sheet, "render_sheet", full)
    with pytest.raises(errors.OutputUnwritable, match="No space left"):
        write([job(folder, "bob")], folder)
    assert page.read_bytes() == before


@pytest.fixture
def team(folder):
    rows = [job(folder, f"ann-{number}", score=0.5 + number / 100, seconds=float(9 - number)) for number in range(10)]
    weak = job(folder, "weak", verdict="not_confirmed", score=0.1, seconds=1.0)
    return write([*rows, weak, refused(folder, "broken", seconds=0.5)], folder)


def wait(page, condition):
    """Until a condition of the page holds; the page's own rules forbid Playwright's way."""
    deadline = time.monotonic() + 10
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)


def names(page):
    return page.locator(".open").all_text_contents()


def test_browser_filters_searches_and_sorts(opened, team):
    page = opened(team)
    assert len(names(page)) == 12
    page.locator("[data-show=refused]").click()
    assert names(page) == ["broken"]
    assert page.locator("[data-show=refused]").get_attribute("aria-pressed") == "true"
    assert "cannot be decoded" in page.locator(".why:not(.look)").inner_text()
    page.locator("[data-show=all]").click()
    page.locator("#sort").select_option("score")
    assert names(page)[:2] == ["weak", "ann-0"]
    page.locator("#sort").select_option("slow")
    assert names(page)[0] == "ann-0"
    page.locator("#sort").select_option("worst")
    assert names(page)[:2] == ["broken", "weak"]
    page.keyboard.press("Tab")
    page.locator("body").click(position={"x": 3, "y": 3})
    page.keyboard.press("/")
    page.keyboard.type("WEAK")
    assert names(page) == ["weak"]
    assert page.locator("#shown").inner_text() == "1 of 12 shown"
    page.locator("#find").fill("nobody")
    page.locator("#reset").click()
    assert len(names(page)) == 12


def test_browser_shows_the_pictures(opened, team):
    page = opened(team)
    wait(page, "[...document.images].every(image => image.complete && image.naturalWidth)")
    assert page.locator(".job img").count() == 23


def test_browser_shows_pictures_that_are_files(opened, folder, monkeypatch):
    monkeypatch.setattr(sheet, "INLINE_JOBS", 0)
    page = opened(write([job(folder, "ann")], folder))
    wait(page, "document.images.length == 2 && [...document.images].every(image => image.naturalWidth)")


def test_browser_opens_the_details_by_keyboard(opened, team):
    page = opened(team, "#sort=name")
    page.locator(".open").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    dialog = page.locator("dialog")
    wait(page, "document.querySelector('#job-name').textContent == 'ann-1'")
    for words in ("Same person", "Seed", "sface", "Apache-2.0", "gpu:8188", "0.510"):
        assert words in dialog.inner_text()
    link = dialog.locator("figure a").first.get_attribute("href")
    assert (team.parent / link).is_file()
    wait(page, "[...document.querySelectorAll('dialog img')].every(image => image.naturalWidth)")
    page.keyboard.press("ArrowRight")
    wait(page, "document.querySelector('#job-name').textContent == 'ann-2'")
    page.keyboard.press("Escape")
    wait(page, "!document.querySelector('dialog').open && document.activeElement.textContent == 'ann-2'")


def test_browser_comes_back_to_where_a_link_says(opened, team):
    page = opened(team, "#show=not_confirmed&job=weak")
    assert page.locator("#job-name").inner_text() == "weak"
    assert names(page) == ["weak"]
    assert len(names(opened(team, "#show=nonsense&sort=%22%5D&job=nobody"))) == 12


def test_browser_runs_nothing_that_a_name_says(opened, folder):
    row = refused(folder, HOSTILE, error=HOSTILE, server=HOSTILE)
    page = opened(write([row], folder, title=HOSTILE))
    page.locator(".open").click()
    assert page.locator("#job-name").inner_text().startswith("</script><script>")
    assert page.evaluate("window.hacked") is None


def test_browser_draws_ten_thousand_jobs_in_pieces(opened, folder):
    base = job(folder, "ann")
    rows = [replace(base, key=f"{at}", name=f"job {at}", spec=JobSpec(f"{at}"), result=None) for at in range(10_000)]
    page = opened(write(rows, folder))
    assert page.locator("#shown").inner_text() == "10,000 shown"
    assert page.locator(".job").count() < 500
    before = page.locator(".job").count()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    wait(page, f"document.querySelectorAll('.job').length > {before}")
    started = time.perf_counter()
    page.locator("#find").fill("job 9999")
    assert names(page) == ["job 9999"]
    assert time.perf_counter() - started < 5


def test_browser_prints_every_job(opened, folder):
    base = job(folder, "ann")
    colours = [picture(folder / f"{at}.png", (at, 255 - at, at // 2)) for at in range(130)]
    results = [{"outputs": [{"file": path.name}]} for path in colours]
    rows = [replace(base, key=f"{at}", name=f"job {at}", result=result) for at, result in enumerate(results)]
    page = opened(write(rows, folder))
    assert page.locator(".job").count() < 130
    pdf = page.pdf(format="A4")
    assert page.locator(".job").count() == 130
    assert pdf.count(b"/Subtype /Image") >= 130


def test_browser_fits_a_telephone(opened, team):
    page = opened(team, viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator(".open").first.click()
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 360
