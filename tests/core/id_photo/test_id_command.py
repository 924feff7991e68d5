"""`likeness id`: files in exact size with their report, folders, exit codes, and nothing written over."""

from __future__ import annotations

import html
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio.core.errors import Interrupted
from likeness_studio.core.id_photo import MakeOptions
from likeness_studio.core.id_photo.documents import document
from likeness_studio.core.imaging import srgb_profile
from likeness_studio.core.provenance import xmp
from likeness_studio.runner.api.id_photo_files import save_new
from likeness_studio.runner.api.id_photos import IDPhotoMaker, Job
from likeness_studio.runner.cli import main
from likeness_studio.runner.errors import OutputUnwritable

pytestmark = pytest.mark.models
SMALL = ("--matte", "u2netp")
OUTCOMES = ("fail", "uncertain")


def call(*words):
    return CliRunner().invoke(main, ["id", *(str(word) for word in words), *SMALL])


def last_object(outcome):
    return json.loads(outcome.stdout.strip().splitlines()[-1])


def test_a_photo_its_overlay_and_its_report(astronaut, tmp_path):
    outcome = call(astronaut, "-d", "us-passport", "-o", tmp_path / "out")
    assert outcome.exit_code in (0, 3), outcome.output
    names = sorted(path.name.removeprefix("astronaut.us-passport") for path in (tmp_path / "out").iterdir())
    assert names == [".jpg", ".overlay.png", ".report.html", ".report.json"]
    with Image.open(tmp_path / "out" / "astronaut.us-passport.jpg") as made:
        assert (made.format, made.size, made.info["dpi"]) == ("JPEG", (602, 602), (300, 300))
        assert made.info["icc_profile"] == srgb_profile()
        claims = xmp.read(made.info["xmp"])
    assert claims.record is not None
    assert claims.record.generative.value == "none"
    assert claims.record.document == "us-passport"
    report = json.loads((tmp_path / "out" / "astronaut.us-passport.report.json").read_text())
    assert report["made"]["broken"] == []
    assert report["made"]["edits_made"] == []
    assert report["check"]["document"] == "us-passport"
    assert report["provenance"]["statement"].startswith("No generative step")
    for words in ("Photo ", "Rule     head height", "kept", "Check ", "Warning"):
        assert words in outcome.stdout


def test_the_exit_code_is_that_of_the_check(astronaut, tmp_path):
    outcome = call(astronaut, "-d", "us-passport", "-o", tmp_path, "--json")
    (photo,) = last_object(outcome)["photos"]
    fails = [check for check in photo["check"]["checks"] if check["outcome"] == "fail"]
    assert photo["failed"] == bool(fails)
    assert outcome.exit_code == (3 if fails else 0)
    without = call(astronaut, "-d", "us-passport", "-o", tmp_path, "--no-check", "--json")
    assert without.exit_code == 0
    (photo,) = last_object(without)["photos"]
    assert photo["check"] is None
    assert photo["file"].endswith("astronaut.us-passport_2.jpg")


def test_an_upload_has_its_pixels_and_stays_under_its_limit(astronaut, tmp_path):
    rules = document("us-visa")
    assert rules.file_bytes is not None
    outcome = call(astronaut, "-d", "us-visa", "--size", "upload", "-o", tmp_path / "me.jpg", "--no-check")
    assert outcome.exit_code == 0, outcome.output
    assert (tmp_path / "me.jpg").stat().st_size <= rules.file_bytes.high
    with Image.open(tmp_path / "me.jpg") as made:
        assert made.size == rules.pixels


def test_a_png_where_the_document_takes_it(astronaut, tmp_path):
    outcome = call(astronaut, "-d", "linkedin", "-o", tmp_path / "me.png", "--background", "plain", "--no-check")
    assert outcome.exit_code == 0, outcome.output
    assert "Edited   The background was replaced by plain #FFFFFF." in outcome.stdout
    with Image.open(tmp_path / "me.png") as made:
        assert made.format == "PNG"
        assert made.getpixel((3, 3)) == (255, 255, 255)


def test_a_format_that_the_document_does_not_take_is_changed_and_said(astronaut, tmp_path):
    outcome = call(astronaut, "-d", "schengen-visa", "-o", tmp_path / "me.png", "--no-check")
    assert "Saved as JPEG: the Schengen visa takes no PNG." in outcome.stdout
    assert (tmp_path / "me.jpg").is_file()


