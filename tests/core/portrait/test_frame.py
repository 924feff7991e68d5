"""Framing: level eyes, stated proportions, never through a body, and nothing made up in silence."""

import math

import numpy as np
import pytest
import torch

from likeness_studio.core.choices import CROPS, PRESETS, FacePolicy
from likeness_studio.core.errors import FaceNotUsable
from likeness_studio.core.faces import Face, choose_face
from likeness_studio.core.imaging import Cut, rotate, sample
from likeness_studio.core.portrait import LARGEST_TURN, LEAST_BODY, FrameOptions, Outside, frame_headshot
from likeness_studio.core.portrait.framing import NO_BODY, look_at

FACE = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, 0.6], [-0.4, 1.155], [0.4, 1.155]])
"""A face in eye distances from the eye centre."""


def _landmarks(x, y, unit, tilt=0.0):
    return rotate(FACE * unit + [x, y], (x, y), tilt)


def _bust(height, width, x, y, unit):
    """A head and shoulders that run out of the picture at the bottom, as MASK [1,H,W]."""
    ys, xs = torch.arange(height)[:, None] + 0.5, torch.arange(width)[None, :] + 0.5
    head = ((xs - x) / (1.3 * unit)) ** 2 + ((ys - y) / (2.0 * unit)) ** 2 < 1
    body = (ys > y + 2.4 * unit) & ((xs - x).abs() < 3.2 * unit)
    neck = (ys > y) & ((xs - x).abs() < 0.8 * unit)
    return (head | body | neck).float()[None]


def _photo(height, width):
    ys, xs = torch.arange(height)[:, None], torch.arange(width)[None, :]
    return torch.stack(
        [(xs / width).expand(height, -1), (ys / height).expand(-1, width), torch.full((height, width), 0.5)], -1
    )[None]


