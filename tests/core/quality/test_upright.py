"""A photo turned by 90 or 180 degrees: one broken rule that says how to turn it, and nothing else judged."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from likeness_studio.core.faces import load_engine
from likeness_studio.core.id_photo import About, check_id_photo
from likeness_studio.core.id_photo.documents import document
from likeness_studio.core.imaging import load_photo
from likeness_studio.core.quality import Outcome, upright, usable

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def engine():
    return load_engine()


@pytest.fixture(scope="module")
def photo(astronaut):
    return load_photo(astronaut)[0][0]


@pytest.mark.parametrize(("quarter", "words"), [(1, "90° to the right"), (2, "180°"), (3, "90° to the left")])
def test_a_turned_photo_fails_by_one_rule(photo, engine, quarter, words):
    turned = torch.rot90(photo, quarter).contiguous()
    selfie = usable(turned, engine)
    assert [check.name for check in selfie.problems] == ["upright"]
    assert not selfie.remarks
    assert selfie.headline == "Not usable as a reference photo: the photo is turned."
    assert f"turn it by {words}." in selfie.text()
    found = check_id_photo(turned, engine, document("icao"), None, About(uncut=True))
    assert [check.name for check in found.of(Outcome.FAIL)] == ["upright"]
    assert not found.of(Outcome.UNCERTAIN)
    assert f"turn it by {words})" in found.text()


def test_an_upright_photo_is_left_as_it_is(photo, engine):
    faces = engine.detect(photo)
    measure, same = upright(photo, engine, faces)
    assert measure.value == 0
    assert same is faces


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_faces_are_given_in_the_photos_own_pixels(photo, engine, quarter):
    (face,) = engine.detect(photo)
    turned = torch.rot90(photo, quarter).contiguous()
    measure, (found,) = upright(turned, engine, engine.detect(turned))
    assert measure.value == (180 if quarter == 2 else 90)
    height, width = photo.shape[:2]
    x, y = face.landmarks.T
    for step in range(quarter):
        x, y = y, (width if step % 2 == 0 else height) - x
    assert np.abs(found.landmarks - np.stack([x, y], 1)).max() < 2
    left, top, right, bottom = found.box
    assert left < x.min() < x.max() < right
    assert top < y.min() < y.max() < bottom
