"""Where no rule asks for a level head, a photo is not turned so far that the head is cut off."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from likeness_studio.core.errors.formats import PhotoTooTight
from likeness_studio.core.faces import load_engine
from likeness_studio.core.id_photo import Head, MakeOptions, TensorSource, make_id_photo, may_tilt, turned
from likeness_studio.core.id_photo.documents import document
from likeness_studio.core.imaging import from_pil

HEAD = Head((200, 200), 10.0, 200, 200, 310, 90, 80, 70, 4, 6, 3)


def test_only_photos_without_an_identity_check_stay_tilted():
    assert may_tilt(document("linkedin"))
    assert not may_tilt(document("us-passport"))
    assert not may_tilt(document("icao"))


def test_a_head_that_is_turned_less_stays_where_it_is_in_the_photo():
    assert turned(HEAD, 1.0) == HEAD
    for share in (0.5, 0.0):
        less = turned(HEAD, share)
        assert less.roll == 10 * share
        for name in ("chin", "crown", "hair"):
            height = getattr(HEAD, name)
            ((_, y),) = HEAD.to_photo(np.array([[200.0, height]]))
            seen = less.to_photo(np.array([[200.0, getattr(less, name)]]))
            lean = np.tan(np.radians(10 * (1 - share))) * abs(height - 200)
            assert seen[0, 1] == pytest.approx(y, abs=lean * np.sin(np.radians(10)) + 0.01)


@pytest.mark.models
def test_a_tilted_head_near_the_edge_is_kept_whole(astronaut):
    """The demo photo turned by 9 degrees and cut close: level frames cut into the head, tilted ones need not."""
    with Image.open(astronaut) as photo:
        leaning = photo.convert("RGB").rotate(
            -9, Image.Resampling.BICUBIC, center=(225, 130), fillcolor=(120, 120, 120)
        )
    tight = leaning.crop((118, 18, 318, 218))
    source = TensorSource(from_pil(tight)[0])
    free = make_id_photo(source, load_engine(), MakeOptions(document("linkedin")))
    assert abs(free.report["turned_degrees"]) < 6
    assert free.report["broken"] == []
    assert any("left tilted" in note for note in free.report["notes"])
    try:
        strict = make_id_photo(source, load_engine(), MakeOptions(document("us-passport")))
    except PhotoTooTight:
        return
    assert abs(strict.report["turned_degrees"]) > 6
