"""What `likeness documents` shows as a rule is also checked."""

from __future__ import annotations

import pytest

from likeness_studio.core.id_photo.document import FREE_BACKGROUND, facts
from likeness_studio.core.id_photo.documents import document, documents
from likeness_studio.core.id_photo.limits import limits_for

CHECKED_BY = {
    "head": "head_height",
    "eyes": "eye_line",
    "room": "room_above",
    "chin": "chin_height",
    "head_width": "head_width",
    "expression": "mouth_closed",
    "glasses": "dark_glasses",
    "head_covering": "head_covering",
    "background": "background_colour",
    "file_bytes": "file_size",
    "pixels": "pixels",
    "width_mm": "print_size",
}
"""Which limit holds a photo against which figure or word of a document."""

FREE = (None, "any", FREE_BACKGROUND)


@pytest.mark.parametrize("each", documents().values(), ids=lambda each: each.id)
def test_every_rule_that_is_shown_is_checked(each):
    limits = limits_for(each)
    unchecked = [
        field
        for field, limit in CHECKED_BY.items()
        if getattr(each, field) not in FREE and isinstance(limits[limit], str)
    ]
    if each.kind in ("profile", "application"):
        unchecked = [field for field in unchecked if field != "width_mm"]
    assert unchecked == []
    file = dict(facts(each)).get("File", "")
    assert ("JPEG" in file) == (not isinstance(limits["file_format"], str)), "the format of a file that nobody takes"


def test_a_photo_for_forms_is_held_against_its_own_rules():
    limits = limits_for(document("cn-one-inch"))
    for name in ("smile", "mouth_closed", "dark_glasses", "head_covering", "background_colour"):
        assert not isinstance(limits[name], str), name
    assert isinstance(limits["background_lightness"], str), "it takes blue and red"
    assert not isinstance(limits_for(document("uk-passport"))["background_lightness"], str)
    assert isinstance(limits["yaw"], str), "no rule says how the head must be turned"
    free = limits_for(document("linkedin"))
    assert all(isinstance(free[name], str) for name in ("smile", "dark_glasses", "background_colour"))
