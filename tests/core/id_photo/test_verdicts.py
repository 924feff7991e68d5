"""The right verdict for photos that people really bring: a hat, sunglasses, a profile, two people, nobody, a thumbnail.

Through the whole check, on public-domain portraits with planted faults. Which rule must fail is named.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from likeness_studio.core.faces import load_engine
from likeness_studio.core.id_photo import About, MakeOptions, TensorSource, check_id_photo, make_id_photo
from likeness_studio.core.id_photo.documents import document
from likeness_studio.core.imaging import load_photo, pixels, planes, resize
from likeness_studio.core.quality import Outcome, Verdict, look_at, usable
from likeness_studio.core.quality import face_parsing as parsing
from likeness_studio.nodes.portrait import MattePerson

pytestmark = pytest.mark.models

FAULTS = Path(__file__).parents[3] / "benchmarks" / "id_photo" / "faults"
ORIENTATION = 0x0112
"""EXIF's tag."""

UPRIGHT = {
    1: [],
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.TRANSPOSE],
    6: [Image.Transpose.ROTATE_90],
    7: [Image.Transpose.TRANSVERSE],
    8: [Image.Transpose.ROTATE_270],
}
"""How the pixels of an upright photo are stored with each orientation."""


@pytest.fixture(scope="module")
def faults():
    """The module of faults of the face, out of the folder of benchmarks."""
    spec = importlib.util.spec_from_file_location(
        "verdict_faults", FAULTS / "__init__.py", submodule_search_locations=[str(FAULTS)]
    )
    assert spec is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["verdict_faults"] = package
    return importlib.import_module("verdict_faults.face").FAULTS


@pytest.fixture(scope="module")
def engine():
    return load_engine()


@pytest.fixture(scope="module")
def photo(portraits):
    return load_photo(portraits / "obama.jpg")[0][0]


def check(picture, engine, name="icao", *, uncut=True, parsing=False):
    found = check_id_photo(picture, engine, document(name), None, About(uncut=uncut, parsing=parsing))
    return found, {each.name: each for each in found.checks}


def sized(picture, height, width):
    return pixels(resize(planes(picture[None]), height, width))[0]


def spoilt(faults, name, photo, engine, strength=0.6, seed=1):
    rng = np.random.default_rng(seed)
    return faults[name].plant(photo, look_at(photo, engine), strength, rng)


def failed(found):
    return {each.name for each in found.checks if each.outcome is Outcome.FAIL}


def test_the_photo_itself_has_none_of_these_faults(photo, engine):
    found, checks = check(photo, engine)
    assert failed(found) <= {"mouth_closed", "smile"}, failed(found)
    assert checks["head_covering"].outcome is Outcome.PASS


@pytest.mark.parametrize("name", ["icao", "us-passport", "fr-passport"])
def test_sunglasses_fail(faults, photo, engine, name):
    found, checks = check(spoilt(faults, "dark_glasses", photo, engine), engine, name)
    assert checks["dark_glasses"].outcome is Outcome.FAIL
    assert found.verdict is Verdict.FAIL
    assert "Take off the dark glasses." in found.text()
    assert not usable(spoilt(faults, "dark_glasses", photo, engine), engine).usable


def test_a_hat_is_for_a_person_to_decide_where_religion_is_an_exception(faults, photo, engine):
    found, checks = check(spoilt(faults, "hat", photo, engine), engine, "us-passport")
    assert checks["head_covering"].outcome is Outcome.UNCERTAIN
    assert found.verdict is not Verdict.PASS
    assert "Take off the hat, unless" in found.text()


def test_a_hat_is_seen_where_none_is_allowed(faults, photo, engine):
    assert document("fr-passport").head_covering == "none"
    _, checks = check(spoilt(faults, "hat", photo, engine), engine, "fr-passport")
    assert checks["head_covering"].outcome in (Outcome.FAIL, Outcome.UNCERTAIN)


@pytest.mark.skipif(not parsing.available(), reason="the optional face parser is not on this machine")
def test_with_the_face_parser_a_hat_fails_where_none_is_allowed(faults, photo, engine):
    covered = spoilt(faults, "hat", photo, engine)
    for picture, outcome in ((photo, Outcome.PASS), (covered, Outcome.FAIL)):
        _, checks = check(picture, engine, "fr-passport", parsing=True)
        assert checks["head_covering"].outcome is outcome


def test_a_face_turned_aside(faults, photo, engine):
    found, checks = check(spoilt(faults, "yaw", photo, engine), engine)
    assert checks["yaw"].outcome is Outcome.FAIL
    assert "Turn your head straight to the camera." in found.text()