def test_plain_is_refused_by_name_where_edits_are_forbidden(astronaut, tmp_path):
    outcome = call(astronaut, "-d", "us-passport", "--background", "plain", "-o", tmp_path, "--json")
    assert outcome.exit_code == 3
    (photo,) = last_object(outcome)["photos"]
    assert photo["refused"]["code"] == "alteration_forbidden"
    assert "US passport" in photo["refused"]["message"]
    assert photo["made"]["edits_made"] == []
    assert photo["check"]["notes"][0].startswith("Refused: US passport")
    with Image.open(tmp_path / "astronaut.us-passport.jpg") as made:
        assert made.size == (602, 602)
    again = call(astronaut, "-d", "us-passport", "--background", "plain", "-o", tmp_path)
    assert again.exit_code == 3
    assert "Refused  [alteration_forbidden] US passport: the photo must not be altered" in again.stdout
    kept = call(astronaut, "-d", "us-passport", "--background", "keep", "-o", tmp_path, "--json")
    assert last_object(kept)["photos"][0]["refused"] is None
    plain, own = (tmp_path / f"astronaut.us-passport{number}.jpg" for number in ("", "_3"))
    assert Image.open(plain).tobytes() == Image.open(own).tobytes()


def test_the_notes_of_the_document_are_told(astronaut, tmp_path):
    outcome = call(astronaut, "-d", "uk-passport", "-o", tmp_path)
    notes = document("uk-passport").notes
    assert any("cut down from larger pictures" in note for note in notes)
    report = json.loads((tmp_path / "astronaut.uk-passport.report.json").read_text())
    page = html.unescape((tmp_path / "astronaut.uk-passport.report.html").read_text())
    for note in notes:
        assert f"Note     {document('uk-passport').title}: {note}" in outcome.stdout
        assert note in report["made"]["document_notes"]
        assert note in page
    assert "<td>unclear</td>" not in page
    assert "face detection" in page


def test_the_check_names_doubts_beside_broken_rules(astronaut, tmp_path):
    outcome = call(astronaut, "-d", "us-passport", "-o", tmp_path)
    report = json.loads((tmp_path / "astronaut.us-passport.report.json").read_text())
    titles = {each: [c["title"] for c in report["check"]["checks"] if c["outcome"] == each] for each in OUTCOMES}
    assert all(titles.values())
    line = f"Check    Uncertain, so a person must look at: {', '.join(titles['uncertain'])}."
    assert line in outcome.stdout.splitlines()


