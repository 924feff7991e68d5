"""Backdrops: the same for the same seed, free of bands after truncation to 8 bits, and colours that are understood."""

import numpy as np
import pytest
import torch

from likeness_studio.core.choices import BACKDROP_STYLES, GRADIENT, SEAMLESS_PAPER
from likeness_studio.core.choices import PAPER_COLOURS as NAMES
from likeness_studio.core.errors import BadColour
from likeness_studio.core.imaging import parse_colour, to_display, to_lab, to_linear
from likeness_studio.core.portrait import Light
from likeness_studio.core.portrait.backdrop import backdrop


def _eight_bit(image):
    """As ComfyUI's SaveImage does: cut, not rounded."""
    return np.clip(255.0 * image[0].numpy(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("style", BACKDROP_STYLES)
def test_same_seed_same_picture(style):
    first = backdrop(style, "slate", 120, 96, seed=3)
    assert first.shape == (1, 120, 96, 3)
    assert first.dtype == torch.float32
    assert torch.equal(first, backdrop(style, "slate", 120, 96, seed=3))
    assert not torch.equal(first, backdrop(style, "slate", 120, 96, seed=4))
    assert 0 <= float(first.min()) <= float(first.max()) <= 1


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 301), (513, 33)])
@pytest.mark.parametrize("style", BACKDROP_STYLES)
def test_any_size(style, height, width):
    assert backdrop(style, "#336699", height, width).shape == (1, height, width, 3)


def _longest_run(picture):
    lines = (*picture[::97, :, 1], *picture[:, ::97, 1].T)
    return max(int(np.diff(np.flatnonzero(np.diff(line.astype(int)))).max(initial=0)) for line in lines)


@pytest.mark.parametrize("style", [SEAMLESS_PAPER, GRADIENT])
def test_no_bands_in_eight_bits(style):
    """The longest run of one value along a line stays short. Smoothed back and rounded, the same light has bands."""
    faint = Light(strength=0.15, vignette=0.1)
    image = backdrop(style, "navy", 1280, 1024, faint, seed=1)
    smooth = torch.nn.functional.avg_pool2d(image.permute(0, 3, 1, 2), 31, 1, 15, count_include_pad=False)
    assert _longest_run(_eight_bit(smooth.permute(0, 2, 3, 1))) > 100
    assert _longest_run(_eight_bit(image)) <= 48


def test_dither_keeps_the_mean_after_truncation():
    flat = Light(strength=0.0, vignette=0.0)
    image = backdrop(GRADIENT, "#808080", 256, 256, flat)
    assert abs(_eight_bit(image).mean() - 128) < 0.35


def test_light_falls_off_from_behind_the_head():
    image = backdrop(SEAMLESS_PAPER, "studio grey", 640, 512)[0].mean(-1)
    assert float(image[230:280, 230:280].mean()) > float(image[:40, :40].mean()) + 0.05


def test_colour_names_and_hex():
    assert parse_colour("#ff8000") == pytest.approx((1, 128 / 255, 0))
    assert parse_colour("f80") == pytest.approx((1, 136 / 255, 0))
    assert parse_colour(" Studio Gray ") == parse_colour("studio_grey")
    assert all(len(parse_colour(name)) == 3 for name in NAMES)


@pytest.mark.parametrize("text", ["", "#12", "#gg0000", "ultra blue", "12345678"])
def test_bad_colour(text):
    with pytest.raises(BadColour, match="#rrggbb"):
        parse_colour(text)


def test_colour_round_trip_and_lab():
    values = torch.linspace(0, 1, 256)
    assert torch.allclose(to_display(to_linear(values)), values, atol=1e-5)
    white, red = to_lab(torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]))
    assert white.tolist() == pytest.approx([100, 0, 0], abs=0.05)
    assert red.tolist() == pytest.approx([53.24, 80.09, 67.2], abs=0.1)
