"""What is measured of one photo, to the digits that reports show: bringing rules together moves none of them."""

import json
from pathlib import Path

import pytest

from likeness_studio.core.faces import YuNetSFace
from likeness_studio.core.imaging import load_photo
from likeness_studio.core.prompting import measure
from likeness_studio.core.quality import face_quality, look_at, measure_portrait

pytestmark = pytest.mark.models

GOLDEN = Path(__file__).with_name("measures.json")


def measured(photo, engine):
    portrait = look_at(photo[0], engine)
    sharpness, exposure = face_quality(photo[0], portrait.face)
    return {
        "quality": {each.name: each.value for each in measure_portrait(portrait)},
        "described": measure(photo, None, engine).numbers,
        "face": {"sharpness": sharpness, "exposure": exposure},
    }


def flat(values, name=""):
    if not isinstance(values, dict):
        return {name: values}
    return {key: value for part, inner in values.items() for key, value in flat(inner, f"{name}/{part}").items()}


def test_the_measures_of_a_photo_are_what_they_were(astronaut):
    found = flat(measured(load_photo(astronaut)[0], YuNetSFace("cpu")))
    wanted = flat(json.loads(GOLDEN.read_text()))
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        if isinstance(value, float):
            assert found[name] == pytest.approx(value, rel=2e-3, abs=2e-3), name
        else:
            assert found[name] == value, name