def test_a_folder_goes_on_after_a_photo_that_cannot_be_used(astronaut, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(astronaut.read_bytes())
    (folder / "b.jpg").write_bytes(astronaut.read_bytes()[:5000])
    Image.new("RGB", (300, 300), "grey").save(folder / "c.png")
    outcome = call(folder, "-d", "icao", "-o", tmp_path / "out", "--no-check", "--json", "--sheet", "a4")
    assert outcome.exit_code == 1
    events = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [event["event"] for event in events if event["event"] != "node"] == ["photo", "refused", "refused", "result"]
    assert [refused["code"] for refused in events[-1]["refused"]] == ["photo_unreadable", "face_not_usable"]
    (sheet,) = events[-1]["sheet"]
    assert sheet.endswith(".A4.pdf")
    told = call(folder, "-d", "icao", "-o", tmp_path / "out", "--no-check")
    assert "Refused  b.jpg" in told.stderr
    assert "1 made, 1 of them without a broken rule; 2 refused" in told.stdout


def test_several_documents_of_one_photo(astronaut, tmp_path):
    """Each gets its file and its sheet; what one document refuses is left out of its photo only."""
    words = ("-d", "cv", "-d", "us-passport", "-d", "cv-de", "-d", "cv", "--background", "plain")
    outcome = call(astronaut, *words, "-o", tmp_path, "--no-check", "--json", "--sheet", "a4")
    assert outcome.exit_code == 3
    told = last_object(outcome)
    assert told["documents"] == ["cv", "us-passport", "cv-de"]
    refused = [photo["made"]["document"] for photo in told["photos"] if photo["refused"] is not None]
    assert refused == ["us-passport"]
    assert told["refused"] == []
    names = sorted(path.name for path in tmp_path.iterdir() if path.suffix in (".jpg", ".pdf"))
    made = ("cv", "cv-de", "us-passport")
    assert names == sorted(f"astronaut.{each}{ending}" for each in made for ending in (".A4.pdf", ".jpg"))
    one_file = call(astronaut, *words, "-o", tmp_path / "me.jpg")
    assert one_file.exit_code == 2
    assert "3 ID photos" in one_file.stderr


def test_no_sheet_of_what_is_never_printed(astronaut, tmp_path):
    outcome = call(astronaut, "-d", "linkedin", "-o", tmp_path / "out", "--sheet", "a4", "--json")
    assert outcome.exit_code == 1
    assert last_object(outcome)["code"] == "print_size_unknown"
    assert not (tmp_path / "out").exists()


def test_an_exif_rotated_photo_is_upright(astronaut, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(astronaut) as photo:
        photo.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "lying.jpg", exif=exif, quality=95)
    outcome = call(tmp_path / "lying.jpg", "-d", "us-passport", "-o", tmp_path / "out", "--no-check", "--json")
    assert outcome.exit_code == 0, outcome.output
    assert abs(last_object(outcome)["photos"][0]["made"]["turned_degrees"]) < 5


def test_wrong_usage(astronaut, tmp_path):
    assert call(astronaut).exit_code == 2
    assert call(astronaut, tmp_path, "-d", "icao", "-o", tmp_path / "one.jpg").exit_code in (1, 2)
    unknown = call(astronaut, "-d", "us-pasport", "-o", tmp_path)
    assert unknown.exit_code == 1
    assert "us-passport" in unknown.stderr
    gif = call(astronaut, "-d", "icao", "-o", tmp_path / "me.gif")
    assert gif.exit_code == 2
    assert ".gif is not written" in gif.stderr
    nowhere = call(tmp_path / "nobody.jpg", "-d", "icao", "-o", tmp_path)
    assert nowhere.exit_code == 1
    assert "photo_missing" in nowhere.stderr


def test_a_folder_with_the_name_of_a_file(astronaut, tmp_path):
    (tmp_path / "me.jpg").mkdir()
    outcome = call(astronaut, "-d", "icao", "-o", tmp_path / "me.jpg", "--no-check")
    assert outcome.exit_code == 0
    assert (tmp_path / "me.jpg" / "astronaut.icao.jpg").is_file()


def test_a_name_that_is_taken_is_left_alone(tmp_path):
    paths = [save_new(tmp_path / "new" / "me.jpg", bytes([index])) for index in range(3)]
    assert [path.name for path in paths] == ["me.jpg", "me_2.jpg", "me_3.jpg"]
    assert [path.read_bytes() for path in paths] == [b"\0", b"\1", b"\2"]
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputUnwritable):
        save_new(tmp_path / "file" / "me.jpg", b"")


def test_the_statement_is_not_made_of_a_generated_photo(astronaut, tmp_path):
    """A photo that says that a network made it stays one when it is cut."""
    said = b"https://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        b"<e:DigitalSourceType>" + said.replace(b"https", b"http") + b"</e:DigitalSourceType>"
        b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    with Image.open(astronaut) as photo:
        photo.save(tmp_path / "generated.jpg", xmp=packet)
    job = Job(MakeOptions(document("linkedin")), matte="u2netp", check=False)
    finished = IDPhotoMaker(job).make_file(tmp_path / "generated.jpg", tmp_path / "out.jpg")
    assert finished.record.generative.value == "some"


def test_ctrl_c_stops_between_photos(astronaut, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(200):
        (folder / f"{index:03}.jpg").symlink_to(astronaut)
    words = [sys.executable, "-c", "from likeness_studio.runner.cli import main; main()", "id", str(folder)]
    words += ["-d", "icao", "-o", str(tmp_path / "out"), "--json", "--no-check", *SMALL]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    while '"event": "photo"' not in process.stdout.readline():
        assert process.poll() is None
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - began < 6
    assert json.loads(out.strip().splitlines()[-1])["code"] == Interrupted.code
    made = list((tmp_path / "out").glob("*.jpg"))
    assert len(made) < 200
    (table,) = (tmp_path / "out").glob("*.csv")
    assert len(table.read_text(encoding="utf-8-sig").splitlines()) == len(made) + 1
