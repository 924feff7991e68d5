"""The pose of a mesh that is turned by known angles, and of a real photo that is turned or mirrored."""

import dataclasses

import numpy as np
import pytest
import torch

from likeness_studio.core.faces import (
    LOWER_LIP_OUTSIDE,
    MOUTH_CORNERS,
    OVAL,
    PAIRS,
    UPPER_LIP,
    Eye,
    FaceMesh,
    Pose,
    find_mesh,
    pose_from_mesh,
    pose_from_points,
)
from likeness_studio.core.imaging import Cut, pixels, planes, rotate, sample

pytestmark = pytest.mark.models


def eye_from(mesh: FaceMesh, which: int, change) -> Eye:
    """The eye whose points lie in the picture's plane at the depth of its corner, changed like the mesh."""
    eye, depth = mesh.eyes[which], mesh.points[(133, 362)[which], 2]

    def moved(spots: np.ndarray) -> np.ndarray:
        flat = np.column_stack([spots, np.full(len(spots), depth)])
        return change(flat)[:, :2]

    return Eye(moved(eye.lids), moved(eye.iris[None])[0], eye.radius)


def changed(mesh: FaceMesh, change) -> FaceMesh:
    return FaceMesh(change(mesh.points.astype(np.float64)), (eye_from(mesh, 0, change), eye_from(mesh, 1, change)), 1.0)


def straight(mesh: FaceMesh) -> FaceMesh:
    """The same head without roll."""
    return changed(mesh, lambda points: np.column_stack([rotate(points[:, :2], (0.0, 0.0), -mesh.roll), points[:, 2]]))


def about_x(degrees: float):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return lambda points: points @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T


def about_y(degrees: float):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return lambda points: points @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T


@pytest.mark.parametrize("degrees", [-20.0, -5.0, 7.0, 25.0])
def test_nodding_is_pitch_and_positive_when_the_chin_goes_back(mesh, degrees):
    """Looking down takes the chin away from the camera: z, away from it, grows below."""
    before = pose_from_mesh(straight(mesh))
    head = changed(straight(mesh), about_x(degrees))
    after = pose_from_mesh(head)
    below, above = head.points[152, 2], head.points[10, 2]
    assert (below - above > straight(mesh).points[152, 2] - straight(mesh).points[10, 2]) == (degrees > 0)
    assert after.pitch - before.pitch == pytest.approx(degrees, abs=3.5)


@pytest.mark.parametrize("degrees", [-25.0, -8.0, 8.0, 25.0])
def test_turning_is_yaw_and_positive_to_the_viewers_right(mesh, degrees):
    head = straight(mesh)
    before = pose_from_mesh(head)
    turn = about_y(-degrees)
    forward = turn(np.array([[0.0, 0.0, -1.0]]))[0]
    assert np.sign(forward[0]) == np.sign(degrees)
    assert pose_from_mesh(changed(head, turn)).yaw - before.yaw == pytest.approx(degrees, abs=1.5)


def test_a_mirrored_mesh_has_yaw_and_roll_of_the_other_sign_exactly(mesh):
    swap = np.arange(468)
    for left, right in (*PAIRS, (33, 263), (133, 362)):
        swap[[left, right]] = right, left
    points = (mesh.points.astype(np.float64) * [-1, 1, 1])[swap]

    def mirrored(eye: Eye) -> Eye:
        return Eye(eye.lids * [-1, 1], eye.iris * [-1, 1], eye.radius)

    flipped = FaceMesh(points, (mirrored(mesh.eyes[1]), mirrored(mesh.eyes[0])), 1.0)
    middle = list(range(468))
    assert len(set(swap)) == len(middle)
    here, there = pose_from_mesh(mesh), pose_from_mesh(flipped)
    assert there.yaw == pytest.approx(-here.yaw, abs=1e-4)
    assert there.roll == pytest.approx(-here.roll, abs=1e-4)


def test_an_open_mouth_does_not_change_the_pose(mesh):
    """The jaw turns about its joint: everything below the upper lip goes down and back."""
    points = mesh.points.copy()
    jaw = points[:, 1] > points[UPPER_LIP, 1] + 0.02 * mesh.eye_distance
    jaw[[2, 98, 327]] = False
    points[jaw] += np.array([0.0, 0.3, 0.1], np.float32) * mesh.eye_distance
    assert points[LOWER_LIP_OUTSIDE[5], 1] > mesh.points[LOWER_LIP_OUTSIDE[5], 1]
    assert pose_from_mesh(dataclasses.replace(mesh, points=points)) == pose_from_mesh(mesh)


@pytest.mark.parametrize("degrees", [-15.0, 10.0])
def test_turning_the_picture_is_roll(engine, photo, mesh, degrees):
    """Clockwise in the picture is negative roll in ISO's sense."""
    height, width = photo.shape[:2]
    cut = Cut(width / 2, height / 2, width, height, (width / 2, height / 2), degrees)
    turned = pixels(sample(planes(photo[None]), cut, height, width)[0])[0]
    found = find_mesh(turned, engine.detect(turned)[0])
    assert found.roll - mesh.roll == pytest.approx(-degrees, abs=1.0)
    before, after = pose_from_mesh(mesh), pose_from_mesh(found)
    assert after.roll - before.roll == pytest.approx(degrees, abs=1.0)
    assert after.yaw == pytest.approx(before.yaw, abs=3)
    assert after.pitch == pytest.approx(before.pitch, abs=3)


def test_mirroring_the_picture_mirrors_the_pose(engine, photo, mesh):
    flipped = torch.flip(photo, [1]).contiguous()
    found = pose_from_mesh(find_mesh(flipped, engine.detect(flipped)[0]))
    assert found.yaw == pytest.approx(-pose_from_mesh(mesh).yaw, abs=3)
    assert found.roll == pytest.approx(-pose_from_mesh(mesh).roll, abs=1)
    assert found.pitch == pytest.approx(pose_from_mesh(mesh).pitch, abs=3)


def test_groups_of_points_lie_where_their_names_say(mesh):
    outline = mesh.points[list(OVAL), :2]
    inside = mesh.points[[33, 263, 4, 61, 291], :2]
    assert (inside > outline.min(0)).all()
    assert (inside < outline.max(0)).all()


def from_five(mesh: FaceMesh) -> Pose:
    five = [*(eye.centre for eye in mesh.eyes), mesh.points[4, :2], *(mesh.points[i, :2] for i in MOUTH_CORNERS)]
    return pose_from_points(np.array(five, np.float64))


@pytest.mark.parametrize("degrees", [-15.0, 15.0])
@pytest.mark.parametrize("angle", ["yaw", "pitch", "roll"])
def test_five_points_and_the_mesh_have_the_same_signs(mesh, angle, degrees):
    turn = {
        "yaw": about_y(-degrees),
        "pitch": about_x(degrees),
        "roll": lambda points: np.column_stack([rotate(points[:, :2], (0.0, 0.0), -degrees), points[:, 2]]),
    }[angle]
    before, after = straight(mesh), changed(straight(mesh), turn)
    by_mesh, by_points = (getattr(read(after), angle) - getattr(read(before), angle) for read in READERS)
    assert by_mesh == pytest.approx(degrees, abs=3.5)
    assert 0.4 < by_points / degrees < 2, "five points say roughly how far and surely which way"


READERS = (pose_from_mesh, from_five)
