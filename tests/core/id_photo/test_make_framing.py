"""Where an ID photo is cut: all rules kept where that can be, inside the photo, and the safest place among them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from likeness_studio.core.choices import HeadSize, Size
from likeness_studio.core.id_photo import (
    LARGEST_SHIFT,
    Bounds,
    Document,
    Framing,
    Head,
    HeadTop,
    Range,
    choose_frame,
    picture_size,
)
from likeness_studio.core.id_photo.documents import document, documents
from likeness_studio.core.imaging import rotate

PLAIN = Document("plain", "Plain", "Nowhere", "generic", 35, 45)


def head_at(x=500.0, y=600.0, unit=100.0, roll=0.0, hair=2.1, crown_sigma=0.12) -> Head:
    """A head of 3.65 eye distances from chin to crown, with hair above."""
    return Head(
        pivot=(x, y),
        roll=roll,
        centre=x,
        eyes=y,
        chin=y + 1.8 * unit,
        crown=y - 1.85 * unit,
        hair=y - hair * unit,
        unit=unit,
        chin_sigma=0.05 * unit,
        crown_sigma=crown_sigma * unit,
        hair_sigma=0.04 * unit,
    )


def frame_or_none(head, rules, bounds=None, aim=HeadSize.SAFEST, head_width=None):
    width, height, _ = picture_size(rules, Size.AUTO)
    return choose_frame(head, rules, width / height, bounds, aim, head_width)


def framed(*about, **more) -> Framing:
    found = frame_or_none(*about, **more)
    assert found is not None
    return found


def corners(cut):
    half = np.array([cut.width, cut.height]) / 2
    return cut.to_photo(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half + [cut.x, cut.y])


@pytest.mark.parametrize("name", documents())
@pytest.mark.parametrize("unit", [30.0, 400.0])
def test_every_document_can_be_kept_by_an_ordinary_head(name, unit):
    found = framed(head_at(unit=unit), document(name))
    assert found.broken == []
    for fit in found.fits:
        if fit.name in ("room above the hair", "off centre"):
            assert fit.met, fit


def test_the_fits_say_what_the_frame_is():
    head, rules = head_at(), document("schengen-visa")
    found = framed(head, rules)
    top, bottom = found.cut.y - found.cut.height / 2, found.cut.y + found.cut.height / 2
    by_name = {fit.name: fit.value for fit in found.fits}
    assert by_name["head height"] == pytest.approx((head.chin - head.crown) / found.cut.height)
    assert by_name["eye line"] == pytest.approx((bottom - head.eyes) / found.cut.height)
    assert head.hair is not None
    assert by_name["room above the hair"] == pytest.approx((head.hair - top) / found.cut.height)
    assert found.cut.width / found.cut.height == pytest.approx(827 / 1063)


def test_a_single_rule_is_kept_in_its_middle():
    rules = dataclasses.replace(PLAIN, head=Range(0.6, 0.8))
    found = framed(head_at(hair=1.9), rules)
    assert (found.fits[0].name, found.fits[0].value) == ("head height", pytest.approx(0.7, abs=0.01))


def test_what_is_known_badly_gets_more_room():
    """Head and room share what is free; the more doubtful the crown, the further its two rules are from their ends."""
    rules = dataclasses.replace(PLAIN, head=Range(0.5, 0.7), room=Range(0.05, 0.2), eyes=Range(0.5, 0.56))
    sure, doubtful = (framed(head_at(hair=1.9, crown_sigma=sigma), rules) for sigma in (0.01, 0.3))

    def slack(found, name):
        fit = next(fit for fit in found.fits if fit.name == name)
        return min(fit.value - fit.limits.low, fit.limits.high - fit.value)

    assert sure.broken == doubtful.broken == []
    assert slack(doubtful, "room above the head") > slack(sure, "room above the head") + 0.005


def test_the_crown_counts_or_the_hair():
    head = head_at(hair=2.6)
    by_crown, by_hair = (
        framed(head, dataclasses.replace(PLAIN, head=Range(0.6, 0.7), head_top=top)).cut.height for top in HeadTop
    )
    assert by_hair / by_crown == pytest.approx((2.6 + 1.8) / 3.65, rel=0.02)


def test_smaller_and_larger_heads_stay_within_the_rule():
    rules = document("us-passport")
    small, safe, large = (
        framed(head_at(), rules, aim=aim) for aim in (HeadSize.SMALLER, HeadSize.SAFEST, HeadSize.LARGER)
    )
    assert small.broken == large.broken == []
    assert small.fits[0].value < safe.fits[0].value < large.fits[0].value


@pytest.mark.parametrize("roll", [-12.0, 0.0, 4.0, 25.0])
def test_a_frame_stays_inside_the_photo(roll):
    head = head_at(x=470, y=480, roll=roll)
    found = framed(head, document("us-passport"), Bounds(1000, 1000))
    assert corners(found.cut).min() > -1
    assert corners(found.cut).max() < 1001
    assert found.beyond == {}
    assert Bounds(1000, 1000).hold(found.cut)
    assert not Bounds(round(corners(found.cut)[:, 0].max()) - 2, 1000).hold(found.cut)
    level = rotate(np.array([[head.centre, head.eyes]]), head.pivot, 0)
    assert abs(level[0, 0] - found.cut.x) <= LARGEST_SHIFT * found.cut.width


def test_a_photo_that_ends_too_early_breaks_the_rules_by_the_least():
    """Above the hair the photo goes on for 20 pixels only: the head cannot be as low as the rule has it."""
    rules = dataclasses.replace(PLAIN, head=Range(0.5, 0.6), room=Range(0.15, 0.2))
    head = head_at(y=230, hair=2.1)
    found = framed(head, rules, Bounds(1000, 2000))
    assert [fit.name for fit in found.broken] == ["room above the head"]
    assert corners(found.cut)[0, 1] == pytest.approx(0, abs=5)
    assert framed(head, rules).broken == []


def test_a_frame_that_cuts_the_skull_breaks_a_rule_and_hair_alone_does_not():
    """A photo that ends at the skull, or just above it, for a document that says nothing of the room above."""
    head, rules = head_at(hair=2.1), dataclasses.replace(PLAIN, head=Range(0.6, 0.9))
    assert head.hair is not None
    for top, broken in ((head.crown + 10, ["whole head"]), (head.crown - 5, [])):
        moved = dataclasses.replace(
            head,
            pivot=(head.pivot[0], head.pivot[1] - top),
            eyes=head.eyes - top,
            chin=head.chin - top,
            crown=head.crown - top,
            hair=head.hair - top,
        )
        found = framed(moved, rules, Bounds(1000, 1000))
        assert [fit.name for fit in found.broken] == broken


def test_a_plain_background_may_go_on_where_the_photo_ends():
    rules = dataclasses.replace(PLAIN, head=Range(0.5, 0.6), room=Range(0.15, 0.2))
    head, nothing_cut = head_at(y=230), np.zeros((0, 2))
    found = framed(head, rules, Bounds(1000, 2000, nothing_cut))
    assert found.broken == []
    assert found.beyond["above"] > 20


@pytest.mark.parametrize("roll", [0.0, -6.0])
def test_where_the_photo_cuts_the_person_off_no_frame_goes(roll):
    """The body leaves the photo at the bottom, between x = 200 and 800."""
    cuts = np.stack([np.linspace(200, 800, 40), np.full(40, 900.0)], 1)
    head = head_at(y=500, roll=roll)
    found = framed(head, document("us-passport"), Bounds(1000, 900, cuts))
    assert Bounds(1000, 900, cuts).hold(found.cut)
    assert not Bounds(1000, 900, cuts - [0, 40]).hold(found.cut)
    inside = rotate(cuts, head.pivot, -roll) - [found.cut.x, found.cut.y]
    reach = np.array([found.cut.width, found.cut.height]) * (0.5 - 0.004)
    assert not (np.abs(inside) < reach).all(1).any()


def test_no_frame_at_all_is_none():
    assert frame_or_none(head_at(x=10), document("us-passport"), Bounds(1000, 1000)) is None
    assert frame_or_none(head_at(y=600), document("schengen-visa"), Bounds(60, 2000)) is None


def test_a_rule_for_the_width_of_the_head_counts():
    rules = dataclasses.replace(PLAIN, head=Range(0.5, 0.9), head_width=Range(0.45, 0.5))
    free, held = (framed(head_at(hair=1.9), rules, head_width=width) for width in (None, 250.0))
    assert 250 / held.cut.width == pytest.approx(0.475, abs=0.02)
    assert abs(250 / free.cut.width - 0.475) > 0.03
