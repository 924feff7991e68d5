"""The chin's edge is found where a drawn face has it, and the mesh's place is kept where the picture shows nothing."""

import numpy as np
import pytest
import torch

from likeness_studio.core.faces import CHIN
from likeness_studio.core.faces import mesh as search
from likeness_studio.core.imaging import planes

UNIT = 100.0
PLACE = 300.0


def points() -> np.ndarray:
    """A mesh of which only the jaw matters: a flat parabola whose lowest place is at PLACE."""
    spots = np.zeros((468, 3), np.float32)
    for x, index in zip(np.linspace(-40, 40, len(search.JAW)), search.JAW, strict=True):
        spots[index, :2] = 200 + x, PLACE - x * x / 160
    return spots


def drawn(edge: float) -> torch.Tensor:
    """A picture [1,3,400,400] that gets dark where a chin ends at `edge`, with the same curve, and lighter below."""
    y, x = torch.meshgrid(torch.arange(400.0), torch.arange(400.0), indexing="ij")
    depth = (y - edge + (x - 200) ** 2 / 160) / UNIT
    light = 0.8 - 0.35 * torch.sigmoid((depth + 0.035) / 0.02) + 0.1 * depth.clamp(0, 0.5)
    return light.expand(1, 3, 400, 400)


@pytest.mark.parametrize("offset", [-8.0, 0.0, 6.0, 14.0])
def test_an_edge_near_the_mesh_is_found(offset):
    found = search.find_chin(drawn(PLACE + offset), points(), np.array([200.0, 120.0]), UNIT, 0.0)
    assert found.place[1] == pytest.approx(PLACE + offset, abs=3)
    assert found.sigma < 0.05 * UNIT


def test_a_plain_picture_leaves_the_expectation_and_says_how_unsure_it_is():
    found = search.find_chin(torch.full((1, 3, 400, 400), 0.5), points(), np.array([200.0, 120.0]), UNIT, 0.0)
    assert found.place[1] == pytest.approx(PLACE + search.OFFSET * search.STEP * UNIT, abs=1)
    assert found.sigma > 0.06 * UNIT


@pytest.mark.models
def test_the_demo_photos_chin_is_where_the_eye_sees_it(photo, mesh):
    """Read by hand in the 512 pixel picture: the chin ends at 178.5."""
    assert mesh.chin.place[1] == pytest.approx(178.5, abs=2.5)
    assert abs(mesh.chin.place[0] - mesh.points[CHIN, 0]) < 3
    assert 0 < mesh.chin.sigma < 0.1 * mesh.eye_distance
    again = search.find_chin(
        planes(photo[None]), mesh.points, (mesh.eyes[0].centre + mesh.eyes[1].centre) / 2, mesh.eye_distance, mesh.roll
    )
    assert again.place == pytest.approx(mesh.chin.place)
