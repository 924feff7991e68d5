"""`likeness headshot` and `make_headshots`: real nodes, real photos; names, formats, refusals, exit codes, privacy."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile

import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio import make_headshot, make_headshots
from likeness_studio.core.errors import FaceNotUsable, Interrupted, PhotoMissing, PhotoUnreadable
from likeness_studio.runner.api import Headshot
from likeness_studio.runner.cli import main
from likeness_studio.runner.errors import Misuse
from likeness_studio.runner.workflow.headshot_graph import Behind, HeadshotChoices, crop_named, headshot_workflow

models = pytest.mark.models


@pytest.fixture
def desk(tmp_path, astronaut, monkeypatch):
    """A folder of photos: one that is good, one without a face, one that is damaged, and one that is no picture."""
    shutil.copy(astronaut, tmp_path / "me.jpg")
    many = tmp_path / "many"
    many.mkdir()
    shutil.copy(astronaut, many / "anna.jpg")
    Image.effect_noise((400, 300), 40).convert("RGB").save(many / "wall.png")
    (many / "torn.jpg").write_bytes(astronaut.read_bytes()[:20_000])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def likeness(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize(
    ("text", "style", "colour"),
    [
        ("navy", "seamless paper", "navy"),
        ("#FFEEDD", "seamless paper", "#ffeedd"),
        ("gradient", "gradient", "studio grey"),
        ("Gradient Navy", "gradient", "navy"),
        ("blurred office", "blurred office", "studio grey"),
    ],
)
def test_a_background_is_read_as_people_write_it(text, style, colour):
    assert Behind.read(text) == Behind(style, colour)


def test_a_background_may_be_nothing_or_a_picture(desk):
    assert Behind.read("Transparent").transparent
    assert Behind.read("me.jpg").picture == (desk / "me.jpg").relative_to(desk)
    with pytest.raises(PhotoMissing, match=r"beach\.jpg"):
        Behind.read("beach.jpg")
    with pytest.raises(Misuse, match="seamless paper"):
        Behind.read("purplish")


def test_a_cut_goes_by_its_first_word():
    assert crop_named("square") == "square profile"
    assert crop_named("head-and-shoulders") == "head and shoulders"
    with pytest.raises(Misuse, match="tight portrait"):
        crop_named("knee length")


def test_the_workflow_is_the_bundled_one():
    from likeness_studio.runner.workflow import Workflow

    bundled, ours = Workflow.load("studio_headshot"), headshot_workflow(HeadshotChoices())
    changed = {node.title for node in bundled if ours.nodes[node.id].inputs != node.inputs}
    assert changed == {"Save headshot"}, "with nothing chosen it differs in how the file is saved only"
    assert [node.class_type for node in ours if node.title == "Save headshot"] == ["LikenessSaveWithProvenance"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--background", "transparent", "--format", "jpg"], "transparent"),
        (["--name", "{name}.png", "--format", "jpg"], "does not go with"),
        (["--name", "{who}.png"], "{name}, {number}, {date}"),
        (["--name", "{name"], "cannot be read"),
        (["--name", "../{name}"], "no file name"),
        (["--name", "{name}.bmp"], ".bmp"),
        (["--crop", "knees"], "square profile"),
        (["--background", "purplish"], "navy"),
        (["--out", "one.jpg", "--name", "{name}"], "--name"),
        (["--out", "one.jpg", "me.jpg"], "one file for 2"),
        (["--person", "a.safetensors", "--person", "me.jpg"], "one saved identity"),
    ],
)
def test_choices_that_make_no_sense_are_told_before_anything_runs(desk, options, word):
    done = likeness("headshot", "me.jpg", *options)
    assert done.exit_code == 2
    assert word in done.output
    assert not (desk / "output").exists()


@models
def test_one_photo(desk):
    done = likeness("headshot", "me.jpg", "--out", "made", "--width", 240, "--background", "navy", "--json")
    assert done.exit_code == 0, done.output
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["headshots"][0]["verdict"] is True
    names = sorted(path.name for path in (desk / "made").iterdir())
    assert names == ["me.headshot.jpg", "me.headshot.report.html", "me.headshot.report.json"]
    report = json.loads((desk / "made" / names[2]).read_text())
    assert report["outputs"][0]["file"] == str(desk / "made" / "me.headshot.jpg")
    assert report["photos"][0]["name"] == "me.jpg"
    with Image.open(desk / "made" / names[0]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (240, 300))
    for name in names:
        assert (desk / "made" / name).stat().st_mode & 0o077 == 0, "only the owner may look"
    again = make_headshot("me.jpg", "made", width=240)
    assert again.path.name == "me.headshot_2.jpg"
    assert again.html.name == "me.headshot_2.report.html"
    assert json.loads((desk / "made" / names[2]).read_text()) == report, "the first report stays"


@models
def test_many_photos_with_bad_ones_among_them(desk):
    options = ("--out", "made", "--width", 240, "--flat", "--zip", "--name", "{number}-{name}.jpg")
    done = likeness("headshot", "many", "me.jpg", *options)
    assert done.exit_code == 1
    for line in ("Refused  wall.png: [face_not_usable] No face", "Refused  torn.jpg: [photo_unreadable] cannot be"):
        assert line in done.output
    assert "enroll" not in done.output
    assert "reference photo" not in done.output
    assert "2 made, 2 of them confirmed, " in done.output
    assert "; 2 refused" in done.output
    table = done.output[done.output.index("Photo  ") :]
    assert table.index("wall.png") < table.index("anna.jpg"), "what went wrong comes first"
    made = desk / "made"
    assert {path.name for path in made.glob("*.jpg")} == {"1-anna.jpg", "4-me.jpg"}
    assert {path.name for path in (made / "reports").iterdir()} == {
        f"{name}.report.{ending}" for name in ("1-anna", "4-me") for ending in ("html", "json")
    }
    with zipfile.ZipFile(made / "headshots.zip") as packed:
        assert packed.namelist() == ["1-anna.jpg", "4-me.jpg"]
    with (made / "verdicts.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows] == ["refused", "refused", "passed", "passed"]
    page = (made / "contact_sheet.html").read_text()
    for word in ("wall", "torn", "anna", "No face was found", "reports/1-anna.report.html"):
        assert word in page
    likeness("headshot", "many", "--out", "made", "--width", 240)
    assert (made / "contact_sheet_2.html").is_file()
    assert (made / "contact_sheet.html").read_text() == page, "an earlier overview stays"


@models
def test_what_was_made_before_a_stop_is_shown(desk):
    made: list[object] = []
    with pytest.raises(Interrupted, match=r"after 1 of 2 photos\. .*contact_sheet\.html shows what was made"):
        make_headshots(["me.jpg", "many/anna.jpg"], "made", width=240, on_event=made.append, stopped=lambda: _any(made))
    table = (desk / "made" / "verdicts.csv").read_text(encoding="utf-8-sig")
    assert [row["name"] for row in csv.DictReader(table.splitlines())] == ["me"]


def _any(events: list[object]) -> bool:
    return any(isinstance(event, Headshot) for event in events)


@models
def test_a_single_bad_photo_is_the_error_of_the_command(desk):
    with pytest.raises(FaceNotUsable, match=r"^wall\.png: No face"):
        make_headshot("many/wall.png", "made")
    with pytest.raises(PhotoUnreadable, match=r"^torn\.jpg: cannot be decoded"):
        make_headshot("many/torn.jpg", "made")
    done = likeness("headshot", "many/wall.png", "--out", "made")
    assert done.exit_code == 1
    assert "error [face_not_usable] wall.png: No face" in done.output
    with pytest.raises(Misuse):
        make_headshot("many", "made")


@models
def test_a_transparent_one_keeps_the_persons_pixels_and_says_how_it_was_made(desk):
    from likeness_studio import verify_file

    made = make_headshot("me.jpg", "made/clear.png", background="transparent", width=240)
    assert made.path == desk / "made" / "clear.png"
    assert made.confirmed
    with Image.open(made.path) as picture:
        assert picture.mode == "RGBA"
        alpha = picture.getchannel("A")
        assert alpha.crop((2, 2, 3, 3)).tobytes() == b"\x00"
        assert alpha.crop((120, 150, 121, 151)).tobytes()[0] > 250
        assert "prompt" not in picture.info
    claims = verify_file(made.path).claims
    assert claims is not None
    assert claims.record is not None
    assert "No generative step" in claims.record.statement


@models
def test_a_picture_fills_the_frame_behind_the_person(desk):
    Image.new("RGB", (90, 40), (10, 200, 30)).save(desk / "green.png")
    made = make_headshot("me.jpg", "made", background="green.png", crop="square", width=200, format="png")
    with Image.open(made.path) as picture:
        assert picture.size == (200, 200)
        red, green, blue = picture.crop((3, 3, 4, 4)).tobytes()
        assert green > 150 > 100 > max(red, blue)
    assert made.confirmed


@models
def test_one_damaged_photo_of_the_person_does_not_end_it(desk, portraits):
    person = desk / "person"
    person.mkdir()
    for name in ("obama.jpg", "obama2.jpg"):
        shutil.copy(portraits / name, person / name)
    (person / "torn.jpg").write_bytes((desk / "me.jpg").read_bytes()[:20_000])
    found = make_headshots([portraits / "obama3.jpg"], "made", person=[person], width=240)
    assert found.made[0].confirmed
    (enrolled,) = found.made[0].report.enrollments
    assert [photo.name for photo in enrolled.photos] == ["obama3.jpg", "obama.jpg", "obama2.jpg"]
    assert "torn.jpg cannot be decoded" in found.made[0].html.read_text()


def test_help_needs_no_network_and_no_torch(desk):
    done = likeness("headshot", "--help")
    assert done.exit_code == 0
    for word in ("transparent", "navy", "blurred office", "square", "{name}"):
        assert word in done.output


@models
@pytest.mark.comfyui
def test_a_server_makes_the_same_and_its_refusals_name_the_file(desk, comfyui_server):
    Image.new("RGB", (90, 40), (10, 200, 30)).save(desk / "green.png")
    found = make_headshots(["me.jpg", "many/wall.png"], "made", background="green.png", server=comfyui_server.url)
    assert [each.path.name for each in found.made] == ["me.headshot.jpg"]
    assert found.made[0].confirmed
    assert [(each.error.code, each.reason[:7]) for each in found.refused] == [("face_not_usable", "No face")]
    clear = make_headshot("me.jpg", "made", background="transparent", width=240, server=comfyui_server.url)
    with Image.open(clear.path) as picture:
        assert (picture.mode, picture.size) == ("RGBA", (240, 300))
