"""Limits, outcomes and verdicts: what passes, fails, is uncertain, is not asked, by hand-made measures."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from likeness_studio.core.errors import PhotoUnreadable
from likeness_studio.core.errors.formats import LimitsInvalid
from likeness_studio.core.id_photo import (
    Compliance,
    Edits,
    FileFacts,
    Head,
    HeadTop,
    History,
    IDPhoto,
    Range,
    forbidden_edits,
    judge_all,
    limits_for,
    measure_edits,
    measure_file,
    measure_geometry,
    measure_size,
    place,
    read_facts,
    table,
)
from likeness_studio.core.id_photo.documents import document, documents
from likeness_studio.core.id_photo.judge import _whole_head
from likeness_studio.core.imaging import rotate
from likeness_studio.core.quality import Bound, Limit, Measure, Outcome, Verdict, judge_measure, read_limits, verdict_of

BENCHMARKS = Path(__file__).parents[3] / "benchmarks" / "id_photo"

PASS, FAIL, UNCERTAIN = Outcome.PASS, Outcome.FAIL, Outcome.UNCERTAIN
HEAD = Head((300.0, 280.0), 0.0, 300.0, 280.0, 440.0, 120.0, 100.0, 90.0, 3.0, 8.0, 4.0)
"""In a picture of 600 x 600 pixels: 320 from chin to crown, 340 to the hair, eyes 320 above the bottom edge."""


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


def test_only_hair_that_is_cut_off_is_a_doubt_where_the_skull_counts():
    outcomes = []
    for name, crown in (("icao", 20.0), ("icao", -5.0), ("schengen-visa", 20.0), ("us-visa", 20.0)):
        measure = _whole_head(replace(HEAD, cut_off=True, crown=crown, hair=0.0), document(name))
        outcomes.append(judge_measure(measure, table()["whole_head"]).outcome)
    assert outcomes == [UNCERTAIN, FAIL, UNCERTAIN, FAIL]
    assert judge_measure(_whole_head(HEAD, document("icao")), table()["whole_head"]).outcome is PASS


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
        assert patterned[name].detail == "Not judged: the background is not plain."
    assert outcomes(background_uniformity=5, background_shadow=30)["background_shadow"].outcome is FAIL
    dark = outcomes(under_exposure=6, background_lightness=15, background_colour=70)
    assert dark["under_exposure"].outcome is FAIL
    assert dark["background_lightness"].detail == "Not judged: the photo is too dark."


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


def geometry(head=HEAD, name="us-visa", size: tuple[int, int] = (600, 600)):
    return {each.name: each for each in measure_geometry(head, *size, document(name))}


def test_lengths_are_millimetres_of_the_print():
    found = geometry(name="icao", size=(467, 600))
    assert found["head_height"].value == pytest.approx(320 / 600 * 45)
    assert found["head_height"].uncertainty == pytest.approx(math.hypot(8, 3) / 600 * 45)
    assert found["eye_line"].value == pytest.approx(320 / 600 * 45)
    assert found["room_above"].value == pytest.approx(120 / 600 * 45)
    assert found["chin_height"].value == pytest.approx(160 / 600 * 45)
    assert found["head_height"].unit == "mm"
    assert found["centring"].value == pytest.approx(100 * abs(300 / 467 - 0.5))


def test_an_upload_is_measured_in_percent_and_hair_counts_where_the_document_says_so():
    rules = replace(document("us-visa"), width_mm=None, height_mm=None, head_top=HeadTop.HAIR)
    found = {each.name: each for each in measure_geometry(HEAD, 600, 600, rules)}
    assert found["head_height"].value == pytest.approx(100 * 340 / 600)
    assert found["head_height"].unit == "% of the height"
    assert "hair" in found["head_height"].detail
    bare = replace(HEAD, hair=None)
    found = {each.name: each for each in measure_geometry(bare, 600, 600, rules)}
    assert found["head_height"].value == pytest.approx(100 * 320 / 600)


def test_a_tilted_head_has_the_same_height():
    tilted = replace(HEAD, roll=20.0)
    spots = rotate(np.array([[300.0, 440.0], [300.0, 120.0]]), (300.0, 280.0), 20.0)
    placed = place(tilted, 600, 600)
    assert placed.head.value == pytest.approx(320 / 600)
    assert placed.room.value == pytest.approx(spots[1, 1] / 600)
    assert placed.chin.value == pytest.approx(1 - spots[0, 1] / 600)


def judged(head=HEAD, name="us-passport", faces=1, extra=(), size: tuple[int, int] = (602, 602), **options):
    rules = document(name)
    measures = [*measure_size(*size, rules), *measure_geometry(head, *size, rules), *extra]
    return {check.name: check for check in judge_all(measures, rules, faces, **options)}


def test_a_small_head_fails_and_one_at_the_limit_is_uncertain():
    asked_for = document("us-passport").head
    assert asked_for is not None
    low = asked_for.low * 602
    small, edge = (replace(HEAD, chin=HEAD.crown + share * low) for share in (0.6, 1.0))
    assert judged(small)["head_height"].outcome is FAIL
    assert "too small" in judged(small)["head_height"].advice
    assert judged(edge)["head_height"].outcome is UNCERTAIN
    assert judged(replace(HEAD, chin=HEAD.crown + 30 / 51 * 602))["head_height"].outcome is PASS


def test_a_face_beside_the_middle_fails():
    assert judged()["centring"].outcome is PASS
    beside = judged(replace(HEAD, centre=360.0))["centring"]
    assert beside.outcome is FAIL
    assert "right" in beside.detail


@pytest.mark.parametrize(("faces", "outcome", "words"), [(0, FAIL, "No face"), (1, PASS, "One"), (3, FAIL, "3 faces")])
def test_how_many_faces_is_a_rule_and_no_error(faces, outcome, words):
    check = judged(faces=faces)["faces"]
    assert check.outcome is outcome
    assert check.detail.startswith(words)


def test_sizes_in_pixels_and_proportions():
    assert judged()["aspect"].outcome is PASS
    assert judged()["print_density"].outcome is PASS
    assert judged(size=(602, 500))["aspect"].outcome is FAIL
    assert judged(size=(250, 250))["print_density"].outcome is FAIL
    lottery = "us-dv-lottery"
    assert judged(name=lottery, size=(600, 600))["pixels"].outcome is PASS
    assert judged(name=lottery, size=(601, 601))["pixels"].outcome is FAIL
    assert judged(name=lottery, size=(599, 599))["pixels"].limit == "600 x 600 pixels"
    assert judged(name="us-passport-online", size=(500, 500))["pixels"].outcome is FAIL
    assert judged(name="us-passport-online", size=(2000, 2000))["pixels"].outcome is PASS


@pytest.mark.parametrize("name", documents())
def test_a_photo_of_the_size_that_is_made_has_a_right_size(name):
    from likeness_studio.core.choices import Size
    from likeness_studio.core.id_photo import picture_size

    rules = document(name)
    width, height, _ = picture_size(rules, Size.AUTO)
    checks = {check.name: check for check in judge_all(measure_size(width, height, rules), rules, 1)}
    for each in ("aspect", "pixels", "print_density"):
        assert checks[each].outcome in (PASS, Outcome.NOT_ASKED), checks[each]


def file_checks(name, **facts):
    rules = document(name)
    told = {"name": "a.jpg", "size": 100_000, "form": "jpeg", "dpi": 300.0} | facts
    measures = measure_file(FileFacts(**told), 602, rules)
    return {check.name: check for check in judge_all(measures, rules, 1)}


def test_the_file_is_judged_where_the_document_takes_a_file():
    assert file_checks("us-dv-lottery")["file_size"].outcome is PASS
    large = file_checks("us-dv-lottery", size=300_000)["file_size"]
    assert (large.outcome, large.shown) == (FAIL, "300 kB")
    assert large.limit.endswith("240 kB")
    assert file_checks("us-dv-lottery", form="png")["file_format"].outcome is FAIL
    assert file_checks("us-passport")["file_size"].outcome is Outcome.NOT_ASKED
    assert file_checks("us-passport")["print_size"].outcome is PASS
    assert file_checks("us-passport", dpi=72.0)["print_size"].outcome is UNCERTAIN
    assert file_checks("us-passport", dpi=None)["print_size"].outcome is Outcome.NOT_MEASURED
    rules = document("us-dv-lottery")
    missing = {check.name: check for check in judge_all(measure_file(None, 600, rules), rules, 1)}
    assert missing["file_size"].outcome is Outcome.NOT_MEASURED
    assert missing["file_compression"].outcome is Outcome.NOT_MEASURED


def test_the_quality_in_which_a_file_was_saved():
    outcomes = [file_checks("icao", quality=each)["file_compression"].outcome for each in (90.0, 60.0, 45.0, 20.0)]
    assert outcomes == [PASS, PASS, UNCERTAIN, FAIL]
    assert "messengers" in file_checks("icao", quality=20.0)["file_compression"].advice
    assert file_checks("icao", form="png")["file_compression"].outcome is PASS
    assert file_checks("icao", form="webp")["file_compression"].outcome is Outcome.NOT_MEASURED


def test_the_advice_names_the_colours_that_the_document_takes():
    found = judge_measure(
        Measure("background_colour", 60.0),
        asked("background_colour", background_colours=("#FFFFFF",), background="white"),
    )
    assert "white" in found.advice
    assert "#FFFFFF" in found.limit.upper()


def test_facts_of_a_file(tmp_path):
    file = tmp_path / "a.png"
    Image.new("RGB", (40, 60)).save(file, dpi=(300, 300))
    facts = read_facts(file)
    assert facts.quality is None
    assert (facts.name, facts.form, facts.size) == ("a.png", "png", file.stat().st_size)
    assert facts.dpi == pytest.approx(300, abs=0.1)
    file.write_bytes(b"no picture")
    with pytest.raises(PhotoUnreadable):
        read_facts(file)


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
