"""Matte, refinement and foreground colours: known answers."""

from typing import Any, cast

import numpy as np
import pytest
import torch

from likeness_studio.core.errors import ShapeMismatch
from likeness_studio.core.imaging import (
    box,
    check_image,
    check_mask,
    fill_unknown,
    find_regions,
    grow,
    guided_filter,
    match_batch,
    shrink,
    soft_blur,
    touches_border,
)
from likeness_studio.core.portrait import (
    CENTRED,
    IMAGENET,
    Band,
    foreground_colours,
    normalisation_for,
    refine_alpha,
    tidy,
)
from likeness_studio.core.portrait.matte import matte

SIZES = [(1, 1), (2, 3), (7, 5), (33, 64), (101, 77)]


def _disc(height, width, radius, softness=1.5):
    y = torch.arange(height)[:, None] - height / 2
    x = torch.arange(width)[None, :] - width / 2
    return ((radius - (x * x + y * y).sqrt()) / softness + 0.5).clamp(0, 1)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_averages_keep_constants(height, width):
    constant = torch.full((2, 3, height, width), 0.3)
    for filtered in (box(constant, 4), soft_blur(constant, 3.0), soft_blur(constant, 40.0), grow(constant, 2)):
        assert filtered.shape == constant.shape
        assert torch.allclose(filtered, constant, atol=1e-5)
    assert torch.allclose(shrink(constant, 2), constant)
    assert torch.allclose(fill_unknown(constant, torch.ones(2, 1, height, width)), constant, atol=1e-5)


def test_fill_takes_the_known_colour_everywhere():
    known = torch.zeros(1, 1, 40, 31)
    known[..., 3:5, 2:6] = 1
    colours = torch.rand(1, 3, 40, 31) * (1 - known) + 0.7 * known
    assert torch.allclose(fill_unknown(colours, known), torch.full_like(colours, 0.7), atol=1e-4)