@pytest.mark.parametrize("crop", list(PRESETS))
def test_proportions(crop):
    unit = 60
    image, mask = _photo(1600, 1400), _bust(1600, 1400, 700, 500, unit)
    framed = frame_headshot(image, mask, _landmarks(700, 500, unit), FrameOptions(crop))
    preset = PRESETS[crop]
    assert framed.image.shape[2] / framed.image.shape[1] == pytest.approx(preset.aspect, abs=0.002)
    assert framed.report["head_share"] == pytest.approx(preset.head, abs=0.01)
    assert framed.report["notes"][-1].startswith("The picture is enlarged") == (framed.report["scale"] > 1.05)
    rows = torch.nonzero(framed.mask[0].amax(1) > 0.5)[:, 0]
    assert int(rows[0]) / framed.mask.shape[1] == pytest.approx(preset.room, abs=0.02)
    columns = framed.mask[0, : framed.mask.shape[1] // 3].sum(0)
    centre = float((columns * torch.arange(len(columns))).sum() / columns.sum()) / len(columns)
    assert centre == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("tilt", [-5, -2, 0, 3, 4.5])
def test_eyes_become_level(tilt):
    """A mark on each eye is found again on one level in the result."""
    landmarks = _landmarks(400, 350, 70, tilt)
    image = torch.zeros(1, 900, 800, 3)
    for channel, (x, y) in enumerate(landmarks[:2]):
        image[0, round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4, channel] = 1
    framed = frame_headshot(image, None, landmarks, FrameOptions(width=512))
    spots = []
    for channel in range(2):
        weight = framed.image[0, ..., channel]
        ys, xs = torch.meshgrid(*(torch.arange(size).float() for size in weight.shape), indexing="ij")
        spots.append(((weight * xs).sum() / weight.sum(), (weight * ys).sum() / weight.sum()))
    dx, dy = float(spots[1][0] - spots[0][0]), float(spots[1][1] - spots[0][1])
    assert abs(math.degrees(math.atan2(dy, dx))) < 1
    assert framed.report["turned_degrees"] == pytest.approx(-tilt, abs=0.1)


def test_a_pose_is_not_straightened_away():
    framed = frame_headshot(_photo(900, 900), None, _landmarks(450, 400, 60, 50), FrameOptions(width=256))
    assert framed.report["turned_degrees"] == -LARGEST_TURN


def test_a_photo_that_cannot_afford_it_is_not_turned():
    """Levelling would swing the corner of the tight photo into the frame, or shrink it."""
    unit, tilt = 170, 5
    mask = torch.ones(1, 900, 700)
    level = frame_headshot(_photo(900, 700), mask, _landmarks(350, 380, unit), FrameOptions(width=256))
    framed = frame_headshot(_photo(900, 700), mask, _landmarks(350, 380, unit, tilt), FrameOptions(width=256))
    assert abs(framed.report["turned_degrees"]) < tilt
    assert framed.report["head_share"] == pytest.approx(level.report["head_share"], rel=0.06)


def _turned_head(height, width, x, y, unit):
    """A bust whose head reaches 2.6 eye distances back to the right of the face, as MASK [1,H,W]."""
    ys, xs = torch.arange(height)[:, None] + 0.5, torch.arange(width)[None, :] + 0.5
    back = ((xs - x - unit) / (1.9 * unit)) ** 2 + ((ys - y + 0.4 * unit) / (1.6 * unit)) ** 2 < 1
    return torch.maximum(_bust(height, width, x, y, unit), back.float()[None])


def test_the_back_of_a_turned_head_is_in_the_frame():
    unit = 120
    image, mask = _photo(900, 1100), _turned_head(900, 1100, 420, 400, unit)
    framed = frame_headshot(image, mask, _landmarks(420, 400, unit), FrameOptions("tight portrait", 320))
    right = 420 + 2.9 * unit
    assert np.array(framed.report["corners"])[:, 0].max() > right
    assert not any("cuts off" in note for note in framed.report["notes"])


@pytest.mark.parametrize("above", [0.1, 0.5])
def test_tall_hair_is_in_the_frame(above):
    """A hat or an afro that the photo shows is not cut, where only the backdrop is above it."""
    unit = 100
    mask = _bust(900, 900, 450, 380, unit)
    mask[:, round(380 - (2 + above) * unit) : 380, 330:570] = 1
    framed = frame_headshot(_photo(900, 900), mask, _landmarks(450, 380, unit), FrameOptions(width=320))
    rows = torch.nonzero(framed.mask[0].amax(1) > 0.5)[:, 0]
    assert int(rows[0]) > 0


def test_a_body_that_the_matte_lost_is_said_and_ends_at_the_frame():
    unit = 100
    mask = _bust(1000, 900, 450, 380, unit)
    mask[:, 620:] = 0
    framed = frame_headshot(_photo(1000, 900), mask, _landmarks(450, 380, unit), FrameOptions(width=320))
    assert framed.report["body_below"] < LEAST_BODY
    assert any("no body below the chin" in note for note in framed.report["notes"])
    assert float(framed.mask[0, -3:, 140:180].mean()) > 0.5
    whole = frame_headshot(
        _photo(1000, 900), _bust(1000, 900, 450, 380, unit), _landmarks(450, 380, unit), FrameOptions(width=320)
    )
    assert whole.report["body_below"] > 1.5
    assert not any("no body" in note for note in whole.report["notes"])


def test_what_a_person_should_look_at():
    unit = 100
    lost, small = _bust(1000, 900, 450, 380, unit), _bust(250, 225, 112, 95, 25)
    lost[:, 620:] = 0
    options = FrameOptions(width=320)
    assert look_at(frame_headshot(_photo(1000, 900), lost, _landmarks(450, 380, unit), options).report) == [NO_BODY]
    (enlarged,) = look_at(
        frame_headshot(_photo(250, 225), small, _landmarks(112, 95, 25), FrameOptions(width=800)).report
    )
    assert enlarged.startswith("The picture is enlarged")
    whole = _bust(1000, 900, 450, 380, unit)
    assert look_at(frame_headshot(_photo(1000, 900), whole, _landmarks(450, 380, unit), options).report) == []


def test_another_body_beside_the_head_does_not_move_the_frame():
    unit = 90
    image, mask = _photo(1000, 1200), _bust(1000, 1200, 500, 380, unit)
    alone = frame_headshot(image, mask, _landmarks(500, 380, unit), FrameOptions(width=320))
    mask[:, 200:500, 900:1000] = 1
    beside = frame_headshot(image, mask, _landmarks(500, 380, unit), FrameOptions(width=320))
    assert beside.report["corners"] == alone.report["corners"]


def test_not_straightened_when_not_asked():
    framed = frame_headshot(
        _photo(900, 900), None, _landmarks(450, 400, 60, 9), FrameOptions(width=256, straighten=False)
    )
    assert framed.report["turned_degrees"] == 0


@pytest.mark.parametrize("tilt", [-8, 0, 8])
@pytest.mark.parametrize("bottom", [620, 760, 1000])
def test_never_below_the_photo_where_the_body_is(bottom, tilt):
    unit = 90
    landmarks = _landmarks(500, 330, unit, tilt)
    mask = _bust(bottom, 1000, 500, 330, unit)
    framed = frame_headshot(_photo(bottom, 1000), mask, landmarks, FrameOptions(width=400))
    middle = framed.mask[0, -4:, 180:220]
    assert float(middle.min()) > 0.9
    if bottom < 1000:
        assert "smaller" in framed.report["notes"][0]


def test_a_shoulder_cut_off_by_the_side_is_not_shown():
    unit = 90
    mask = _bust(1400, 620, 200, 400, unit)
    framed = frame_headshot(_photo(1400, 620), mask, _landmarks(200, 400, unit), FrameOptions(width=400))
    corners = np.array(framed.report["corners"])
    shoulder = 400 + 2.4 * unit
    assert corners[:, 0].min() >= -6 or corners[:, 1].max() <= shoulder + 6


def test_outside_without_a_mask():
    image, landmarks = _photo(700, 500), _landmarks(250, 120, 70)
    inside = frame_headshot(image, None, landmarks, FrameOptions(width=300))
    assert inside.report["made_up_pixels"] == 0
    assert float(inside.mask.min()) > 0.99
    extended = frame_headshot(image, None, landmarks, FrameOptions(width=300, outside=Outside.EXTEND))
    missing = int((extended.mask < 0.5).sum())
    assert missing > 1000
    assert extended.report["made_up_pixels"] == pytest.approx(missing, rel=0.05)
    assert any("repeat its edge" in note for note in extended.report["notes"])


def test_with_a_mask_nothing_is_made_up():
    image, mask = _photo(900, 600), _bust(900, 600, 300, 110, 50)
    framed = frame_headshot(image, mask, _landmarks(300, 110, 50), FrameOptions(width=300))
    assert framed.report["outside_pixels"] > 1000
    assert framed.report["made_up_pixels"] == 0
    assert float(framed.mask[0, 0].max()) == 0


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(400, 0, (500, 400)), (0, 500, (500, 400)), (320, 320, (320, 320)), (0, 0, (700, 560))],
)
def test_output_size(width, height, expected):
    framed = frame_headshot(_photo(700, 500), None, _landmarks(250, 300, 40), FrameOptions(width=width, height=height))
    assert framed.image.shape[1:3] == expected
    assert framed.mask.shape[1:3] == expected


