"""The measures of a face's state on a real photo, and on the same photo with one fault planted at a time."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from likeness_studio.core.faces import load_engine
from likeness_studio.core.imaging import load_photo
from likeness_studio.core.quality import face_parsing as parsing
from likeness_studio.core.quality import look_at, measure_face

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks" / "id_photo"))

from faults import face_warp  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]
from faults.face import FAULTS  # pyright: ignore[reportMissingImports]

pytestmark = pytest.mark.models

NAMES = (
    *("faces", "yaw", "pitch", "roll", "left_eye_open", "right_eye_open", "gaze", "mouth_closed", "smile"),
    *("glasses", "dark_glasses", "glasses_glare", "eyes_visible", "mouth_visible", "face_occlusion", "head_covering"),
)


@pytest.fixture(scope="module")
def engine():
    return load_engine()


@pytest.fixture(scope="module")
def portrait(astronaut, engine):
    photo, *_ = load_photo(astronaut)
    return look_at(photo[0] if photo.ndim == 4 else photo, engine)


@pytest.fixture(scope="module")
def clean(portrait):
    return values(portrait)


def values(portrait, **options) -> dict[str, Any]:
    return {measure.name: measure.value for measure in measure_face(portrait, **options)}


def planted(portrait, engine, name, strength=0.5, seed=0):
    spoilt = FAULTS[name].plant(portrait.photo, portrait, strength, np.random.default_rng(seed))
    assert spoilt.shape == portrait.photo.shape
    assert not torch.equal(spoilt, portrait.photo)
    return values(look_at(spoilt, engine))


def test_every_measure_is_there_once_with_words_and_a_source(portrait):
    found = measure_face(portrait)
    assert sorted(measure.name for measure in found) == sorted(NAMES)
    for measure in found:
        assert measure.detail.endswith(".")
        assert measure.source
        assert measure.value is None or np.isfinite(measure.value)


def test_a_smiling_astronaut_who_looks_at_the_camera(clean):
    assert clean["faces"] == 1
    assert abs(clean["roll"]) < 8
    assert min(clean["left_eye_open"], clean["right_eye_open"]) > 0.035
    assert clean["gaze"] < 14
    assert clean["smile"] > 0.1
    assert clean["dark_glasses"] < 0.3
    assert clean["glasses_glare"] < 0.01
    assert clean["eyes_visible"] > 0.85
    assert clean["mouth_visible"] > 0.8
    assert clean["head_covering"] < 0.6


@pytest.mark.parametrize("degrees", [-15, 12])
def test_roll_follows_the_photo(portrait, engine, clean, degrees):
    leaning = face_warp.tilt(portrait.photo.numpy().astype(float), portrait.mesh, degrees)
    found = values(look_at(torch.from_numpy(leaning.astype(np.float32)), engine))
    assert found["roll"] - clean["roll"] == pytest.approx(-degrees, abs=1.5)


def test_the_turned_head_changes_yaw_and_hardly_anything_else(portrait, engine, clean):
    found = planted(portrait, engine, "yaw", 1.0)
    assert abs(found["yaw"]) > 10
    assert found["roll"] == pytest.approx(clean["roll"], abs=4)


def test_closed_eyes_are_found_each_by_itself(portrait, engine, clean):
    both = planted(portrait, engine, "closed_eyes")
    assert max(both["left_eye_open"], both["right_eye_open"]) < 0.03
    one = planted(portrait, engine, "one_closed_eye")
    openings = sorted((one["left_eye_open"], one["right_eye_open"]))
    assert openings[0] < 0.03
    assert openings[1] > 0.035


@pytest.mark.parametrize(
    ("fault", "measure", "sign"),
    [
        ("dark_glasses", "dark_glasses", 1),
        ("dark_glasses", "glasses", 1),
        ("dark_glasses", "eyes_visible", -1),
        ("glasses_glare", "glasses_glare", 1),
        ("mask", "mouth_visible", -1),
        ("mask", "face_occlusion", 1),
        ("hand", "mouth_visible", -1),
        ("hat", "head_covering", 1),
    ],
)
def test_a_cover_moves_its_measure(portrait, engine, clean, fault, measure, sign):
    found = planted(portrait, engine, fault, 0.8, seed=3)
    far = {"glasses_glare": 0.02, "glasses": 0.1}.get(measure, 0.3)
    assert sign * (found[measure] - clean[measure]) > far


def test_a_black_and_white_photo_has_no_lips_to_tell(portrait, engine):
    grey = portrait.photo.mean(-1, keepdim=True).expand(-1, -1, 3).contiguous()
    found = values(look_at(grey, engine))
    assert found["mouth_visible"] is None
    assert found["dark_glasses"] < 0.4


def test_measures_do_not_depend_on_the_size_of_the_photo(portrait, engine, clean):
    small = torch.nn.functional.interpolate(
        portrait.photo.permute(2, 0, 1)[None], scale_factor=0.6, mode="bilinear", antialias=True
    )[0].permute(1, 2, 0)
    found = values(look_at(small.contiguous(), engine))
    for name, tolerance in {"left_eye_open": 0.015, "mouth_closed": 0.02, "smile": 0.05, "yaw": 3, "roll": 1.5}.items():
        assert found[name] == pytest.approx(clean[name], abs=tolerance), name


def test_the_photo_is_not_changed(portrait):
    before = portrait.photo.clone()
    measure_face(portrait)
    assert torch.equal(before, portrait.photo)


@pytest.mark.skipif(not parsing.available(), reason="the optional face parser is not on this machine")
def test_the_face_parser_sees_the_hat_and_says_that_it_was_asked(portrait, engine, clean):
    bare: dict[str, Any] = {measure.name: measure for measure in measure_face(portrait, parsing=True)}
    assert set(bare) == set(NAMES)
    assert "parser" in bare["head_covering"].source
    assert bare["head_covering"].value < 0.5
    assert bare["glasses"].value < 0.1
    spoilt = FAULTS["hat"].plant(portrait.photo, portrait, 0.8, np.random.default_rng(3))
    assert values(look_at(spoilt, engine), parsing=True)["head_covering"] > 0.9
    spoilt = FAULTS["dark_glasses"].plant(portrait.photo, portrait, 0.8, np.random.default_rng(3))
    dark = values(look_at(spoilt, engine), parsing=True)
    assert dark["glasses"] > 0.3
    assert dark["dark_glasses"] > 0.5


def test_the_face_parser_is_never_fetched_unasked(portrait, model_dir, monkeypatch):
    from likeness_studio.core.errors import ModelMissing

    monkeypatch.setenv("LIKENESS_OFFLINE", "")
    with pytest.raises(ModelMissing, match="likeness models get face_parsing"):
        measure_face(portrait, parsing=True)
