"""Which places are not skin: by the same rule for pale skin and for skin of strong colour."""

import numpy as np
import pytest
import torch

from likeness_studio.core.faces import load_engine
from likeness_studio.core.imaging import load_photo, to_display, to_linear
from likeness_studio.core.quality import Portrait, Skin, look_at, measure_face


def skin_with(chroma: float, *others: tuple[float, float, float]) -> Skin:
    """Skin of L* 65 and this chroma, half red and half yellow, and some other colours in the picture."""
    colour = np.array([65.0, chroma / np.sqrt(2), chroma / np.sqrt(2)])
    return Skin(colour, np.array(others) - colour)


@pytest.mark.parametrize("chroma", [20.0, 30.0, 40.0])
def test_what_is_nearly_grey_is_as_far_from_every_skin(chroma):
    third = chroma / np.sqrt(2) / 3
    skin = skin_with(chroma, (20.0, third, third), (30.0, -5.0, -25.0), (60.0, chroma / np.sqrt(2), 0.8 * chroma))
    assert skin.other_colour_for_its_own.tolist() == [False, True, False]


def test_the_fixed_distance_tells_skins_apart():
    lashes = [skin_with(chroma, (20.0, chroma / 4, chroma / 4)).other_colour.item() for chroma in (20.0, 40.0)]
    assert lashes == [False, True]


def test_a_photo_without_colour_has_no_other_colours():
    assert not skin_with(0.0, (20.0, 0.0, 0.0), (95.0, 0.0, 0.0)).other_colour_for_its_own.any()


@pytest.fixture(scope="module")
def portrait(astronaut) -> Portrait:
    return look_at(load_photo(astronaut)[0][0], load_engine())


def eyes_visible(portrait: Portrait, photo: torch.Tensor) -> float:
    seen = Portrait(photo, portrait.face, portrait.mesh, portrait.faces)
    return next(each.value for each in measure_face(seen) if each.name == "eyes_visible" and each.value is not None)


@pytest.mark.models
@pytest.mark.parametrize("strength", [1.0, 2.0, 3.0])
def test_a_stronger_colour_covers_no_eyes(portrait, strength):
    linear = to_linear(portrait.photo)
    grey = (linear @ torch.tensor([0.2126, 0.7152, 0.0722]))[..., None]
    stronger = to_display((grey + (linear - grey) * strength).clamp(0, 1))
    assert eyes_visible(portrait, stronger) > 0.95


@pytest.mark.models
@pytest.mark.parametrize("colour", [(0.05, 0.05, 0.06), (0.1, 0.14, 0.35), (0.9, 0.9, 0.9)])
def test_a_patch_covers_an_eye(portrait, colour):
    eye = portrait.mesh.eyes[0].centre
    y, x = np.mgrid[: portrait.photo.shape[0], : portrait.photo.shape[1]]
    there = np.hypot((x - eye[0]) / 1.4, y - eye[1]) < 0.24 * portrait.mesh.eye_distance
    photo = torch.where(torch.from_numpy(there)[..., None], torch.tensor(colour), portrait.photo)
    assert eyes_visible(portrait, photo) < 0.75
