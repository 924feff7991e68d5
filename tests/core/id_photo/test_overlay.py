"""The overlay shows each line at its place, in the colour of its outcome, and the bands that are allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from likeness_studio.core.id_photo import (
    BAD,
    EDGE,
    GOOD,
    SCALE_WIDTH,
    TALL,
    UNSURE,
    Document,
    Head,
    Range,
    draw_overlay,
)
from likeness_studio.core.id_photo.documents import document

GREY = 0.5
RULES = replace(document("icao"), width_mm=40, height_mm=40, head=Range(0.45, 0.6), eyes=Range(0.5, 0.6), room=None)
HEAD = Head((200.0, 180.0), 0.0, 200.0, 180.0, 290.0, 82.0, 70.0, 60.0, 2.0, 4.0, 2.0)
"""In 400 x 400 pixels: 208 high, which is 52 %; eyes at 55 %."""

SCALE = TALL / 400


def drawn(head=HEAD, rules: Document | None = RULES, size=(400, 400)):
    overlay = draw_overlay(torch.full((*size, 3), GREY), head, rules)
    assert overlay.ndim == 3
    assert overlay.shape[2] == 3
    return overlay


def row(overlay, y, x=20):
    """The drawing at a place of the photo."""
    return overlay[EDGE + round(y * SCALE), SCALE_WIDTH + round(x * SCALE)]


def near(overlay, y, colour, x=20):
    """Whether a line of the colour is within two pixels of a height of the photo."""
    wanted = torch.tensor([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    rows = overlay[EDGE + round(y * SCALE) - 2 : EDGE + round(y * SCALE) + 3, SCALE_WIDTH + round(x * SCALE)]
    return bool(((rows - wanted).abs().max(1).values < 0.12).any())


def test_lines_are_where_they_were_measured_in_the_colour_of_their_outcome():
    overlay = drawn()
    assert near(overlay, HEAD.crown, GOOD)
    assert near(overlay, HEAD.eyes, GOOD)
    assert not near(overlay, 140, GOOD)
    small = drawn(replace(HEAD, chin=240.0))
    assert near(small, HEAD.crown, BAD)
    doubtful = drawn(replace(HEAD, crown_sigma=40.0))
    assert near(doubtful, HEAD.crown, UNSURE)


def test_bands_are_tinted_and_the_rest_is_the_photo():
    overlay = drawn()
    for y in (162, 198):
        red, green, _ = row(overlay, y)
        assert green - red > 0.03, "inside the band of the eye line"
    for y in (220, 20, 380):
        assert torch.allclose(row(overlay, y), torch.full((3,), GREY), atol=0.01)


def test_without_a_document_nothing_is_judged():
    overlay = drawn(rules=None)
    for colour in (GOOD, BAD, UNSURE):
        assert not near(overlay, HEAD.eyes, colour)


@pytest.mark.parametrize("size", [(60, 80), (531, 413), (300, 4000), (3000, 400)])
def test_every_size_gets_a_drawing(size):
    height, width = size
    head = replace(HEAD, pivot=(width / 2, height / 2), centre=width / 2, eyes=height / 2, chin=height, crown=-5.0)
    overlay = drawn(replace(head, hair=-9.0, roll=12.0), size=size)
    assert overlay.shape[0] >= 400
    assert overlay.shape[1] <= 1800
    assert bool(torch.isfinite(overlay).all())
    assert 0 <= float(overlay.min()) <= float(overlay.max()) <= 1
