"""The verdict on a finished picture names what is wrong with it, passes a good one, and never passes an unseen one."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from likeness_studio.core.errors import ModelMissing
from likeness_studio.core.faces import YuNetSFace
from likeness_studio.core.imaging import load_photo
from likeness_studio.core.outcome_words import PICTURE, worst_picture
from likeness_studio.core.quality import PictureOutcome, judge_picture, look_at
from likeness_studio.core.quality import picture_verdict as module
from likeness_studio.core.quality.checks import CAUSES, FACE_STATE, Check, Outcome, not_known_behind

BENCHMARKS = Path(__file__).parents[3] / "benchmarks" / "id_photo" / "faults" / "photometric.py"
SPEC = importlib.util.spec_from_file_location("planted_faults", BENCHMARKS)
assert SPEC is not None
assert SPEC.loader is not None
faults = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(faults)

NAMED = {
    "defocus": "not sharp",
    "motion": "not sharp",
    "under_exposure": "too dark",
    "over_exposure": "burnt out",
    "colour_cast": "unnatural colour",
    "washed_out": "little contrast",
    "enlarged": "more pixels than detail",
}


@pytest.fixture(scope="module")
def portrait(astronaut):
    return look_at(load_photo(astronaut)[0][0], YuNetSFace())


@pytest.mark.models
def test_a_good_picture_passes_without_a_word(portrait):
    found = judge_picture(portrait.photo, portrait.face)
    assert (found.outcome, found.reasons) == (PictureOutcome.PASS, [])
    assert found.as_dict()["measured"]["sharpness"] > 29


@pytest.mark.models
@pytest.mark.parametrize("name", NAMED)
def test_a_planted_fault_is_named(portrait, name):
    """The demo photo has 42 pixels between the eyes, so that a strength of 2 leaves 14 of them."""
    broken = faults.FAULTS[name](portrait.photo, portrait, 2.0 if name == "enlarged" else 1.0, np.random.default_rng(3))
    found = judge_picture(broken, portrait.face)
    assert found.outcome in (PictureOutcome.LOOK, PictureOutcome.FAIL)
    assert any(NAMED[name] in reason for reason in found.reasons), found.reasons


def test_a_picture_without_a_face_or_without_networks_is_not_seen_and_does_not_pass(portrait, monkeypatch):
    assert judge_picture(portrait.photo, None).outcome is PictureOutcome.NOT_SEEN

    def missing(*_):
        raise ModelMissing("The model face_mesh is not here.")

    monkeypatch.setattr(module, "find_mesh", missing)
    found = judge_picture(portrait.photo, portrait.face)
    assert found.outcome is PictureOutcome.NOT_SEEN
    assert found.reasons == ["Light and sharpness were not looked at: The model face_mesh is not here."]


def test_the_worst_outcome_counts_and_an_unknown_one_is_not_seen():
    assert list(PICTURE) == [str(each) for each in PictureOutcome]
    assert worst_picture([]) is None
    assert worst_picture(["pass", "look"]) == "look"
    assert worst_picture(["pass", "splendid"]) == "not seen"
    assert worst_picture(["not seen", "fail", "look"]) == "fail"


def check(name: str, outcome: Outcome) -> Check:
    return Check(name, name, "", outcome, value=1.0, advice="Take it off.")


@pytest.mark.parametrize(("cause", "dependent"), [(cause, name) for cause, _, names in CAUSES for name in names])
@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.UNCERTAIN])
def test_what_stands_on_a_failed_check_is_not_known(cause, dependent, outcome):
    first, second = not_known_behind([check(cause, Outcome.FAIL), check(dependent, outcome)])
    assert first.outcome is Outcome.FAIL
    assert (second.outcome, second.value, second.advice) == (Outcome.NOT_MEASURED, None, "")
    assert second.detail.startswith("Not known: ")
    for harmless in (Outcome.PASS, Outcome.UNCERTAIN):
        kept = not_known_behind([check(cause, harmless), check(dependent, outcome)])[1]
        assert kept.outcome is outcome


def test_a_blurred_photo_is_not_told_to_take_off_anything():
    found = not_known_behind([check("sharpness", Outcome.FAIL), *(check(name, Outcome.FAIL) for name in FACE_STATE)])
    assert [each.name for each in found if each.outcome is Outcome.FAIL] == ["sharpness"]
