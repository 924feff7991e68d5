"""Small faces in large photos, turned photos, and the person in a group."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.faces import Face, Outcome, choose_face, detect_faces, find_subject
from likeness_studio.core.identity import Gate, calibration_of, check_likeness, enroll
from likeness_studio.core.identity.enrollment import embedding_of

pytestmark = pytest.mark.models


def _in_a_large_photo(picture, face, pixels, height=4032, width=3024):
    """A grey photo of 12 megapixels with `picture` [h,w,3] in it, so small that its face has `pixels`."""
    scale = pixels / face.size
    size = [max(1, round(side * scale)) for side in picture.shape[:2]]
    small = F.interpolate(picture.permute(2, 0, 1)[None], size, mode="bilinear", antialias=True)[0].permute(1, 2, 0)
    photo = torch.full((height, width, 3), 0.5)
    photo[1900 : 1900 + size[0], 1300 : 1300 + size[1]] = small
    return photo, small


@pytest.mark.parametrize("pixels", [60, 80, 100, 150])
def test_a_small_face_of_a_large_photo_is_compared_as_well_as_its_crop(engine, portrait, pixels):
    person, _ = enroll(engine, [portrait("obama"), portrait("obama2")])
    (face,) = engine.detect(portrait("obama3"))
    photo, crop = _in_a_large_photo(portrait("obama3"), face, pixels)
    found, alone = find_subject(engine, photo), find_subject(engine, crop)
    assert found.face is not None
    assert alone.face is not None
    cosine, of_crop = (person.cosine(embedding_of(each)) for each in (found, alone))
    assert found.problem is None, found.reason
    assert cosine == pytest.approx(of_crop, abs=0.06)
    assert cosine > calibration_of(engine.key).threshold(1e-4)
    assert found.face.size == pytest.approx(pixels, rel=0.25)


def test_a_face_is_found_once_where_tiles_overlap(engine, portrait):
    (face,) = engine.detect(portrait("obama"))
    photo, _ = _in_a_large_photo(portrait("obama"), face, 60)
    assert len(engine.detect(photo)) == 0
    assert len(detect_faces(engine, photo)) == 1


def test_the_person_is_found_in_a_group(engine, portrait):
    person, _ = enroll(engine, [portrait("obama"), portrait("obama2")])
    other, own = portrait("biden"), portrait("obama3")
    size = [side // 2 for side in own.shape[:2]]
    small = F.interpolate(own.permute(2, 0, 1)[None], size, mode="bilinear", antialias=True)[0].permute(1, 2, 0)
    group = torch.full((max(other.shape[0], size[0]), other.shape[1] + size[1], 3), 0.5)
    group[: other.shape[0], : other.shape[1]] = other
    group[: size[0], other.shape[1] :] = small
    gate = Gate.measured(calibration_of(engine.key), 1e-4)
    for policy, passed in ((FacePolicy.LARGEST, False), (FacePolicy.LIKEST, True)):
        (verdict,) = check_likeness(engine, person, [group], gate, policy).verdicts
        assert verdict.passed is passed
    assert "2 faces were found; the one most like the person was taken, as chosen." in verdict.subject.notes


def test_likest_without_a_person_refuses():
    faces = [Face((0, 0, 50, 50), np.zeros((5, 2)), 0.9), Face((60, 0, 100, 40), np.zeros((5, 2)), 0.9)]
    assert choose_face(faces, (100, 100), FacePolicy.LIKEST).problem is Outcome.SEVERAL_FACES
    chosen = choose_face(faces, (100, 100), FacePolicy.LIKEST, likeness=lambda face: -face.size)
    assert chosen.face is faces[1]
    tiny = [faces[0], replace(faces[1], box=(60, 0, 65, 5))]
    likeness = {id(tiny[0]): 0.1, id(tiny[1]): 0.9}
    chosen = choose_face(tiny, (100, 100), FacePolicy.LIKEST, 48, lambda face: likeness[id(face)])
    assert chosen.face is tiny[0], "one too small to be compared is not the person"


@pytest.mark.parametrize(("quarter", "words"), [(1, "90° to the right"), (3, "90° to the left"), (2, "180°")])
def test_a_turned_picture_that_fails_is_said_to_be_turned(engine, portrait, quarter, words):
    person, _ = enroll(engine, [portrait("obama"), portrait("obama2")])
    turned = torch.rot90(portrait("obama3"), quarter).contiguous()
    (verdict,) = check_likeness(engine, person, [turned], Gate.custom(0.4)).verdicts
    assert not verdict.passed
    assert f"turn it by {words}" in verdict.reason