@pytest.mark.parametrize("name", ["us-passport", "schengen-visa"])
def test_a_head_as_small_as_a_babys(photo, engine, name):
    """A finished photo of a proper size, in which the head is half as high as asked."""
    rules = document(name)
    matte = MattePerson.execute(photo[None], "u2netp", "cpu")[0][0]
    made = make_id_photo(TensorSource(photo), engine, MakeOptions(rules), matte).picture[0]
    height, width = made.shape[:2]
    small = torch.full_like(made, 0.93)
    left = width // 4
    part = sized(made, height // 2, width // 2)
    small[height - height // 2 :, left : left + width // 2] = part
    found, checks = check(small, engine, name, uncut=False)
    assert checks["head_height"].outcome is Outcome.FAIL
    assert "The head is too small" in found.text()
    assert checks["aspect"].outcome is Outcome.PASS


def test_two_people(photo, portraits, engine):
    other = sized(load_photo(portraits / "biden.jpg")[0][0], *photo.shape[:2])
    found, checks = check(torch.cat([photo, other], 1), engine)
    assert checks["faces"].outcome is Outcome.FAIL
    assert len(found.faces) == 2
    assert not usable(torch.cat([photo, other], 1), engine).usable


@pytest.mark.parametrize("kind", ["grey", "noise", "landscape"])
def test_no_person(photo, engine, kind):
    pictures = {
        "grey": torch.full((400, 400, 3), 0.6),
        "noise": torch.rand((400, 300, 3), generator=torch.Generator().manual_seed(5)),
        "landscape": torch.linspace(0.2, 0.9, 300)[:, None, None].expand(300, 600, 3).contiguous(),
    }
    found, checks = check(pictures[kind], engine)
    assert failed(found) == {"faces"}
    assert checks["faces"].detail == "No face was found."
    assert found.verdict is Verdict.FAIL
    assert not usable(pictures[kind], engine).usable


def test_a_photo_of_200_pixels(photo, engine):
    _, uncut = check(sized(photo, 200, 200), engine)
    assert uncut["inter_eye_distance"].outcome is Outcome.FAIL
    assert uncut["faces"].outcome is Outcome.PASS
    _, finished = check(sized(photo, 200, 200), engine, "us-passport", uncut=False)
    assert finished["print_density"].outcome is Outcome.FAIL
    _, upload = check(sized(photo, 200, 200), engine, "us-visa", uncut=False)
    assert upload["pixels"].outcome is Outcome.FAIL


@pytest.mark.parametrize("place", [0, 1500, 3000])
def test_a_panorama(photo, engine, place):
    """A landscape six times as wide as high, with somebody in it."""
    picture = sized(photo, 500, 500)
    wide = torch.full((500, 3500, 3), 0.5)
    wide[:, place : place + 500] = picture
    found, checks = check(wide, engine, uncut=False)
    assert len(found.faces) == 1
    assert "aspect" in failed(found)
    assert checks["aspect"].advice.startswith("Cut the photo")
    assert ("centring" in failed(found)) is (place != 1500)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_every_orientation_of_exif_is_judged_upright(portraits, engine, tmp_path, orientation):
    file = tmp_path / "turned.png"
    with Image.open(portraits / "obama.jpg") as opened:
        upright = opened.convert("RGB").resize((opened.width // 2, opened.height // 2))
    stored = upright
    for step in UPRIGHT[orientation]:
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored.save(file, exif=exif)
    picture = load_photo(file)[0][0]
    assert picture.shape[:2] == (upright.height, upright.width)
    assert torch.equal(picture, torch.from_numpy(np.array(upright)).float() / 255)
    _, checks = check(picture, engine, uncut=False)
    for name in ("faces", "roll", "yaw", "whole_head"):
        assert checks[name].outcome is Outcome.PASS, name


def test_a_photo_that_lies_on_its_side_without_saying_so(photo, engine):
    found, checks = check(photo.transpose(0, 1).flip(0).contiguous(), engine, uncut=False)
    assert found.verdict is Verdict.FAIL
    assert checks["upright"].outcome is Outcome.FAIL


@pytest.mark.skipif(
    "LIKENESS_LFW" not in os.environ, reason="LIKENESS_LFW names no folder of Labeled Faces in the Wild"
)
def test_real_hats_and_sunglasses(engine):
    """Labeled Faces in the Wild, 250 pixels: of those chosen by eye, nearly all are objected to."""
    import tomllib

    lists = tomllib.loads((FAULTS.parent / "face_real.toml").read_text("utf-8"))
    for kind, rules in (("hat", {"head_covering"}), ("dark_glasses", {"dark_glasses", "eyes_visible"})):
        files = [next(Path(os.environ["LIKENESS_LFW"]).rglob(name)) for name in lists[kind][:30]]
        caught = 0
        for file in files:
            _, checks = check(load_photo(file)[0][0], engine)
            caught += any(checks[rule].outcome in (Outcome.FAIL, Outcome.UNCERTAIN) for rule in rules)
        assert caught >= 0.8 * len(files), kind
