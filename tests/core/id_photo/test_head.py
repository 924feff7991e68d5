"""The head of a drawn matte and mesh with known places, and of the demo photo, read by hand."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from likeness_studio.core.faces import Chin, Eye, Face, FaceMesh, YuNetSFace, find_mesh
from likeness_studio.core.id_photo import (
    Crown,
    HairTop,
    HeadTop,
    crown_from_face,
    crown_under_hair,
    find_head,
    hair_top,
)
from likeness_studio.core.imaging import load_photo, rotate
from likeness_studio.core.models import session, store
from likeness_studio.core.portrait.matte import matte as make_matte

UNIT = 60.0
SIDE = 600
EYES = (300.0, 300.0)


def blob(top: float, radius: float = 1.2, roll: float = 0.0) -> torch.Tensor:
    """A matte [600,600]: a round head whose highest place is `top` eye distances above the eyes, and shoulders."""
    y, x = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    spots = rotate(torch.stack([x, y], -1).reshape(-1, 2).numpy().astype(np.float64), EYES, -roll)
    across, up = (spots[:, 0] - EYES[0]) / UNIT, (EYES[1] - spots[:, 1]) / UNIT
    head = (across**2 + (up - top + radius) ** 2 < radius**2) | ((abs(across) < 0.9) & (up < top - radius) & (up > -2))
    shoulders = (up < -1.9) & (abs(across) < 3)
    return torch.from_numpy((head | shoulders).reshape(SIDE, SIDE)).float()


def top_of(matte: torch.Tensor, pivot: tuple[float, float] = EYES, roll: float = 0.0, scale: float = 1.0) -> HairTop:
    found = hair_top(matte, pivot, roll, UNIT, scale)
    assert found is not None
    return found


@pytest.mark.parametrize("roll", [0.0, 12.0, -20.0])
@pytest.mark.parametrize("top", [1.6, 2.1, 2.8])
def test_the_top_of_a_round_head(top, roll):
    found = top_of(blob(top, roll=roll), roll=roll)
    assert found.height == pytest.approx(top * UNIT, abs=0.03 * UNIT)
    assert not found.cut_off


def test_a_strand_does_not_count_and_neither_does_what_hangs_above_the_head():
    matte = blob(2.0)
    matte[int(EYES[1] - 2.6 * UNIT) : 300, 298:302] = 1
    matte[: int(EYES[1] - 2.5 * UNIT), 200:400] = 1
    assert top_of(matte).height == pytest.approx(2.0 * UNIT, abs=0.03 * UNIT)


def test_a_person_behind_does_not_count_where_a_gap_is_between():
    matte = blob(2.0)
    matte[:200, 430:] = 1
    assert top_of(matte).height == pytest.approx(2.0 * UNIT, abs=0.03 * UNIT)


def test_a_hat_is_taken_for_hair():
    matte = blob(2.0)
    matte[int(EYES[1] - 3.2 * UNIT) : 250, 250:350] = 1
    assert top_of(matte).height == pytest.approx(3.2 * UNIT, abs=0.04 * UNIT)


def test_a_smaller_matte_gives_the_same():
    small = torch.nn.functional.avg_pool2d(blob(2.0)[None, None], 4)[0, 0]
    whole, found = top_of(blob(2.0), roll=5.0), top_of(small, roll=5.0, scale=0.25)
    assert found.height == pytest.approx(whole.height, abs=0.04 * UNIT)


@pytest.mark.parametrize("roll", [0.0, 15.0])
def test_a_head_that_the_photo_cuts_is_said_to_be_cut(roll):
    matte = blob(2.0, roll=roll)[210:]
    found = top_of(matte, (EYES[0], EYES[1] - 210), roll)
    assert found.cut_off
    assert found.height < 2.0 * UNIT


def test_a_matte_that_leaves_the_face_out_says_nothing():
    assert hair_top(torch.zeros(SIDE, SIDE), EYES, 0.0, UNIT) is None


def test_looking_down_shows_more_of_the_skull():
    assert crown_from_face(10).height > crown_from_face(0).height > crown_from_face(-10).height


def test_the_crown_lies_below_the_hair_and_is_better_known_with_it():
    face = crown_from_face(0)
    for top in np.arange(1.3, 3.0, 0.1):
        crown = crown_under_hair(face, top)
        assert crown.height <= top
        assert crown.sigma <= 1.1 * face.sigma
    usual = crown_under_hair(face, face.height + 0.235)
    assert usual.height == pytest.approx(face.height, abs=0.02)
    assert usual.sigma < 0.8 * face.sigma


def test_hair_that_ends_where_the_skull_does_is_taken_for_none():
    face = Crown(1.7, 0.12)
    assert crown_under_hair(face, 1.5).height > 1.5 - 0.15
    assert crown_under_hair(face, 1.7).height > 1.7 - 0.15


def test_tall_hair_hardly_moves_the_crown():
    """A hat or a beehive: what the face says counts, but for what hair of a usual thickness could explain."""
    face = crown_from_face(0)
    assert crown_under_hair(face, 3.6).height <= 3.6
    assert crown_under_hair(face, face.height + 0.5).height - face.height < 0.2


@pytest.fixture(scope="module")
def seen(astronaut: Path) -> tuple[torch.Tensor, YuNetSFace]:
    return load_photo(astronaut)[0][0], YuNetSFace("cpu")


@pytest.mark.models
def test_the_demo_photo(seen):
    """Read by hand, in pixels of 512: eyes 101.5 and 103.5, chin 178.5, hair 16; the face leans by 2.6 degrees."""
    photo, engine = seen
    face = engine.detect(photo)[0]
    mesh = find_mesh(photo, face)
    matte = make_matte(photo[None], session(store.path("u2netp"), "cpu"))[0]
    head = find_head(face, mesh, matte)
    assert head.eyes == pytest.approx(102.5, abs=2)
    assert head.chin == pytest.approx(178.5, abs=3)
    assert head.hair == pytest.approx(16, abs=3)
    assert head.hair is not None
    assert head.hair < head.crown < head.eyes - 1.4 * head.unit
    assert head.roll == pytest.approx(2.6, abs=1.5)
    assert not head.cut_off
    assert head.top(HeadTop.HAIR) == (head.hair, head.hair_sigma)
    assert head.top(HeadTop.CROWN) == (head.crown, head.crown_sigma)
    small = find_head(face, mesh, torch.nn.functional.avg_pool2d(matte[None, None], 2)[0, 0], scale=0.5)
    assert small.hair == pytest.approx(head.hair, abs=2)


@pytest.mark.models
def test_without_a_matte_the_crown_follows_from_the_face_and_is_less_sure(seen):
    photo, engine = seen
    face = engine.detect(photo)[0]
    mesh = find_mesh(photo, face)
    head = find_head(face, mesh, None)
    assert head.hair is None
    assert head.top(HeadTop.HAIR) == (head.crown, head.crown_sigma)
    assert head.crown_sigma == pytest.approx(0.12 * head.unit, rel=0.25)


def plain_mesh(chin: Chin | None) -> FaceMesh:
    points = np.zeros((468, 3), np.float32)
    points[:, :2] = EYES
    points[[33, 133], :2] = (EYES[0] - 0.75 * UNIT, EYES[1]), (EYES[0] - 0.25 * UNIT, EYES[1])
    points[[263, 362], :2] = (EYES[0] + 0.75 * UNIT, EYES[1]), (EYES[0] + 0.25 * UNIT, EYES[1])
    points[152, :2] = EYES[0], EYES[1] + 1.8 * UNIT
    for above in (10, 151, 9):
        points[above, 1] = EYES[1] - UNIT
    for below in (2, 98, 327):
        points[below, 1] = EYES[1] + 0.75 * UNIT

    def eye(sign: float) -> Eye:
        lids = np.tile([EYES[0] + sign * 0.5 * UNIT, EYES[1]], (16, 1))
        lids[0, 0] -= sign * -0.25 * UNIT
        lids[8, 0] += sign * -0.25 * UNIT
        return Eye(lids, lids[[0, 8]].mean(0), 5.0)

    return FaceMesh(points, (eye(-1), eye(1)), 1.0, chin)


def test_a_mask_without_the_hair_is_left_aside():
    face = Face((0, 0, 1, 1), np.zeros((5, 2)), 1.0)
    seen, lost, none = (find_head(face, plain_mesh(None), each) for each in (blob(2.0), blob(1.2), None))
    assert seen.hair is not None
    assert seen.crown_sigma < none.crown_sigma
    assert lost == none


def test_the_chin_is_the_one_that_was_seen_or_else_the_meshs_with_a_larger_error():
    face = Face((0, 0, 1, 1), np.zeros((5, 2)), 1.0)
    sure = find_head(face, plain_mesh(Chin(np.array([300.0, 400.0]), 2.0)), blob(2.0))
    assert (sure.chin, sure.chin_sigma) == (pytest.approx(400.0), pytest.approx(2.0))
    unsure = find_head(face, plain_mesh(None), blob(2.0))
    assert unsure.chin == pytest.approx(EYES[1] + 1.8 * UNIT, abs=0.05 * UNIT)
    assert unsure.chin_sigma > sure.chin_sigma
    assert dataclasses.asdict(sure)["hair"] == pytest.approx(EYES[1] - 2.0 * UNIT, abs=0.03 * UNIT)
