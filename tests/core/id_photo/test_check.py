"""The whole check on real pictures: every photo that can be read gets its report, whatever is in it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.errors import ShapeMismatch
from likeness_studio.core.faces import load_engine
from likeness_studio.core.id_photo import About, IDPhoto, MakeOptions, TensorSource, check_id_photo, make_id_photo
from likeness_studio.core.id_photo.documents import document
from likeness_studio.core.imaging import load_photo, pixels, planes, resize
from likeness_studio.core.quality import Outcome, Verdict, usable
from likeness_studio.nodes.id_photo import CheckIDPhoto, CheckSelfie
from likeness_studio.nodes.portrait import MattePerson

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("local")]
FINISHED = "finished photo"


@pytest.fixture(scope="module")
def engine():
    return load_engine()


@pytest.fixture(scope="module")
def photo(astronaut):
    return load_photo(astronaut)[0][0]


@pytest.fixture(scope="module")
def matte(photo):
    return MattePerson.execute(photo[None], "u2netp", "cpu")[0][0]


@pytest.fixture(scope="module")
def passport(photo, matte, engine):
    return make_id_photo(TensorSource(photo), engine, MakeOptions(document("us-passport")), matte)


def sized(picture, height, width):
    return pixels(resize(planes(picture[None]), height, width))[0]


def node(image, name="us-passport", stage=FINISHED, model="none", parsing=False, **more):
    return CheckIDPhoto.execute(image, name, stage, model, parsing, **more)


def check(picture, engine, name="us-passport", **about):
    found = check_id_photo(picture, engine, document(name), None, About(**about))
    return found, {each.name: each for each in found.checks}


def test_a_made_photo_is_where_the_rules_want_it(passport, engine):
    found, checks = check(passport.picture[0], engine)
    for name in ("faces", "aspect", "print_density", "eye_line", "centring", "whole_head", "roll"):
        assert checks[name].outcome is Outcome.PASS, checks[name]
    assert checks["head_height"].outcome in (Outcome.PASS, Outcome.UNCERTAIN)
    assert checks["head_height"].value == pytest.approx((passport.head.chin - passport.head.crown) / 602 * 51, rel=0.06)
    assert found.head is not None


def test_the_photo_before_it_is_cut_is_judged_without_its_frame(photo, engine):
    _, finished = check(photo, engine)
    _, uncut = check(photo, engine, uncut=True)
    assert finished["head_height"].outcome is Outcome.FAIL
    assert uncut["head_height"].outcome is Outcome.NOT_ASKED
    assert uncut["yaw"].outcome is finished["yaw"].outcome is Outcome.PASS


def test_no_person(engine):
    found, checks = check(torch.full((400, 400, 3), 0.6), engine)
    assert found.verdict is Verdict.FAIL
    assert "no face was found" in found.headline
    assert checks["faces"].detail == "No face was found."
    assert checks["yaw"].outcome is Outcome.NOT_MEASURED
    assert found.head is None


def test_two_people(photo, engine):
    found, checks = check(torch.cat([photo, photo.flip(1)], 1), engine)
    assert checks["faces"].outcome is Outcome.FAIL
    assert checks["faces"].detail == "2 faces were found."
    assert checks["yaw"].outcome is Outcome.PASS, "the largest face is measured all the same"
    assert "Take the photo alone" in found.text()


def test_a_photo_of_200_pixels(photo, engine):
    _, checks = check(sized(photo, 200, 200), engine)
    assert checks["print_density"].outcome is Outcome.FAIL
    assert checks["inter_eye_distance"].outcome is Outcome.FAIL


def test_a_panorama(photo, engine):
    wide = torch.full((512, 4096, 3), 0.55)
    wide[:, 3000:3512] = photo
    found, checks = check(wide, engine)
    assert found.verdict is Verdict.FAIL
    for name in ("aspect", "head_height", "centring"):
        assert checks[name].outcome is Outcome.FAIL, checks[name]


def test_a_small_head_as_of_a_baby_far_away(passport, engine):
    small = torch.full((602, 602, 3), 0.9)
    small[301:, 150:451] = sized(passport.picture[0], 301, 301)
    _, checks = check(small, engine)
    assert checks["head_height"].outcome is Outcome.FAIL
    assert "too small" in checks["head_height"].advice


def test_the_node_gives_verdict_overlay_text_and_json(passport):
    out = node(passport.picture, "as made", id_photo=passport.id_photo)
    passed, overlay, text, data = out.args
    (report,) = json.loads(data)
    assert report["document"] == "us-passport"
    assert passed is (report["verdict"] == "pass")
    assert report["headline"] in text
    assert overlay.ndim == 4
    assert overlay.shape[3] == 3
    assert out.ui["compliance"] == [report]
    assert {"yunet", "face_mesh", "iris"} <= {model["name"] for model in out.ui["models"]}
    unaltered = next(each for each in report["checks"] if each["name"] == "unaltered")
    assert unaltered["outcome"] == "pass"


def test_a_photo_made_for_one_document_and_judged_by_another(passport):
    text = node(passport.picture, "schengen-visa", id_photo=passport.id_photo)[2]
    assert "made for US passport and judged by the rules of Schengen visa" in text
    assert node(passport.picture, "as made")[2].splitlines()[0].count("ICAO")


def test_a_forbidden_edit_fails_by_name(passport):
    plain = "The background was replaced by plain #ffffff."
    edited = IDPhoto(document("us-passport"), 602, 602, 300.0, 51.0, 51.0, (plain,))
    text = node(passport.picture, "as made", id_photo=edited)[2]
    assert "No forbidden changes" in text
    assert "background was replaced" in text


def test_a_batch_has_a_report_for_each_and_a_mask_shows_the_background(passport, matte, photo):
    batch = torch.cat([photo[None], photo.flip(1)[None]])
    out = node(batch, stage="still to be cut", mask=torch.stack([matte, matte.flip(1)]))
    reports = json.loads(out.args[3])
    assert [report["index"] for report in reports] == [0, 1]
    for report in reports:
        plain = next(each for each in report["checks"] if each["name"] == "background_uniformity")
        assert plain["outcome"] == "fail"
    assert "Photo 2:" in out.args[2]
    with pytest.raises(ShapeMismatch):
        node(batch[0], mask=None)


def test_a_selfie_is_usable_or_it_is_said_what_to_change(photo, engine):
    fine = usable(photo, engine)
    assert fine.usable
    dark = usable(photo * 0.02, engine)
    tiny = usable(sized(photo, 120, 120), engine)
    nobody = usable(torch.full((300, 300, 3), 0.4), engine)
    two = usable(torch.cat([photo, photo], 1), engine)
    for found in (tiny, nobody, two):
        assert not found.usable
        assert found.advice()
    assert dark.verdict is not Verdict.PASS
    assert usable(torch.cat([photo, photo], 1), engine, policy=FacePolicy.LARGEST).usable
    assert "far" in tiny.text() or "near" in tiny.text()


def test_the_selfie_node(photo):
    out = CheckSelfie.execute(torch.stack([photo, torch.full_like(photo, 0.4)]), False)
    good, overlay, text = out.args
    assert good is False
    assert overlay.shape == (2, *photo.shape)
    assert "Photo 2: Not usable as a reference photo: no face was found." in text
    assert [report["verdict"] for report in out.ui["compliance"]][1] == "fail"
    assert out.ui["compliance"][0]["kind"] == "selfie"


def test_the_page_of_the_rules_is_up_to_date():
    import runpy
    from pathlib import Path

    folder = Path(__file__).parents[3] / "docs"
    made = runpy.run_path(str(folder / "compliance.py"))["page"]()
    assert (folder / "compliance.md").read_text("utf-8") == made, "run: python docs/compliance.py"


def test_an_uncut_photo_is_drawn_without_what_is_asked(photo, engine):
    from likeness_studio.core.id_photo import overlay_of

    drawn = [overlay_of(photo, check(photo, engine, uncut=uncut)[0]) for uncut in (False, True)]
    bands, lines = (np.asarray(each).astype(int) for each in drawn)
    red = [int(((each[..., 0] > 150) & (each[..., 1:].max(-1) < 70)).sum()) for each in (bands, lines)]
    assert red[0] > red[1]
    assert bands.shape == lines.shape
    assert (bands != lines).mean() > 0.01
