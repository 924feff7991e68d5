"""A small photo does not get better by being enlarged, and what is transparent is not made up again."""

from __future__ import annotations

import pytest
import torch
from PIL import Image, ImageOps

from likeness_studio.core.id_photo import (
    FILLED,
    PAPERS,
    Edits,
    FileSource,
    IDPhoto,
    MakeOptions,
    judge_all,
    lay_out,
    of_the_photo,
    summary,
)
from likeness_studio.core.id_photo.documents import document
from likeness_studio.core.quality import Measure, Outcome
from likeness_studio.runner.api.id_photos import IDPhotoMaker, Job

US = document("us-passport")


def made(enlarged):
    return IDPhoto(US, 1205, 1205, 600, 51, 51, enlarged=enlarged)


def measured():
    return [
        Measure("pixels", 1205, "pixels wide"),
        Measure("print_density", 600, "pixels per inch"),
        Measure("inter_eye_distance", 240, "px", 4.0),
        Measure("resolution", 100, "px"),
        Measure("sharpness", 45, "points"),
    ]


def test_pixels_are_those_of_the_photo():
    found = {each.name: each for each in of_the_photo(measured(), made(6.0))}
    assert {name: each.value for name, each in found.items()} == pytest.approx(
        {"pixels": 1205 / 6, "print_density": 100, "inter_eye_distance": 40, "resolution": 40, "sharpness": 45}
    )
    assert found["print_density"].detail == "100 of the photo itself, enlarged 6.00 times to 600."
    outcomes = {check.name: check.outcome for check in judge_all(list(found.values()), US, 1)}
    assert outcomes["inter_eye_distance"] is Outcome.FAIL
    assert outcomes["print_density"] is Outcome.FAIL


@pytest.mark.parametrize("photo", [None, made(1.0), made(1.04)])
def test_without_enlarging_nothing_changes(photo):
    assert of_the_photo(measured(), photo) == measured()
    outcomes = {check.name: check.outcome for check in judge_all(measured(), US, 1)}
    assert outcomes["inter_eye_distance"] is Outcome.PASS


def test_a_sheet_tells_the_photos_own_pixels():
    sheet = lay_out(next(iter(PAPERS.values())), (51, 51), 1)
    assert "have 124 pixels per inch (enlarged to 600), fewer than 250" in summary(sheet, [(1205, 1205)], 600 / 124)[-1]
    assert "have 600 pixels per inch." in summary(sheet, [(1205, 1205)])[-1]


@pytest.mark.models
def test_a_small_photo_fails_by_its_own_pixels(astronaut, tmp_path):
    small = tmp_path / "small.png"
    with Image.open(astronaut) as photo:
        ImageOps.contain(photo, (256, 256)).save(small)
    maker = IDPhotoMaker(Job(MakeOptions(US), matte="u2netp"))
    file = maker.make_file(small, tmp_path / "out.jpg")
    assert file.made.id_photo.enlarged > 2
    assert file.made.report["photo_dpi"] == pytest.approx(file.made.id_photo.source_dpi, abs=0.1)
    assert file.compliance is not None
    found = {check.name: check for check in file.compliance.checks}
    assert found["inter_eye_distance"].outcome is Outcome.FAIL
    assert found["print_density"].outcome is Outcome.FAIL


def transparent(astronaut, path):
    """The photo with its left and right margins taken away, and loud colours hidden under them."""
    with Image.open(astronaut) as photo:
        picture = photo.convert("RGBA")
    side = picture.width // 5
    for left in (0, picture.width - side):
        picture.paste((255, 0, 0, 0), (left, 0, left + side, picture.height))
    picture.save(path)
    return path


def test_what_is_transparent_is_white(astronaut, tmp_path):
    source = FileSource(transparent(astronaut, tmp_path / "cut.png"))
    assert source.edits == (FILLED,)
    assert torch.equal(source.region((0, 0, 20, 20)), torch.ones(1, 3, 20, 20))
    assert FileSource(astronaut).edits == ()


def test_an_opaque_alpha_channel_is_no_edit(astronaut, tmp_path):
    with Image.open(astronaut) as photo:
        photo.convert("RGBA").save(tmp_path / "opaque.png")
    whole = FileSource(tmp_path / "opaque.png")
    assert whole.edits == ()
    box = (0, 0, whole.width, whole.height)
    assert torch.equal(whole.region(box), FileSource(astronaut).region(box))


@pytest.mark.models
def test_a_photo_without_its_background_fails_where_edits_are_forbidden(astronaut, tmp_path):
    assert US.edits is Edits.NONE
    cut = transparent(astronaut, tmp_path / "cut.png")
    file = IDPhotoMaker(Job(MakeOptions(US), matte="u2netp")).make_file(cut, tmp_path / "out.jpg")
    assert FILLED in file.made.id_photo.edits_made
    assert file.compliance is not None
    (check,) = [check for check in file.compliance.checks if check.name == "unaltered"]
    assert check.outcome is Outcome.FAIL
