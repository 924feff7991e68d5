"""Enrollment and verdicts with the real networks on real photos."""

import json
import re

import numpy as np
import pytest
import torch

from likeness_studio.core.choices import STRICTNESS, FacePolicy, OnNone
from likeness_studio.core.errors import CalibrationMissing, EngineMismatch, EnrollmentRefused, NoneLikeEnough
from likeness_studio.core.faces import Outcome, find_subject
from likeness_studio.core.identity import (
    Gate,
    Identity,
    agreement,
    calibration_of,
    check_likeness,
    enroll,
    keep_best,
    rank,
    table,
)

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def gate(engine):
    return Gate.measured(calibration_of(engine.key), 1e-4)


@pytest.fixture(scope="module")
def person(engine, portrait):
    return enroll(engine, [portrait("obama"), portrait("obama2")])[0]


def side_by_side(left, right):
    height = min(left.shape[0], right.shape[0])
    return torch.cat([left[:height], right[:height]], dim=1)


def small_face(photo, engine, size):
    """The photo's head on a grey canvas of 640 x 640, scaled so that its face is `size` pixels."""
    face = engine.detect(photo)[0]
    x, y = (round(value) for value in face.centre)
    reach = round(face.size * 0.9)
    head = photo[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]
    shrunk = torch.nn.functional.interpolate(
        head.permute(2, 0, 1)[None], scale_factor=size / face.size, mode="bilinear", antialias=True
    )[0].permute(1, 2, 0)
    canvas = torch.full((640, 640, 3), 0.5)
    canvas[200 : 200 + shrunk.shape[0], 200 : 200 + shrunk.shape[1]] = shrunk
    return canvas


def test_another_photo_of_the_person_passes(engine, portrait, person, gate):
    judgement = check_likeness(engine, person, [portrait("obama3")], gate)
    (verdict,) = judgement.verdicts
    assert verdict.outcome is Outcome.PASS
    assert (verdict.cosine or 0) > gate.threshold
    assert (verdict.score or 0) > 0.99
    assert judgement.all_passed


def test_two_other_people_fail(engine, portrait, person, gate):
    judgement = check_likeness(engine, person, [portrait("biden"), portrait("demo")], gate)
    assert [verdict.outcome for verdict in judgement.verdicts] == [Outcome.FAIL, Outcome.FAIL]
    assert max(verdict.score or 1 for verdict in judgement.verdicts) < 0.1
    assert not judgement.all_passed


def test_a_near_miss_is_not_two_equal_numbers(engine, person, portrait, gate):
    (passed,) = check_likeness(engine, person, [portrait("obama3")], gate).verdicts
    assert passed.cosine is not None
    missed = check_likeness(engine, person, [portrait("obama3")], Gate.custom(passed.cosine + 1e-4)).verdicts[0]
    said = re.match(r"Likeness (\S+) is below the threshold (\d\.\d+)", missed.reason)
    assert said is not None
    assert float(said[1]) < float(said[2])


@pytest.mark.parametrize("strictness", STRICTNESS)
def test_genuine_and_impostor_are_told_apart_at_every_strictness(engine, portrait, person, strictness):
    gate = Gate.measured(calibration_of(engine.key), STRICTNESS[strictness])
    judgement = check_likeness(engine, person, [portrait("obama3"), portrait("biden")], gate)
    assert [verdict.passed for verdict in judgement.verdicts] == [True, False]


def test_a_picture_without_a_face(engine, person, gate):
    (verdict,) = check_likeness(engine, person, [torch.rand(300, 300, 3)], gate).verdicts
    assert verdict.outcome is Outcome.NO_FACE
    assert verdict.cosine is None
    assert "No face" in verdict.reason


@pytest.mark.parametrize("size", [(1, 1), (3, 5000), (7000, 8), (641, 1), (640, 1), (90, 4000)])
def test_a_picture_of_any_shape_is_looked_at(engine, size):
    assert find_subject(engine, torch.rand(*size, 3)).problem is Outcome.NO_FACE


def test_a_picture_with_two_people(engine, portrait, person, gate):
    pair = side_by_side(portrait("obama"), portrait("biden"))
    (verdict,) = check_likeness(engine, person, [pair], gate).verdicts
    assert verdict.outcome is Outcome.SEVERAL_FACES
    (chosen,) = check_likeness(engine, person, [pair], gate, FacePolicy.LARGEST).verdicts
    assert chosen.outcome in (Outcome.PASS, Outcome.FAIL)
    assert any("largest" in note for note in chosen.subject.notes)


def test_a_twenty_pixel_face_is_too_small(engine, portrait, person, gate):
    (verdict,) = check_likeness(engine, person, [small_face(portrait("obama"), engine, 20)], gate).verdicts
    assert verdict.outcome is Outcome.FACE_TOO_SMALL
    assert "at least 48" in verdict.reason


