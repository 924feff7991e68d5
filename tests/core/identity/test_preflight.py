"""Enrolment says which reference photos are poor, refuses them when asked, and works without the networks for it."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.errors import DependencyMissing, EnrollmentRefused
from likeness_studio.core.faces import load_engine
from likeness_studio.core.identity import check_reference_photos
from likeness_studio.core.imaging import load_photo, pixels, planes, soft_blur
from likeness_studio.core.models import runtimes as litert
from likeness_studio.core.models import store
from likeness_studio.nodes.identity import EnrollIdentity

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("local")]


@pytest.fixture(scope="module")
def photo(astronaut):
    return load_photo(astronaut)[0][0]


@pytest.fixture(scope="module")
def engine():
    return load_engine()


@pytest.fixture(scope="module")
def blurred(photo):
    return pixels(soft_blur(planes(photo[None]), 2.2))[0]


def enroll(*photos, refused="stop", **more):
    out = EnrollIdentity.execute(
        photos=[photo[None] for photo in photos],
        several_faces=["refuse"],
        min_face=[48],
        on_refused=[refused],
        name=[""],
        **more,
    )
    return json.loads(out.args[2])


def test_a_poor_photo_is_mentioned_and_accepted(photo, blurred):
    report = enroll(photo, blurred)
    assert report["accepted"] == 2
    good, poor = (each["quality"] for each in report["photos"])
    assert good["verdict"] != "fail"
    assert poor["verdict"] == "fail"
    assert "sharp" in poor["says"]
    assert any("hold the camera still" in advice for advice in poor["advice"])
    assert report["quality"] == ""


def test_a_poor_photo_is_refused_when_asked(photo, blurred):
    with pytest.raises(EnrollmentRefused, match=r"Photo 2: Not usable as a reference photo.*camera still"):
        enroll(photo, blurred, poor_photos=["refuse"])
    report = enroll(photo, blurred, refused="leave out", poor_photos=["refuse"])
    assert report["accepted"] == 1
    assert [each["outcome"] for each in report["photos"]] == ["pass", "poor_photo"]


def test_what_was_refused_before_keeps_its_reason(photo):
    with pytest.raises(EnrollmentRefused, match="Photo 2: No face was found"):
        enroll(photo, torch.full((300, 300, 3), 0.5), poor_photos=["refuse"])


def test_other_people_are_no_fault_where_the_largest_face_counts(photo, engine):
    two = torch.cat([photo, photo], 1)
    (found,) = check_reference_photos(engine, [two], FacePolicy.LARGEST).found
    assert found.usable
    (found,) = check_reference_photos(engine, [two], FacePolicy.REFUSE).found
    assert not found.usable


def test_without_the_networks_enrolment_works_and_says_so(photo, engine, model_dir):
    assert store.locate("face_mesh") is None
    looked = check_reference_photos(engine, [photo], FacePolicy.REFUSE)
    assert looked.found == []
    assert looked.note.startswith("How good the photos are was not looked at: the networks face_mesh and iris")
    assert looked.of(0) == {}


def test_without_the_runtime_enrolment_works_and_says_so(photo, monkeypatch):
    monkeypatch.setattr(litert, "_networks", {})
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    report = enroll(photo)
    assert report["accepted"] == 1
    assert "quality" not in report["photos"][0]
    assert "ai-edge-litert" in report["quality"]
    with pytest.raises(DependencyMissing):
        enroll(photo, poor_photos=["refuse"])
