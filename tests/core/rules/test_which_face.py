"""One rule says which face of a picture is meant; every step follows it, and each says the same when there is none."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import likeness_studio
from likeness_studio.core.choices import FacePolicy
from likeness_studio.core.errors import FaceNotUsable
from likeness_studio.core.faces import ARCFACE_TEMPLATE, Face, Outcome, choose_face, find_subject
from likeness_studio.core.id_photo import TensorSource
from likeness_studio.core.id_photo.head_in_photo import locate_head
from likeness_studio.core.prompting import measure
from likeness_studio.nodes.face import ProtectFace, RestoreFace
from likeness_studio.nodes.portrait import FrameHeadshot
from likeness_studio.runner.cli import main

SIDE = 400


def face(size, x=200.0, y=200.0):
    landmarks = (ARCFACE_TEMPLATE - ARCFACE_TEMPLATE.mean(0)) * (size / 112) + [x, y]
    return Face((x - size / 2, y - size / 2, x + size / 2, y + size / 2), landmarks, 0.9)


class Engine:
    """Sees the given faces in the photo and none in close-ups."""

    key = "stub"
    models = [{"name": "stub", "licence": "none", "commercial": "yes", "use": "face detection"}]  # noqa: RUF012

    def __init__(self, *faces):
        self.faces = list(faces)

    def detect(self, image):
        return self.faces if image.shape[0] == SIDE else []

    def embed(self, image, face):
        return dataclasses.replace(face, embedding=np.ones(4) / 2)


PHOTO = torch.full((1, SIDE, SIDE, 3), 0.5)
MAIN, BEHIND, OTHER, CENTRAL = face(160, 120), face(40, 340, 60), face(140, 320), face(100)
BACKGROUND = "A background face of 40 pixels was not counted."
CROP = "crop it to one person or choose several_faces = largest."


def frame(engine, several="refuse"):
    return FrameHeadshot.execute(PHOTO, "head and shoulders", 80, 0, True, "stay inside", several, None, engine)


def protect(engine, several="refuse"):
    return ProtectFace.execute(PHOTO, "face", 0.0, 0.3, 8, several, None, engine)


def restore(engine, several="refuse"):
    return RestoreFace.execute(PHOTO, PHOTO, "same place", 1.0, 8, several, None, engine)


class TestCheckAndEnroll:
    def test_the_only_one(self):
        subject = find_subject(Engine(MAIN), PHOTO[0])
        assert (subject.problem, subject.reason, subject.notes) == (None, "", [])
        assert subject.face is not None
        assert subject.face.box == MAIN.box
        assert subject.face.embedding is not None

    def test_a_background_face_is_not_counted(self):
        subject = find_subject(Engine(BEHIND, MAIN), PHOTO[0])
        assert (subject.problem, subject.notes) == (None, [BACKGROUND])

    def test_none(self):
        subject = find_subject(Engine(), PHOTO[0])
        assert (subject.face, subject.problem) == (None, "no_face")
        assert subject.reason == "No face was found; it takes a picture that shows the whole face."

    def test_several(self):
        subject = find_subject(Engine(OTHER, BEHIND, MAIN), PHOTO[0])
        assert (subject.face, subject.problem, subject.notes) == (MAIN, "several_faces", [BACKGROUND])
        assert subject.reason == "2 faces were found; crop to one person or choose which face counts."

    def test_too_small(self):
        subject = find_subject(Engine(BEHIND), PHOTO[0])
        assert (subject.face, subject.problem) == (BEHIND, "face_too_small")
        assert subject.reason == "The face is 40 pixels wide and at least 48 are needed; use a closer photo."


class TestPortraits:
    @pytest.mark.parametrize("step", [frame, protect, restore])
    def test_none_and_several(self, step):
        with pytest.raises(FaceNotUsable) as none:
            step(Engine())
        assert str(none.value) == "Picture 0 has no face; give a photo in which the face is seen from the front."
        with pytest.raises(FaceNotUsable) as several:
            step(Engine(MAIN, OTHER))
        assert str(several.value) == f"Picture 0 has 2 faces; {CROP}"

    @pytest.mark.parametrize("step", [frame, protect, restore])
    def test_the_largest_is_taken_where_that_is_chosen(self, step):
        both, one = step(Engine(CENTRAL, MAIN), "largest"), step(Engine(MAIN))
        assert torch.equal(both.result[0], one.result[0])

    @pytest.mark.parametrize("step", [frame, protect, restore])
    def test_a_background_face_is_not_counted_and_that_is_said(self, step):
        both, one = step(Engine(BEHIND, MAIN)), step(Engine(MAIN))
        assert torch.equal(both.result[0], one.result[0])
        here, there = (json.loads(output.result[-1])[0] for output in (both, one))
        assert here["notes"][0] == BACKGROUND
        assert here["notes"][1:] == there.get("notes", [])

    def test_frame_headshot_shows_it(self):
        assert frame(Engine(BEHIND, MAIN)).ui["text"] == [BACKGROUND]
        assert frame(Engine(MAIN)).ui["text"] == []


class TestDescribe:
    def test_a_background_face_changes_nothing_and_is_named(self):
        both = measure(PHOTO, None, Engine(MAIN, BEHIND))
        assert both.words == measure(PHOTO, None, Engine(MAIN)).words
        assert both.notes == [BACKGROUND]

    @pytest.mark.parametrize(
        ("faces", "words"),
        [
            ([], "Picture 0 has no face; give a photo in which the face is seen from the front."),
            ([MAIN, BEHIND, OTHER], "The photo has 2 faces; crop it to one person."),
            ([face(20)], "The face is 20 pixels wide and at least 32 are needed; use a closer photo."),
        ],
    )
    def test_what_cannot_be_described(self, faces, words):
        with pytest.raises(FaceNotUsable) as error:
            measure(PHOTO, None, Engine(*faces))
        assert str(error.value) == words


class TestDocuments:
    """Strict: a face in the background is one face too many."""

    @pytest.mark.parametrize(
        ("faces", "words"),
        [
            ([], "The photo has no face; give one in which the whole face is seen from the front."),
            (
                [MAIN, BEHIND],
                "The photo has 2 faces; crop it to one person, or choose that the largest one is taken.",
            ),
        ],
    )
    def test_what_cannot_be_made(self, faces, words):
        with pytest.raises(FaceNotUsable) as error:
            locate_head(TensorSource(PHOTO[0]), Engine(*faces))
        assert str(error.value) == words

    def test_a_check_counts_it_and_a_selfie_does_not(self):
        everybody = [MAIN, BEHIND]
        assert choose_face(everybody, (SIDE, SIDE), FacePolicy.STRICT).problem is Outcome.SEVERAL_FACES
        assert choose_face(everybody, (SIDE, SIDE)).problem is None


def test_of_several_people_the_largest_or_the_most_central_one_is_taken_as_chosen():
    largest = choose_face([CENTRAL, MAIN, BEHIND], (SIDE, SIDE), FacePolicy.LARGEST)
    central = choose_face([CENTRAL, MAIN, BEHIND], (SIDE, SIDE), FacePolicy.CENTRAL)
    assert (largest.face, central.face) == (MAIN, CENTRAL)
    assert central.notes == [BACKGROUND, "2 faces were found; the most central one was taken, as chosen."]


def test_no_other_module_knows_when_a_face_is_background():
    root = Path(likeness_studio.__file__).parent
    chosen = [
        path.relative_to(root).as_posix()
        for room in ("core", "nodes", "runner")
        for path in (root / room).rglob("*.py")
        if "was not counted" in path.read_text() or " faces; crop" in path.read_text()
    ]
    assert chosen == ["core/faces/choose.py"]


@pytest.mark.models
def test_a_headshot_is_made_before_somebody_in_the_background_and_says_so(astronaut, portraits, tmp_path):
    """What stopped at Frame with "2 faces" in November: Enroll took the photo, and Frame did not."""
    behind = next(iter(sorted(portraits.glob("*.jpg"))))
    with Image.open(astronaut) as photo, Image.open(behind) as other:
        crowd = photo.convert("RGB").resize((1024, 1024))
        crowd.paste(other.convert("RGB").resize((150, 150 * other.height // other.width)), (10, 10))
    crowd.save(tmp_path / "crowd.png")
    words = ["run", "studio_headshot", "-i", str(tmp_path / "crowd.png"), "-o", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(main, words)
    found = json.loads(done.stdout.splitlines()[-1])
    assert done.exit_code == 0, done.output
    assert found["verdict"] is True
    (note,) = found["enrollments"][0]["photos"][0]["notes"]
    assert re.fullmatch(r"A background face of \d+ pixels was not counted\.", note)
    assert note in (tmp_path / "out" / "report.html").read_text("utf-8")
