"""A cut-out from elsewhere beside the two networks': each fault is named with its place, and a sound one is not."""

import json

import numpy as np
import pytest
import torch

from likeness_studio.core.choices import PERSON_MATTE
from likeness_studio.core.errors import ModelMissing
from likeness_studio.core.portrait.check_matte import compare_mattes
from likeness_studio.core.portrait.fuse_mattes import LOOK_AT, fuse
from likeness_studio.core.portrait.person_matte import Networks, PersonFinder
from likeness_studio.nodes.portrait import MattePerson

from .test_person_matte import FLAG, HEAD, NECK, PERSON, SUIT, _draw, _Network, _networks, _picture, face_at

EAR = (202, 115, 14, 18)
HAIR = (120, 53, 200, 80, "box")
SHOULDER = (200, 200, 262, 320, "box")

KEPT = {
    "a flag": (FLAG, "beside the head"),
    "a piece beside the neck": ((205, 150, 22, 25), "head"),
    "another head": ((285, 110, 22, 34), "beside the head"),
}
LOST = {
    "the hair": (HAIR, "head"),
    "a shoulder": (SHOULDER, "in the body"),
    "the body": ((0, 205, 320, 320, "box"), "in the body"),
    "half the face": ((165, 60, 210, 170, "box"), "face"),
}


def _compared(given, face=None, *seen):
    """`given` beside the cut-out of what both networks see."""
    both = _draw(*(seen or PERSON))
    return compare_mattes(given, fuse(both, both, face), both > 0.5, face)


@pytest.mark.parametrize("fault", KEPT)
def test_what_is_kept_beside_the_person_is_named(fault):
    shape, where = KEPT[fault]
    found = _compared(_draw(*PERSON, shape), face_at())
    assert found.doubt >= LOOK_AT
    (reason,) = found.reasons
    assert "no part of the person" in reason
    assert where in reason


@pytest.mark.parametrize("fault", LOST)
def test_what_is_lost_of_the_person_is_named(fault):
    shape, where = LOST[fault]
    given = _draw(*PERSON) * (1 - _draw(shape))
    found = _compared(given, face_at())
    assert found.doubt >= LOOK_AT
    (reason,) = found.reasons
    assert "lacks" in reason
    assert where in reason


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_another_outline_of_the_same_person_is_no_fault(shift):
    given = np.roll(_draw(*PERSON), shift, axis=1)
    found = _compared(given, face_at())
    assert (found.doubt < LOOK_AT, found.reasons) == (True, [])


def test_what_both_networks_see_is_not_held_against_a_mask():
    island = (285, 110, 22, 34)
    found = _compared(_draw(*PERSON, island), face_at(), *PERSON, island)
    assert (found.doubt, found.reasons) == (0, [])


def test_without_a_face_differences_count_too():
    found = _compared(_draw(*PERSON, FLAG))
    assert found.doubt >= LOOK_AT
    assert "somewhere in the picture" in found.reasons[0]


def test_the_given_mask_stays_as_it_is():
    given = torch.from_numpy(_draw(HEAD, NECK, SUIT, FLAG))
    found = _networks(_Network(320), _Network("h"), face_at()).check(_picture(), given)
    assert torch.equal(found.mask, given)
    assert found.look


def test_where_the_networks_cannot_be_had_the_mask_is_not_called_sound(monkeypatch):
    def missing(_device="auto"):
        raise ModelMissing("There is no u2net.onnx.")

    monkeypatch.setattr(Networks, "load", missing)
    output = MattePerson.execute(torch.rand(1, 40, 30, 3), PERSON_MATTE, "auto", mask=torch.ones(1, 40, 30))
    (report,) = json.loads(output[1])
    assert report["model"] == "another node's mask"
    assert report["reasons"] == ["The cut-out was not looked at: There is no u2net.onnx."]


def test_unchecked_no_network_runs(monkeypatch):
    monkeypatch.setattr(Networks, "load", lambda _device="auto": pytest.fail("a network was loaded"))
    given = torch.rand(40, 30)
    found = PersonFinder(PERSON_MATTE).find(torch.rand(40, 30, 3), given, check=False)
    assert (found.mask is given, found.reasons) == (True, [])


@pytest.mark.models
def test_a_flag_in_a_given_mask_reaches_the_look_of_the_node():
    data = pytest.importorskip("skimage.data")
    photo = torch.from_numpy(data.astronaut()).float()[None] / 255
    sound = MattePerson.execute(photo, PERSON_MATTE, "cpu")[0]
    flagged = sound.clone()
    flagged[:, 40:400, 330:] = 1
    first, second = (MattePerson.execute(photo, PERSON_MATTE, "cpu", mask=mask) for mask in (sound, flagged))
    assert first.ui is not None
    assert second.ui is not None
    assert not first.ui["look"]
    assert any("no part of the person" in text for text in second.ui["look"])