def test_guided_filter_keeps_constants_and_edges():
    guide = torch.rand(1, 3, 50, 60, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(guided_filter(guide, torch.full((1, 1, 50, 60), 0.4), 4, 1e-4), torch.tensor(0.4), atol=1e-3)
    edge = torch.zeros(1, 3, 50, 60)
    edge[..., 30:] = 1
    soft = torch.linspace(0, 1, 60).expand(1, 1, 50, 60)
    sharp = guided_filter(edge, soft, 8, 1e-5)
    assert float(sharp[0, 0, 25, 30] - sharp[0, 0, 25, 29]) > 3 * float(soft[0, 0, 25, 30] - soft[0, 0, 25, 29])


def test_foreground_is_recovered_from_a_mix():
    alpha = _disc(160, 160, 50, 14.0)[None]
    front = torch.tensor([0.8, 0.5, 0.3]).expand(1, 160, 160, 3)
    back = torch.tensor([0.1, 0.3, 0.7]).expand(1, 160, 160, 3)
    image = alpha[..., None] * front + (1 - alpha[..., None]) * back
    found = foreground_colours(image, alpha)
    edge = (alpha > 0.05) & (alpha < 0.95)
    assert float((found - front)[edge].abs().mean()) < 0.01
    assert float((image - front)[edge].abs().mean()) > 0.1
    assert torch.equal(found[alpha == 1], image[alpha == 1])


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_any_size_and_batch(height, width):
    image = torch.rand(3, height, width, 3)
    alpha = refine_alpha(image, torch.rand(3, 5, 5))
    assert alpha.shape == (3, height, width)
    assert 0 <= float(alpha.min()) <= float(alpha.max()) <= 1
    assert foreground_colours(image, alpha).shape == image.shape


def test_refinement_finds_the_true_edge_of_a_shifted_coarse_mask():
    truth = _disc(640, 640, 200)
    image = truth[..., None] * torch.tensor([0.9, 0.6, 0.5]) + (1 - truth[..., None]) * torch.tensor([0.1, 0.2, 0.4])
    coarse = torch.nn.functional.interpolate(_disc(640, 640, 203)[None, None], size=(80, 80), mode="area")[0]
    refined = refine_alpha(image[None], coarse)[0]
    enlarged = torch.nn.functional.interpolate(coarse[None], size=(640, 640), mode="bilinear")[0, 0]
    assert float((refined - truth).abs().mean()) < 0.25 * float((enlarged - truth).abs().mean())


def test_soft_patches_inside_become_solid_and_outside_empty():
    coarse = _disc(320, 320, 120)
    coarse[150:170, 150:170] = 0.6
    coarse[5:15, 5:15] = 0.3
    refined = refine_alpha(torch.rand(1, 320, 320, 3), coarse[None], Band(margin=2, reach=9))[0]
    assert float(refined[150:170, 150:170].min()) == 1
    assert float(refined[5:15, 5:15].max()) == 0


def test_inputs_are_not_changed():
    image, mask = torch.rand(1, 40, 40, 3), torch.rand(1, 40, 40)
    before = image.clone(), mask.clone()
    foreground_colours(image, refine_alpha(image, mask))
    assert torch.equal(image, before[0])
    assert torch.equal(mask, before[1])


def test_regions_join_through_any_shape():
    mask = np.array([[1, 0, 1, 0, 1], [1, 0, 1, 0, 0], [1, 1, 1, 0, 1], [0, 0, 0, 0, 1]], dtype=bool)
    found = find_regions(mask)
    assert sorted(found.sizes.tolist()) == [1, 2, 7]
    assert found.labels[0, 0] == found.labels[0, 2]
    assert (found.labels > 0).tolist() == mask.tolist()
    assert touches_border(find_regions(np.pad(np.ones((1, 1), bool), 1))).tolist() == [False]


def test_tidy_drops_specks_and_fills_pinholes_only():
    alpha = np.zeros((100, 100), np.float32)
    alpha[20:90, 20:80] = 1
    alpha[2:5, 2:5] = 1
    alpha[50:52, 50:52] = 0
    alpha[60:75, 60:75] = 0
    tidied = tidy(alpha)
    assert tidied[2:5, 2:5].max() == 0
    assert tidied[50:52, 50:52].min() == 1
    assert tidied[60:75, 60:75].max() == 0
    assert tidy(np.zeros((9, 9), np.float32)).max() == 0


class _Socket:
    def __init__(self, name, shape):
        self.name, self.shape, self.type = name, shape, "tensor(float)"


class _Network:
    """Says "person" where the picture is bright; remembers what it was fed."""

    def __init__(self, side, logits=False):
        self.side, self.logits, self.fed = side, logits, []

    def get_inputs(self):
        return [_Socket("in", [1, 3, self.side, self.side])]

    def get_outputs(self):
        return [_Socket("out", None)]

    def run(self, names, feed, _):
        self.fed.append(feed["in"])
        bright = feed["in"].mean(1, keepdims=True) > 0
        return [np.where(bright, 9.0, -9.0) if self.logits else bright.astype(np.float32)]


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("side", [64, "height"])
def test_matte_reads_size_and_kind_from_the_network(side, logits):
    image = torch.zeros(2, 90, 120, 3)
    image[:, 20:70, 30:90] = 1
    network = _Network(side, logits)
    seen = []
    found = matte(image, cast(Any, network), IMAGENET, lambda: seen.append(1))
    assert found.shape == (2, 90, 120)
    assert len(seen) == 2
    assert network.fed[0].shape[-1] == (64 if side == 64 else 1024)
    assert float(found[0, 45, 60]) > 0.99
    assert float(found[0, 5, 5]) < 0.01


def test_normalisation_by_name():
    assert normalisation_for("u2netp") is IMAGENET
    assert normalisation_for("isnet-general-use") is CENTRED


def test_wrong_shapes_are_named():
    with pytest.raises(ShapeMismatch, match="batch, height, width, 3"):
        check_image(torch.zeros(4, 4, 3))
    with pytest.raises(ShapeMismatch, match="batch, height, width"):
        check_mask(torch.zeros(1, 1, 4, 4))
    with pytest.raises(ShapeMismatch, match="3 of masks for 2"):
        match_batch(torch.zeros(3, 4, 4), 2, "masks")
    assert check_image(torch.zeros(1, 4, 4, 4)).shape[-1] == 3
