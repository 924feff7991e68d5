"""A photo of one tone has no natural skin colour, whatever the tone; a colour photo keeps its own."""

import pytest
import torch

from likeness_studio.core.faces import load_engine
from likeness_studio.core.imaging import load_photo
from likeness_studio.core.quality import look_at
from likeness_studio.core.quality.light import NO_COLOUR, TONED, natural_colour

SEPIA = torch.tensor([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
GREY = torch.tensor([0.299, 0.587, 0.114])

TONES = {
    "sepia": lambda photo: (photo @ SEPIA.T).clamp(0, 1),
    "tinted grey": lambda photo: ((photo @ GREY)[..., None] * torch.tensor([1.07, 0.93, 0.72])).clamp(0, 1),
    "two inks": lambda photo: torch.lerp(
        torch.tensor([0.14, 0.08, 0.04]), torch.tensor([1.0, 0.94, 0.82]), (photo @ GREY)[..., None]
    ),
    "cyanotype": lambda photo: torch.lerp(torch.tensor([0.0, 0.1, 0.3]), torch.ones(3), (photo @ GREY)[..., None]),
}


@pytest.fixture(scope="module")
def photo(astronaut):
    return load_photo(astronaut)[0][0]


@pytest.fixture(scope="module")
def engine():
    return load_engine(device="cpu")


@pytest.mark.models
@pytest.mark.parametrize("tone", TONES)
def test_no_tone_is_a_natural_skin_colour(photo, engine, tone):
    found = natural_colour(look_at(TONES[tone](photo), engine))
    assert found.value is not None
    assert found.value > 5.0, found.detail
    assert found.detail.startswith(TONED)


@pytest.mark.models
def test_colour_and_grey_are_said_as_before(photo, engine):
    assert TONED not in natural_colour(look_at(photo, engine)).detail
    assert natural_colour(look_at((photo @ GREY)[..., None].expand(-1, -1, 3), engine)).detail.startswith(NO_COLOUR)