def test_full_original_is_the_photo_when_level():
    image = _photo(300, 240)
    framed = frame_headshot(image, None, _landmarks(120, 120, 30), FrameOptions("full original", 240, 0))
    assert torch.allclose(framed.image, image, atol=1e-4)
    turned = frame_headshot(image, None, _landmarks(120, 120, 30, 10), FrameOptions("full original", 240, 0))
    assert float(turned.mask.min()) > 0.9


def test_a_frame_well_inside_is_cut_as_from_the_whole(monkeypatch):
    from likeness_studio.core.imaging import warp as module

    photo = torch.nn.functional.avg_pool2d(torch.rand(1, 3, 608, 808), 9, 1)
    for angle, side in ((0.0, 64), (12.0, 200), (-7.5, 90)):
        cut = Cut(420.0, 300.0, 100.0, 125.0, (300.0, 200.0), angle)
        cropped, _ = sample(photo, cut, side * 5 // 4, side)
        with monkeypatch.context() as patch:
            patch.setattr(module, "_crop", lambda tensor, cut: (tensor, cut))
            whole, known = sample(photo, cut, side * 5 // 4, side)
        assert float(known.min()) == 1
        assert float((cropped - whole).abs().max()) < (1e-3 if side >= 100 else 0.05)


def test_sampling_shrinks_without_aliasing():
    checker = ((torch.arange(1600)[:, None] + torch.arange(1600)[None, :]) % 2).float()
    image = checker[None, ..., None].expand(1, 1600, 1600, 3)
    framed = frame_headshot(image, None, _landmarks(800, 700, 200, 3), FrameOptions(width=160))
    assert float(framed.image.std()) < 0.02
    assert float(framed.image.mean()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("crop", CROPS)
def test_tiny_photo(crop):
    framed = frame_headshot(torch.rand(1, 9, 7, 3), torch.ones(1, 9, 7), _landmarks(3, 4, 2), FrameOptions(crop, 32))
    assert framed.image.shape[2] == 32
    assert bool(torch.isfinite(framed.image).all())


def _face(size, score=0.9):
    return Face((0, 0, size, size), FACE * size, score)


def test_one_face():
    size = (100, 100)
    assert choose_face([_face(50)], size).require().size == 50
    assert choose_face([_face(50), _face(80, 0.8)], size, FacePolicy.LARGEST).require().size == 80
    with pytest.raises(FaceNotUsable, match="Picture 2"):
        choose_face([], size, FacePolicy.LARGEST).require(picture=2)
    with pytest.raises(FaceNotUsable, match="2 faces"):
        choose_face([_face(50), _face(80)], size).require()


@pytest.mark.parametrize(("height", "width", "offered"), [(640, 1100, True), (640, 520, False), (1600, 1400, False)])
def test_the_square_crop_is_offered_where_a_tight_photo_has_room_at_the_sides(height, width, offered):
    unit, crop = 100, "head and shoulders"
    x, y = width / 2, 260 if height < 1000 else 600
    image, mask = _photo(height, width), _bust(height, width, x, y, unit)
    framed = frame_headshot(image, mask, _landmarks(x, y, unit), FrameOptions(crop))
    assert any("'square profile'" in note for note in framed.report["notes"]) is offered, framed.report
    wider = frame_headshot(image, mask, _landmarks(x, y, unit), FrameOptions("square profile"))
    assert not any("'square profile'" in note for note in wider.report["notes"])
