"""A small face does not pass for a main subject whose own face cannot be used; groups are compared as before."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.faces import Face, Outcome
from likeness_studio.core.identity import Gate, calibration_of, check_likeness, enroll
from likeness_studio.core.identity.main_subject import Bodies, nobody_behind

pytestmark = pytest.mark.models


def _resized(picture, factor):
    size = [max(1, round(side * factor)) for side in picture.shape[:2]]
    return F.interpolate(picture.permute(2, 0, 1)[None], size, mode="bilinear", antialias=True)[0].permute(1, 2, 0)


def _cut(picture, face, beside, above, below):
    x0, y0, x1, y1 = face.box
    high, wide = y1 - y0, x1 - x0
    rows = slice(max(0, int(y0 - above * high)), int(y1 + below * high))
    return picture[rows, max(0, int(x0 - beside * wide)) : int(x1 + beside * wide)]


def _blurred(picture, sigma):
    factor = 1 / (2 * sigma)
    small = _resized(picture, factor)
    return (
        F.interpolate(small.permute(2, 0, 1)[None], picture.shape[:2], mode="bicubic")[0].permute(1, 2, 0).clamp(0, 1)
    )


HIDING = {
    "covered": lambda part: torch.ones_like(part) * 0.95,
    "skin without a face": lambda part: part.mean((0, 1)).expand_as(part),
    "melted": lambda part: (
        torch.roll(part.flip(0), part.shape[1] // 3, 1).transpose(0, 1)[: part.shape[0]]
        if part.shape[0] <= part.shape[1]
        else torch.roll(part.flip(0), part.shape[1] // 2, 1)
    ),
    "blurred": lambda part: _blurred(part, 0.16 * part.shape[1]),
}


@pytest.fixture(scope="module")
def person(engine, portrait):
    return enroll(engine, [portrait("obama"), portrait("obama2")])[0]


def _hidden_beside_small(engine, main, own, hide):
    """The portrait `main`, 1,024 pixels high, its face hidden, and the face of `own` in a corner, 90 pixels wide."""
    scene = _resized(main, 1024 / main.shape[0]).contiguous()
    (face,) = [each for each in engine.detect(scene) if each.size > 100]
    part = _cut(scene, face, 0.15, 0.2, 0.1)
    part.copy_(hide(part.clone()))
    (seen,) = engine.detect(own)
    small = _resized(_cut(own, seen, 0.2, 0.2, 0.1), 90 / seen.size)
    scene[8 : 8 + small.shape[0], 8 : 8 + small.shape[1]] = small
    return scene


@pytest.mark.parametrize("how", HIDING)
@pytest.mark.parametrize("policy", [FacePolicy.REFUSE, FacePolicy.LARGEST, FacePolicy.LIKEST])
def test_a_small_face_does_not_pass_for_a_hidden_one(engine, portrait, person, how, policy):
    scene = _hidden_beside_small(engine, portrait("biden"), portrait("obama3"), HIDING[how])
    gate = Gate.measured(calibration_of(engine.key), 1e-4)
    judgement = check_likeness(engine, person, [scene], gate, policy)
    (verdict,) = judgement.verdicts
    assert verdict.outcome is Outcome.MAIN_FACE_HIDDEN, verdict.reason
    assert "not the main subject's" in verdict.reason
    assert judgement.best is None


def test_one_portrait_and_a_person_in_a_group_pass_as_before(engine, portrait, person):
    gate = Gate.measured(calibration_of(engine.key), 1e-4)
    own, other = portrait("obama3"), _resized(portrait("biden"), 1024 / portrait("biden").shape[0])
    (alone,) = check_likeness(engine, person, [own], gate).verdicts
    small = _resized(own, 700 / own.shape[0])
    group = torch.full((1024, other.shape[1] + small.shape[1], 3), 0.5)
    group[:, : other.shape[1]] = other
    group[-700:, other.shape[1] :] = small
    (among,) = check_likeness(engine, person, [group], gate, FacePolicy.LIKEST).verdicts
    assert alone.passed
    assert among.passed, among.reason


def _face(x0, y0, x1, y1):
    return Face((x0, y0, x1, y1), np.zeros((5, 2)), 0.9)


def _bodies(fine=(), broad=()):
    found = np.zeros((2, 100, 100), bool)
    for kind, parts in enumerate((fine, broad)):
        for top, bottom, left, right in parts:
            found[kind, top:bottom, left:right] = True
    return Bodies(found[0], found[1])


FACE = _face(10, 10, 20, 22)
OWN_BODY = (8, 90, 4, 28)


@pytest.mark.parametrize(
    ("bodies", "faces", "hidden"),
    [
        (_bodies([OWN_BODY]), [FACE], False),
        (_bodies([OWN_BODY, (10, 100, 50, 90)]), [FACE], True),
        (_bodies([OWN_BODY], [OWN_BODY, (10, 100, 50, 90)]), [FACE], False),
        (_bodies([], [(10, 100, 50, 90)]), [FACE], True),
        (_bodies(), [FACE], True),
        (_bodies(), [FACE, _face(40, 10, 48, 20), _face(70, 10, 78, 20)], False),
        (_bodies([(8, 90, 4, 96)]), [FACE, _face(40, 10, 50, 22), _face(70, 10, 80, 22)], False),
    ],
    ids=["alone", "another person", "a lorry", "seen by one", "no body", "a crowd too small to cut out", "a group"],
)
def test_what_is_left_over_decides(bodies, faces, hidden):
    assert bool(nobody_behind(FACE, faces, bodies, torch.zeros(100, 100, 3))) is hidden
