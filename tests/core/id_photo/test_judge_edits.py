"""Edits and histories of a photo, judged by what a document allows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from likeness_studio.core.id_photo import (
    Edits,
    History,
    IDPhoto,
    forbidden_edits,
    judge_all,
    measure_edits,
)
from likeness_studio.core.id_photo.documents import document
from likeness_studio.core.quality import Outcome

PASS, FAIL, UNCERTAIN = Outcome.PASS, Outcome.FAIL, Outcome.UNCERTAIN


def made(*edits, rules=None):
    return IDPhoto(rules or document("us-passport"), 602, 602, 300.0, 51.0, 51.0, edits)


BACKGROUND = "The background was replaced by plain #ffffff."


@pytest.mark.parametrize(
    ("allowed", "edits", "outcome"),
    [
        (Edits.NONE, (), PASS),
        (Edits.NONE, (BACKGROUND,), FAIL),
        (Edits.BACKGROUND, (BACKGROUND,), PASS),
        (Edits.BACKGROUND, (BACKGROUND, "The skin was smoothed."), FAIL),
        (Edits.ANY, (BACKGROUND, "The skin was smoothed."), Outcome.NOT_ASKED),
    ],
)
def test_edits_that_a_document_forbids_are_a_failed_check_by_name(allowed, edits, outcome):
    rules = replace(document("icao"), edits=allowed, edits_rule="No edits.")
    (check,) = (each for each in judge_all([measure_edits(made(*edits), rules)], rules, 1) if each.name == "unaltered")
    assert check.outcome is outcome
    if outcome is FAIL:
        assert forbidden_edits(edits, rules)[0].rstrip(".") in check.detail


def test_edits_are_a_doubt_where_no_rule_about_them_is_known():
    rules = replace(document("icao"), edits_rule="")
    (check,) = (
        each for each in judge_all([measure_edits(made(BACKGROUND), rules)], rules, 1) if each.name == "unaltered"
    )
    assert check.outcome is UNCERTAIN
    assert "no rule of" in check.source


def test_a_picture_alone_does_not_show_edits():
    assert measure_edits(None, document("icao")).value is None


@pytest.mark.parametrize(
    ("allowed", "told", "outcome"),
    [
        (Edits.NONE, History(changed=("its source is trainedAlgorithmicMedia",)), FAIL),
        (Edits.BACKGROUND, History(changed=("its source is trainedAlgorithmicMedia",)), FAIL),
        (Edits.ANY, History(changed=("its source is trainedAlgorithmicMedia",)), Outcome.NOT_ASKED),
        (Edits.NONE, History(composed=("its source is composite",)), FAIL),
        (Edits.BACKGROUND, History(composed=("its source is composite",)), Outcome.NOT_MEASURED),
        (Edits.BACKGROUND, History((BACKGROUND,), composed=("its source is composite",)), PASS),
        (Edits.NONE, History((BACKGROUND,)), FAIL),
        (Edits.NONE, History(()), PASS),
        (Edits.NONE, History(), Outcome.NOT_MEASURED),
    ],
)
def test_what_the_file_says_of_its_making_is_believed(allowed, told, outcome):
    rules = replace(document("icao"), edits=allowed, edits_rule="No edits.")
    measures = [measure_edits(None, rules, told)]
    (check,) = (each for each in judge_all(measures, rules, 1) if each.name == "unaltered")
    assert check.outcome is outcome
    if outcome is FAIL:
        assert check.detail.startswith("The file says: ")
