"""A picture that is not confirmed says what in it hardly allows a judgement, where that is the reason."""

import pytest
import torch
import torch.nn.functional as F

from likeness_studio.core.faces.pose import FRONTAL_WIDTHS, width_of
from likeness_studio.core.identity import Gate, check_likeness, enroll

pytestmark = pytest.mark.models
NEVER = Gate.custom(0.99)


@pytest.fixture(scope="module")
def person(engine, portrait):
    return enroll(engine, [portrait("obama"), portrait("obama2")])[0]


def _wide(picture, factor):
    size = (picture.shape[0], round(picture.shape[1] * factor))
    return F.interpolate(picture.permute(2, 0, 1)[None], size, mode="bilinear", antialias=True)[0].permute(1, 2, 0)


def _painted(picture, top, bottom, left, right):
    covered = picture.clone()
    covered[int(top) : int(bottom), int(left) : int(right)] = torch.tensor([0.04, 0.04, 0.05])
    return covered


def _sunglasses(picture, face):
    (x0, y0), (x1, y1) = face.landmarks[:2]
    reach = 0.4 * face.eye_distance
    return _painted(picture, min(y0, y1) - 0.8 * reach, max(y0, y1) + 0.9 * reach, x0 - 1.2 * reach, x1 + 1.2 * reach)


def _half_covered(picture, face):
    x0, y0, x1, y1 = face.box
    return _painted(picture, y0 - 20, y1 + 20, (x0 + x1) / 2, x1 + 0.3 * (x1 - x0))


FAULTS = {
    "sunglasses": (_sunglasses, ("dark glasses", "eyes are covered")),
    "half covered": (_half_covered, ("covered", "closed")),
    "half the width": (lambda picture, _: _wide(picture, 0.5), ("squeezed",)),
    "cut through the eye": (lambda picture, face: picture[:, int(face.landmarks[0, 0]) :], ("outside the picture",)),
}


@pytest.mark.parametrize("name", ["obama3", "biden"])
@pytest.mark.parametrize("fault", FAULTS)
def test_the_picture_is_said_to_be_the_reason(engine, portrait, person, fault, name):
    make, words = FAULTS[fault]
    picture = portrait(name)
    (face,) = engine.detect(picture)
    (verdict,) = check_likeness(engine, person, [make(picture, face).contiguous()], NEVER).verdicts
    assert not verdict.passed
    assert "hardly allows a judgement" in verdict.reason
    assert any(word in verdict.reason for word in words), verdict.reason


def test_a_good_picture_of_somebody_else_is_just_below(engine, portrait, person):
    (verdict,) = check_likeness(engine, person, [portrait("biden")], NEVER).verdicts
    assert "hardly" not in verdict.reason


@pytest.mark.parametrize("name", ["obama", "obama2", "obama3", "biden", "demo"])
def test_faces_are_as_wide_as_faces_are(engine, portrait, name):
    (face,) = engine.detect(portrait(name))
    assert FRONTAL_WIDTHS[0] <= width_of(face.landmarks) <= FRONTAL_WIDTHS[1]
