"""What is measured of the head, the size and the file of a photo, judged by the rules of documents."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from likeness_studio.core.errors import PhotoUnreadable
from likeness_studio.core.id_photo import (
    FileFacts,
    Head,
    HeadTop,
    judge_all,
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
from likeness_studio.core.quality import Outcome, judge_measure

PASS, FAIL, UNCERTAIN = Outcome.PASS, Outcome.FAIL, Outcome.UNCERTAIN
HEAD = Head((300.0, 280.0), 0.0, 300.0, 280.0, 440.0, 120.0, 100.0, 90.0, 3.0, 8.0, 4.0)
"""In a picture of 600 x 600 pixels: 320 from chin to crown, 340 to the hair, eyes 320 above the bottom edge."""


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


def test_only_hair_that_is_cut_off_is_a_doubt_where_the_skull_counts():
    outcomes = []
    for name, crown in (("icao", 20.0), ("icao", -5.0), ("schengen-visa", 20.0), ("us-visa", 20.0)):
        measure = _whole_head(replace(HEAD, cut_off=True, crown=crown, hair=0.0), document(name))
        outcomes.append(judge_measure(measure, table()["whole_head"]).outcome)
    assert outcomes == [UNCERTAIN, FAIL, UNCERTAIN, FAIL]
    assert judge_measure(_whole_head(HEAD, document("icao")), table()["whole_head"]).outcome is PASS


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
