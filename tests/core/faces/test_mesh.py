"""The dense landmarks of a real photo: shrunk until the face is tiny, and of what is no face at all."""

import dataclasses

import numpy as np
import pytest
import torch

from likeness_studio.core.faces import find_mesh
from likeness_studio.core.imaging import pixels, planes, resize

pytestmark = pytest.mark.models


def shrunk(photo: torch.Tensor, factor: float) -> torch.Tensor:
    side = round(photo.shape[0] * factor)
    return pixels(resize(planes(photo[None]), side, side))[0]


@pytest.mark.parametrize(("factor", "off"), [(0.5, 0.03), (0.25, 0.06)])
def test_a_smaller_photo_gives_the_same_mesh(engine, photo, mesh, factor, off):
    """Off: in eye distances, 42 pixels in the full photo, 21 and 10 in the smaller ones."""
    small = shrunk(photo, factor)
    found = find_mesh(small, engine.detect(small)[0])
    apart = np.hypot(*(found.points / factor - mesh.points)[:, :2].T) / mesh.eye_distance
    assert np.median(apart) < off
    assert found.presence > 0.9
    assert found.roll == pytest.approx(mesh.roll, abs=3)


def test_a_face_of_twenty_pixels_is_found_and_its_chin_is_less_sure(engine, photo, mesh):
    factor = 20 / engine.detect(photo)[0].size
    small = shrunk(photo, factor)
    face = engine.detect(photo)[0]
    given = dataclasses.replace(face, landmarks=face.landmarks * factor, box=tuple(v * factor for v in face.box))
    found = find_mesh(small, given)
    assert np.median(np.hypot(*(found.points / factor - mesh.points)[:, :2].T)) < 0.15 * mesh.eye_distance
    assert found.chin is not None
    assert found.chin.sigma / found.eye_distance >= mesh.chin.sigma / mesh.eye_distance - 0.01


def test_where_there_is_no_face_the_network_says_so(photo, engine):
    face = engine.detect(photo)[0]
    flat = find_mesh(torch.full_like(photo, 0.5), face)
    elsewhere = dataclasses.replace(face, landmarks=face.landmarks + np.array([150.0, 330.0]))
    assert flat.presence < 0.5
    assert find_mesh(photo, elsewhere).presence < 0.5
