"""The person's matte by rule, on drawn mattes: who is meant, what one network alone is believed on, and the doubt."""

from typing import Any, cast

import numpy as np
import pytest
import torch

from likeness_studio.core.faces import Face
from likeness_studio.core.portrait.fuse_mattes import LOOK_AT, fuse
from likeness_studio.core.portrait.matte import MODNET, look_once, normalisation_for
from likeness_studio.core.portrait.person_matte import Networks

SIDE, UNIT = 320, 32.0
EYES = (160.0, 110.0)


def face_at(x=EYES[0], y=EYES[1], unit=UNIT) -> Face:
    points = np.array([[-0.5, 0], [0.5, 0], [0, 0.6], [-0.4, 1.155], [0.4, 1.155]]) * unit + [x, y]
    return Face((x - unit, y - unit, x + unit, y + 1.9 * unit), points, 0.9)


def _draw(*shapes) -> np.ndarray:
    """Ellipses (x, y, half-width, half-height) and boxes (x0, y0, x1, y1, "box")."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    drawn = np.zeros((SIDE, SIDE), bool)
    for shape in shapes:
        if shape[-1] == "box":
            drawn |= (x > shape[0]) & (x < shape[2]) & (y > shape[1]) & (y < shape[3])
        else:
            drawn |= ((x - shape[0]) / shape[2]) ** 2 + ((y - shape[1]) / shape[3]) ** 2 < 1
    return drawn.astype(np.float32)


HEAD = (160, 115, 40, 62)
NECK = (140, 150, 180, 215, "box")
SUIT = (60, 205, 260, 320, "box")
PERSON = (HEAD, NECK, SUIT)
FLAG = (8, 20, 85, 318, "box")


def test_what_both_see_is_kept_as_the_finer_one_has_it():
    fine = _draw(*PERSON) * 0.9
    found = fuse(_draw(*PERSON), fine, face_at())
    assert np.abs(found.alpha - fine)[200:].max() == 0
    assert found.doubt == 0
    assert found.reasons == []


@pytest.mark.parametrize("by_fine", [False, True])
def test_a_flag_beside_the_head_goes_and_is_told(by_fine):
    plain, flagged = _draw(*PERSON), _draw(*PERSON, FLAG)
    found = fuse(*(plain, flagged) if by_fine else (flagged, plain), face_at())
    assert found.alpha[60:180, 10:80].max() == 0
    assert found.alpha[110, 160] == 1
    assert found.doubt > LOOK_AT
    assert found.reasons


@pytest.mark.parametrize("by_fine", [False, True])
def test_a_suit_that_one_lost_stays(by_fine):
    floating, whole = _draw(HEAD), _draw(*PERSON)
    found = fuse(*(whole, floating) if not by_fine else (floating, whole), face_at())
    assert found.alpha[260, 80:240].min() > 0.9
    assert found.doubt > LOOK_AT
    assert "in the body" in found.reasons[0]


def test_a_face_that_one_erased_is_put_back():
    hole = (160, 120, 25, 30)
    found = fuse(_draw(*PERSON), _draw(*PERSON) * (1 - _draw(hole)), face_at())
    assert found.alpha[100:140, 145:175].min() == 1
    assert any("face" in reason for reason in found.reasons)


def test_another_person_beside_goes_also_where_both_see_them():
    other = (290, 110, 22, 34)
    found = fuse(_draw(*PERSON, other), _draw(*PERSON, other), face_at())
    assert found.alpha[:150, 265:].max() == 0
    assert found.alpha[110, 160] == 1


def test_the_face_says_which_of_two_people():
    left, right = (80, 115, 36, 60), (240, 115, 36, 60)
    both = _draw(left, right)
    found = fuse(both, both, face_at(80))
    assert found.alpha[110, 80] == 1
    assert found.alpha[:, 200:].max() == 0


@pytest.mark.parametrize("seen_by", ["both", "broad", "fine"])
def test_a_hat_stays(seen_by):
    hat = (112, 30, 208, 75, "box")
    with_hat, without = _draw(*PERSON, hat), _draw(*PERSON)
    broad = with_hat if seen_by != "fine" else without
    fine = with_hat if seen_by != "broad" else without
    found = fuse(broad, fine, face_at())
    assert found.alpha[40, 160] == 1


def test_a_raised_hand_stays_where_both_see_it():
    arm = (255, 90, 285, 318, "box")
    found = fuse(_draw(*PERSON, arm), _draw(*PERSON, arm), face_at())
    assert found.alpha[120, 270] == 1


def test_specks_and_pieces_by_a_thread_go():
    thread, piece = (200, 118, 300, 120, "box"), (290, 120, 20, 20)
    found = fuse(_draw(*PERSON, thread, piece), _draw(*PERSON, thread, piece), face_at())
    assert found.alpha[120, 290] == 0


@pytest.mark.parametrize("gap", [3, 6, 12])
def test_an_island_beside_the_shoulder_goes_whole(gap):
    """A corner of a flag that both see: none of it may stay, however near it is."""
    shoulder = int(np.argmax(_draw(*PERSON)[:, 70] > 0.5))
    island = (55, shoulder - gap - 14, 85, shoulder - gap, "box")
    found = fuse(_draw(*PERSON, island), _draw(*PERSON, island), face_at())
    alone = fuse(_draw(*PERSON), _draw(*PERSON), face_at())
    assert np.abs(found.alpha - alone.alpha).max() < 0.11


def test_without_a_face_what_is_joined_to_both_stays_and_it_is_said():
    found = fuse(_draw(*PERSON), _draw(*PERSON, (290, 40, 15, 15)), None)
    assert found.alpha[40, 290] == 0
    assert found.alpha[110, 160] == 1
    assert any("No face" in reason for reason in found.reasons)


def test_nobody_is_a_whole_doubt():
    nothing = np.zeros((SIDE, SIDE), np.float32)
    found = fuse(nothing, nothing, None)
    assert found.doubt == 1
    assert found.reasons


class _Network:
    """Sees what is bright, on an input of open size."""

    def __init__(self, side: int | str):
        self.side, self.fed = side, []

    def get_inputs(self):
        return [type("Socket", (), {"name": "input", "shape": [1, 3, self.side, self.side], "type": "tensor(float)"})]

    def get_outputs(self):
        return [type("Socket", (), {"name": "output"})]

    def run(self, _, feed, __):
        self.fed.append(feed["input"])
        return [(feed["input"].mean(1, keepdims=True) > 0).astype(np.float32)]


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(1000, 800, (512, 416)), (250, 250, (384, 384)), (600, 3000, (96, 512))]
)
def test_modnet_is_fed_in_its_own_form(height, width, expected):
    assert normalisation_for("my_MODNet_photographic") is MODNET
    network = _Network("height")
    picture = torch.zeros(1, 3, height, width)
    picture[..., width // 2 :] = 1
    look_once(picture, cast(Any, network), MODNET)
    (fed,) = network.fed
    assert fed.shape[2:] == expected
    assert (float(fed.min()), float(fed.max())) == (-1, 1)


def _picture() -> torch.Tensor:
    return torch.from_numpy(_draw(*PERSON))[..., None].repeat(1, 1, 3)


def _networks(broad: _Network, fine: _Network, *faces: Face) -> Networks:
    return Networks(cast(Any, broad), cast(Any, fine), lambda _: list(faces))


def test_the_largest_face_is_meant_and_a_small_one_is_told():
    found = _networks(_Network(320), _Network("h"), face_at(), face_at(60, 60, 20)).find(_picture())
    assert found.mask.shape == (SIDE, SIDE)
    assert float(found.mask[110, 160]) > 0.9
    assert not found.look
    assert [reason.split()[0] for reason in found.reasons] == ["2", "The"]


def test_modnet_looks_again_where_it_lost_the_face():
    fine = _Network("h")
    _networks(_Network(320), fine, face_at()).find(torch.zeros(SIDE, SIDE, 3))
    assert [fed.shape[-1] for fed in fine.fed][:2] == [480, 352]


def test_both_look_again_where_the_cut_out_is_in_doubt_and_only_there():
    sure, broad, fine = _Network("h"), _Network(320), _Network("h")
    _networks(_Network(320), sure, face_at()).find(_picture())
    assert len(sure.fed) == 1
    _networks(broad, fine, face_at()).find(torch.zeros(SIDE, SIDE, 3))
    assert (len(broad.fed), len(fine.fed)) == (3, 4)


def test_a_suit_that_comes_out_the_same_each_time_is_no_longer_in_doubt():
    floating, whole = _draw(HEAD), _draw(*PERSON)
    found = fuse(floating, whole, face_at())
    again = found.seen_again([found, fuse(whole, whole, face_at())], face_at())
    assert found.doubt > LOOK_AT > again.doubt
    assert again.reasons == []
    assert np.array_equal(again.alpha, found.alpha)
    changed = found.seen_again([fuse(floating, floating, face_at())] * 2, face_at())
    assert changed.doubt > LOOK_AT
    assert "in the body" in changed.reasons[0]


def test_a_flag_beside_the_head_stays_in_doubt_however_often_it_is_seen():
    found = fuse(_draw(*PERSON, FLAG), _draw(*PERSON), face_at())
    again = found.seen_again([found, found], face_at())
    assert again.doubt > LOOK_AT
    assert "beside the head" in again.reasons[0]


def test_a_sliver_of_a_piece_goes_with_the_rest():
    flag = (0, 120, 122, 250, "box")
    found = fuse(_draw(*PERSON, flag), _draw(*PERSON), face_at())
    assert found.alpha[130:170, 0:100].max() == 0
    assert found.split == 0
