"""Limits, outcomes and verdicts: what passes, fails, is uncertain, is not asked, by hand-made measures."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from likeness_studio.core.errors.formats import LimitsInvalid
from likeness_studio.core.id_photo import (
    Compliance,
    Range,
    judge_all,
    limits_for,
    table,
)
from likeness_studio.core.id_photo.documents import document, documents
from likeness_studio.core.quality import Bound, Limit, Measure, Outcome, Verdict, judge_measure, read_limits, verdict_of

BENCHMARKS = Path(__file__).parents[3] / "benchmarks" / "id_photo"

PASS, FAIL, UNCERTAIN = Outcome.PASS, Outcome.FAIL, Outcome.UNCERTAIN


def limit(**bounds):
    return Limit("sharpness", "Sharp", "Sharpness", too_low="Hold still.", too_high="Calm down.", **bounds)


@pytest.mark.parametrize(
    ("value", "error", "outcome"),
    [
        (12, None, PASS),
        (10, None, PASS),
        (9.99, None, FAIL),
        (10.5, 1, UNCERTAIN),
        (11, 1, PASS),
        (9.5, 1, UNCERTAIN),
        (8.9, 1, FAIL),
        (-math.inf, None, Outcome.NOT_MEASURED),
        (math.nan, 1, Outcome.NOT_MEASURED),
    ],
)
def test_a_rule_of_one_figure_is_uncertain_within_the_error(value, error, outcome):
    check = judge_measure(Measure("sharpness", value, "mm", error), limit(at_least=Bound(10, 10)))
    assert check.outcome is outcome
    assert check.limit == "at least 10.00 mm"
    assert check.advice == ("Hold still." if outcome in (FAIL, UNCERTAIN) else "")


@pytest.mark.parametrize(
    ("value", "outcome"), [(4, PASS), (5, PASS), (6, UNCERTAIN), (8, UNCERTAIN), (8.1, FAIL), (-20, PASS)]
)
def test_a_rule_of_two_figures_has_its_error_inside(value, outcome):
    check = judge_measure(Measure("sharpness", value, "", 3.0), limit(at_most=Bound(5, 8)))
    assert check.outcome is outcome
    assert check.advice == ("Calm down." if outcome is not PASS else "")


def test_a_rule_may_be_advice_only():
    assert judge_measure(Measure("x", 1e9), limit(at_most=Bound(5, math.inf))).outcome is UNCERTAIN
    assert judge_measure(Measure("x", -1e9), limit(at_least=Bound(5, -math.inf))).outcome is UNCERTAIN


def test_what_was_not_measured_says_why():
    check = judge_measure(Measure("sharpness", None, detail="The face shows no edges."), limit(at_most=Bound(1, 1)))
    assert (check.outcome, check.detail, check.advice) == (Outcome.NOT_MEASURED, "The face shows no edges.", "")
    assert check.as_dict()["value"] is None


def test_what_should_have_been_seen_and_was_not_is_a_doubt():
    blind = Measure("background_uniformity", None, detail="Nothing is surely background.")
    seen, unseen = (
        {check.name: check for check in judge_all(measures, document("icao"), 1)}["background_uniformity"]
        for measures in ([blind], [])
    )
    assert (seen.outcome, unseen.outcome) == (UNCERTAIN, Outcome.NOT_MEASURED)
    assert "could not be told from the person" in seen.advice
    assert unseen.advice == ""


def test_the_value_is_shown_with_its_error_where_that_matters():
    two = replace(limit(at_most=Bound(50, 50)), digits=1)
    assert judge_measure(Measure("x", 41.234, "mm", 0.62), two).shown == "41.2 ± 0.6 mm"
    assert judge_measure(Measure("x", -41.234, "mm", 0.04), two).shown == "−41.2 mm"
    assert judge_measure(Measure("x", 1, ""), replace(two, shown=False)).shown == ""


def verdict(*outcomes):
    check = judge_measure(Measure("x", 1.0), limit())
    return verdict_of([replace(check, outcome=outcome) for outcome in outcomes])


def test_the_verdict_passes_only_without_fails_and_without_doubts():
    missing, unasked = Outcome.NOT_MEASURED, Outcome.NOT_ASKED
    assert verdict(PASS, PASS, unasked, missing) is Verdict.PASS
    assert verdict(PASS, UNCERTAIN) is Verdict.UNCERTAIN
    assert verdict(UNCERTAIN, PASS, FAIL) is Verdict.FAIL
    assert verdict(missing, unasked) is Verdict.UNCERTAIN
    assert verdict() is Verdict.UNCERTAIN


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a", "is not TOML"),
        ("a = 1", "must be a table"),
        ('[a]\ntitle = "A"', "key group is missing"),
        ('[a]\ntitle = "A"\ngroup = "G"\nat_most = [8, 5]', "swap them"),
        ('[a]\ntitle = "A"\ngroup = "G"\nat_least = [5, 8]', "swap them"),
        ('[a]\ntitle = "A"\ngroup = "G"\nat_least = "5"', "key at_least is '5' and should be a valid number"),
        ('[a]\ntitle = "A"\ngroup = "G"\nat_leest = 5', "at_leest is not known here; did you mean at_least"),
        ('[a]\ntitle = 5\ngroup = "G"', "line 2, .* key title is 5"),
    ],
)
def test_a_table_of_limits_that_is_wrong_is_refused_by_name(tmp_path, text, words):
    file = tmp_path / "limits.toml"
    file.write_text(text)
    with pytest.raises(LimitsInvalid, match=rf"limits\.toml.*{words}"):
        read_limits(file)


def test_one_cause_is_one_failure():
    def outcomes(**values):
        found = judge_all([Measure(name, value) for name, value in values.items()], document("icao"), 1)
        return {check.name: check for check in found}

    patterned = outcomes(background_uniformity=60, background_shadow=30, background_pattern=9, background_lightness=80)
    assert patterned["background_uniformity"].outcome is FAIL
    for name in ("background_shadow", "background_pattern"):
        assert patterned[name].outcome is Outcome.NOT_MEASURED
        assert patterned[name].detail == "Not known: the background is not plain."
    assert outcomes(background_uniformity=5, background_shadow=30)["background_shadow"].outcome is FAIL
    dark = outcomes(under_exposure=6, background_lightness=15, background_colour=70)
    assert dark["under_exposure"].outcome is FAIL
    assert dark["background_lightness"].detail == "Not known: the photo is too dark."


def test_a_black_and_white_photo_is_told_so():
    grey = Measure("natural_colour", 5.0, "CIELAB", detail="The photo is black and white. The cheeks have a* 0.")
    check = next(each for each in judge_all([grey], document("icao"), 1) if each.name == "natural_colour")
    assert check.advice == "The photo is black and white; use a colour photo."


def test_a_failed_rule_has_words_for_its_failure_and_a_doubt_shows_both_limits():
    found = judge_all([Measure("sharpness", 41.0, "points")], document("icao"), 0)
    checks = {check.name: check for check in found}
    assert checks["sharpness"].limit == "at least 43 points; fails below 39 points"
    assert checks["sharpness"].fault == "not sharp enough"
    assert checks["faces"].fault == "no face was found"
    assert {each.name: each for each in judge_all([], document("icao"), 3)}["faces"].fault == "several faces"
    poor = Compliance(document("icao"), judge_all([Measure("sharpness", 9.0)], document("icao"), 1), 9, 9)
    assert poor.headline == "1 rule not met for the General 35 x 45 mm (ICAO): not sharp enough."


def test_an_error_that_reaches_what_is_asked_is_a_doubt():
    check = judge_measure(Measure("x", 9.0, "", 4.5), limit(at_most=Bound(5, 8)))
    assert check.outcome is UNCERTAIN
    assert judge_measure(Measure("x", 9.0, "", 3.5), limit(at_most=Bound(5, 8))).outcome is FAIL


def test_our_tables_give_advice_for_every_bound():
    from likeness_studio.core.quality.usable_photo import limits as usable_limits

    for each in (*table().values(), *usable_limits().values()):
        assert each.title[0].isupper(), each.name
        assert each.failing, each.name
        for bound, advice in ((each.at_least, each.too_low), (each.at_most, each.too_high)):
            if bound is not None:
                assert advice.endswith("."), each.name
    for name in documents():
        for each in limits_for(document(name)).values():
            if isinstance(each, str):
                assert each
                continue
            assert each.at_least is None or each.too_low.endswith("."), (name, each.name)
            assert each.at_most is None or each.too_high.endswith("."), (name, each.name)
            assert each.at_least or each.at_most, (name, each.name)


@pytest.mark.parametrize("file", ["photometric_limits.toml", "face_limits.toml"])
def test_our_limits_are_those_that_were_chosen_on_portraits(file):
    chosen = tomllib.loads((BENCHMARKS / file).read_text("utf-8"))
    assert len(chosen) > 10
    for name, bounds in chosen.items():
        for side in ("at_least", "at_most"):
            bound = getattr(table()[name], side)
            if side in bounds:
                assert [bound.passes, bound.fails] == bounds[side], name


def asked(name, **changes) -> Any:
    rules = limits_for(replace(document("icao"), **changes))
    return rules[name]


def test_documents_ask_for_what_their_rules_say():
    assert isinstance(asked("smile", expression="neutral"), Limit)
    assert isinstance(asked("smile", expression="closed smile"), str)
    assert isinstance(asked("mouth_closed", expression="closed smile"), Limit)
    assert isinstance(asked("mouth_closed", expression="any"), str)
    assert isinstance(asked("glasses", glasses="none"), Limit)
    assert isinstance(asked("glasses", glasses="no glare"), str)
    assert isinstance(asked("glasses_glare", glasses="no glare"), Limit)
    assert isinstance(asked("glasses_glare", glasses="any"), str)
    assert isinstance(asked("background_uniformity", background_colours=()), str)
    assert isinstance(asked("room_above", room=None), str)
    assert asked("head_height", head=Range(0.7, 0.8)).at_least.passes == pytest.approx(31.5)
    assert asked("head_height", head=Range(0.7, 0.8)).at_most.fails == pytest.approx(36)


def test_a_head_covering_is_for_a_person_to_decide_where_religion_is_a_reason():
    worn = {"never": asked("head_covering", head_covering="none"), "maybe": asked("head_covering")}
    bound = worn["never"].at_most or worn["never"].at_least
    far = bound.fails + (bound.fails - bound.passes) * 10
    assert judge_measure(Measure("head_covering", far), worn["never"]).outcome is FAIL
    check = judge_measure(Measure("head_covering", far), worn["maybe"])
    assert check.outcome is UNCERTAIN
    assert "religion" in check.advice


def test_a_profile_has_no_strict_pose_and_an_uncut_photo_no_frame():
    profile, uncut = limits_for(document("linkedin")), limits_for(document("icao"), uncut=True)
    assert isinstance(profile["yaw"], str)
    assert isinstance(profile["sharpness"], Limit)
    assert isinstance(uncut["head_height"], str)
    assert isinstance(uncut["yaw"], Limit)


def test_the_advice_names_the_colours_that_the_document_takes():
    found = judge_measure(
        Measure("background_colour", 60.0),
        asked("background_colour", background_colours=("#FFFFFF",), background="white"),
    )
    assert "white" in found.advice
    assert "#FFFFFF" in found.limit.upper()


def report(*checks, name="us-passport"):
    return Compliance(document(name), list(checks), 602, 602, [], None, ["A note."], "a.jpg")


def test_the_report_says_what_is_wrong_and_what_nobody_can_tell():
    good = judge_measure(Measure("sharpness", 20.0), limit(at_least=Bound(10, 10)))
    poor, unsure = replace(good, outcome=FAIL, advice="Hold still."), replace(good, outcome=UNCERTAIN)
    passed = report(good)
    assert passed.passed
    assert "meets every rule for the US passport that can be measured" in passed.headline
    assert not report(good, unsure).passed
    assert "No rule is broken" in report(good, unsure).headline
    failed = report(good, poor)
    assert not failed.passed
    assert failed.headline == "1 rule not met for the US passport: sharp."
    for words in ("Hold still.", "A note.", "taken recently", "looks like you"):
        assert words in failed.text()
    told = failed.as_dict()
    assert (told["verdict"], told["passed"], told["document"]) == ("fail", False, "us-passport")
    assert "recently" in " ".join(told["not_measurable"])