def test_a_small_bystander_is_named_and_not_counted(engine, portrait):
    photo = portrait("obama").clone()
    photo[:140, :140] = small_face(portrait("biden"), engine, 60)[190:330, 190:330]
    subject = find_subject(engine, photo)
    assert subject.problem is None
    assert len(subject.notes) == 1


def test_the_baseline_is_the_photos_agreement(engine, portrait, person):
    assert person.photos == 2
    assert person.baseline == pytest.approx(person.agreement[0])
    assert person.agreement[0] == pytest.approx(person.agreement[1])
    assert np.linalg.norm(person.embedding) == pytest.approx(1)


def test_a_single_photo_has_no_baseline_and_the_report_says_so(engine, portrait, gate):
    identity, _ = enroll(engine, [portrait("obama")])
    judgement = check_likeness(engine, identity, [portrait("obama3")], gate)
    assert identity.baseline is None
    assert any("Only one reference photo" in warning for warning in judgement.warnings)
    assert json.loads(json.dumps(judgement.as_dict()))["baseline"] is None


def test_an_outlier_is_refused_by_number(engine, portrait):
    photos = [portrait("obama"), portrait("biden"), portrait("obama2"), portrait("obama3")]
    with pytest.raises(EnrollmentRefused, match=r"1 of 4 .* Photo 2: .* another person"):
        enroll(engine, photos)
    identity, references = enroll(engine, photos, leave_out=True)
    assert [reference.accepted for reference in references] == [True, False, True, True]
    assert identity.photos == 3


def test_of_two_photos_that_disagree_neither_is_taken(engine, portrait):
    with pytest.raises(EnrollmentRefused, match=r"2 of 2"):
        enroll(engine, [portrait("obama"), portrait("biden")], leave_out=True)


def test_every_bad_reference_is_named_at_once(engine, portrait):
    blank = torch.zeros(200, 200, 3)
    pair = side_by_side(portrait("obama"), portrait("biden"))
    with pytest.raises(EnrollmentRefused, match=r"Photo 1: No face.* Photo 3: 2 faces"):
        enroll(engine, [blank, portrait("obama"), pair])


def test_another_recogniser_is_never_compared(engine, portrait, gate):
    stranger = Identity(np.ones(4) / 2, (), 1, "insightface/buffalo_l")
    with pytest.raises(EngineMismatch, match="buffalo_l"):
        check_likeness(engine, stranger, [portrait("obama")], gate)


def test_ranking_prefers_the_person_then_the_sharper_picture(engine, portrait, person, gate):
    sharp = portrait("obama3")
    blurred = torch.nn.functional.avg_pool2d(sharp.permute(2, 0, 1)[None], 7, 1, 3)[0].permute(1, 2, 0)
    pictures = [portrait("biden"), blurred, sharp, torch.zeros(64, 64, 3)]
    ranked = rank(check_likeness(engine, person, pictures, gate), pictures)
    assert [each.index for each in ranked][:2] == [2, 1]
    assert ranked[0].sharpness > ranked[1].sharpness
    assert [each.index for each in keep_best(ranked, 1, OnNone.STOP, gate.threshold)] == [2]
    assert {each.index for each in keep_best(ranked, 9, OnNone.STOP, gate.threshold)} == {1, 2}


def test_when_nothing_passes_the_user_decides(engine, portrait, person, gate):
    pictures = [torch.zeros(64, 64, 3), portrait("biden")]
    ranked = rank(check_likeness(engine, person, pictures, gate), pictures)
    (best,) = keep_best(ranked, 3, OnNone.BEST_ANYWAY, gate.threshold)
    assert best.index == 1
    assert not best.passed
    with pytest.raises(NoneLikeEnough, match="None of 2"):
        keep_best(ranked, 3, OnNone.STOP, gate.threshold)


def test_agreement_by_hand():
    vectors = np.array([[1.0, 0], [0, 1.0], [1.0, 0]])
    np.testing.assert_allclose(agreement(vectors), [np.sqrt(0.5), 0, np.sqrt(0.5)], atol=1e-12)


def test_calibration_is_monotonic_and_complete():
    for key, calibration in table().items():
        limits = [calibration.threshold(rate) for rate in sorted(STRICTNESS.values(), reverse=True)]
        assert limits == sorted(limits), key
        assert all(point.low <= point.threshold <= point.high for point in calibration.points)
        assert calibration.score(0.97) > 0.99 > 0.5 > calibration.score(0.0)


def test_an_unmeasured_engine_is_an_error_and_an_unmeasured_pack_borrows():
    with pytest.raises(CalibrationMissing, match="nobody"):
        calibration_of("nobody")
    with pytest.raises(CalibrationMissing, match="0\\.5"):
        calibration_of("yunet-sface").threshold(0.5)
    borrowed = calibration_of("insightface/antelopev2")
    assert borrowed.borrowed
    assert "borrowed" in borrowed.source
