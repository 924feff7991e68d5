"""What a network may take for something else is a doubt where it is uncertain, and a fault where it fails."""

import pytest

from likeness_studio.core.quality.checks import Measure, Outcome, judge_measure
from likeness_studio.core.quality.usable_photo import limits

RECOGNISED = [
    *("left_eye_open", "right_eye_open", "dark_glasses", "eyes_visible", "mouth_visible", "face_occlusion"),
    "head_covering",
]


def _judged(name: str, share: float):
    """The check of a value that lies `share` of the way from what passes to what fails."""
    limit = limits()[name]
    bound = limit.at_least or limit.at_most
    assert bound is not None
    fails = 1.0 if bound.fails == float("inf") else bound.fails
    return judge_measure(Measure(name, bound.passes + share * (fails - bound.passes)), limit)


@pytest.mark.parametrize("name", RECOGNISED)
def test_an_uncertain_sight_is_told_as_one(name):
    check = _judged(name, 0.5)
    assert check.outcome is Outcome.UNCERTAIN
    assert {"may", "perhaps"} & set(check.failing.split())
    assert check.advice.startswith(("If ", "Look whether "))


@pytest.mark.parametrize("name", [name for name in RECOGNISED if name != "head_covering"])
def test_what_fails_is_told_as_a_fault(name):
    check = _judged(name, 2.0)
    assert check.outcome is Outcome.FAIL
    assert "may" not in check.failing.split()
