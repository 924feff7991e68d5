"""`likeness id` for many photos at a time: an overview with what failed first; background colours by name; prints."""

from __future__ import annotations

import csv
import shutil
from itertools import pairwise

import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio import make_id_photos
from likeness_studio.core.errors.formats import BackgroundNotAllowed
from likeness_studio.core.id_photo.background_colours import NAMES, allowed_colour, allowed_names
from likeness_studio.core.id_photo.document import Edits
from likeness_studio.core.id_photo.documents import document, documents
from likeness_studio.runner.cli import main
from likeness_studio.runner.errors import Misuse

models = pytest.mark.models


def likeness_id(*words: object):
    return CliRunner().invoke(main, ["id", *map(str, words), "--matte", "u2netp"])


@pytest.mark.parametrize("each", documents().values(), ids=lambda each: each.id)
def test_each_colour_of_each_document_has_a_name_of_its_own(each):
    names = allowed_names(each)
    assert len(set(names)) == len(names)
    for colour, name in zip(each.background_colours, names, strict=True):
        assert colour in NAMES, "name it in core/id_photo/background_colours.py"
        assert allowed_colour(each, name) == allowed_colour(each, name.upper().replace(" ", "-")) == colour
        assert allowed_colour(each, colour) == colour


def test_what_a_document_does_not_take_is_refused_with_what_it_takes():
    with pytest.raises(BackgroundNotAllowed, match=r"takes no background 'red' .*choose light grey, white, grey"):
        allowed_colour(document("schengen-visa"), "red")
    reds = [each for each in documents().values() if "red" in allowed_names(each)]
    assert reds
    assert allowed_colour(reds[0], "Red") == "#D9001B"
    free = next(each for each in documents().values() if each.edits is Edits.ANY)
    assert allowed_colour(free, "#123456") == "#123456"


def test_a_colour_that_is_not_allowed_ends_the_command_before_it_begins(astronaut, tmp_path):
    done = likeness_id(astronaut, "-d", "schengen-visa", "--background", "red", "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "error [background_not_allowed] Schengen visa takes no background 'red'" in done.output
    assert not (tmp_path / "out").exists()


@models
def test_a_colour_by_name_is_put_behind_the_person(astronaut, tmp_path):
    free = next(each for each in documents().values() if each.edits is not Edits.NONE and "red" in allowed_names(each))
    done = likeness_id(astronaut, "-d", free.id, "--background", "red", "-o", tmp_path, "--no-check")
    assert "The background was replaced by plain #D9001B." in done.output
    (made,) = tmp_path.glob("*.jpg")
    with Image.open(made) as picture:
        red, green, blue = picture.convert("RGB").crop((3, 3, 4, 4)).tobytes()
    assert red > 200 > 60 > max(green, blue)
    forbidden = likeness_id(astronaut, "-d", "us-passport", "--background", "white", "-o", tmp_path, "--no-check")
    assert forbidden.exit_code == 3
    assert "Refused  [alteration_forbidden]" in forbidden.output


@models
def test_a_folder_ends_in_an_overview_with_what_failed_first(astronaut, tmp_path):
    folder, out = tmp_path / "many", tmp_path / "out"
    folder.mkdir()
    shutil.copy(astronaut, folder / "anna.jpg")
    Image.effect_noise((400, 300), 40).convert("RGB").save(folder / "wall.png")
    (folder / "torn.jpg").write_bytes(astronaut.read_bytes()[:20_000])
    done = likeness_id(folder, "-d", "linkedin", "-o", out)
    assert done.exit_code == 1
    table = done.output[done.output.index("Photo ") :]
    table = done.output[done.output.rindex("Photo  ") :]
    places = [table.index(name) for name in ("torn.jpg", "wall.png", "anna.jpg")]
    assert all(a < b for a, b in pairwise(places))
    page = (out / "contact_sheet.html").read_text()
    for word in ("anna", "wall", "torn", "Refused", "anna.linkedin.report.html", '"sort":"worst"'):
        assert word in page
    with (out / "verdicts.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["torn", "wall", "anna"]
    assert rows[2]["outputs"] == "anna.linkedin.jpg"
    assert all(path.stat().st_mode & 0o077 == 0 for path in out.glob("anna*")), "only the owner may look"
    again = make_id_photos([folder / "anna.jpg"], ["linkedin", "xing"], out, matte="u2netp", check=False)
    assert again.overview == out / "contact_sheet_2.html"
    assert (out / "contact_sheet.html").read_text() == page


@models
def test_one_photo_needs_no_overview(astronaut, tmp_path):
    found = make_id_photos([astronaut], ["linkedin"], tmp_path, matte="u2netp", check=False)
    assert (found.overview, found.csv) == (None, None)
    assert not list(tmp_path.glob("contact_sheet*"))


@models
def test_so_many_prints_as_are_asked_for(astronaut, tmp_path):
    done = likeness_id(astronaut, "-d", "uk-passport", "--sheet", "a4", "--count", 3, "-o", tmp_path, "--no-check")
    (sheet,) = tmp_path.glob("*.pdf")
    assert f"Sheet    {sheet}" in done.output
    pypdf = pytest.importorskip("pypdf")
    content = pypdf.PdfReader(sheet).pages[0].get_contents().get_data()
    assert content.count(b" Do") == 3
    with pytest.raises(Misuse, match="--sheet"):
        make_id_photos([astronaut], ["uk-passport"], tmp_path, count=3)


@models
def test_one_report_has_one_head_height(astronaut, tmp_path):
    done = likeness_id(astronaut, "-d", "uk-passport", "-o", tmp_path)
    (made,) = make_id_photos([astronaut], ["uk-passport"], tmp_path / "again", matte="u2netp").made
    assert made.compliance is not None
    (check,) = [each for each in made.compliance.checks if each.name == "head_height"]
    assert f"Rule     head height {check.shown}, asked {check.limit}: kept" in done.output
    assert check.shown in made.others["html"].read_text()
