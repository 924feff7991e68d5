"""Composition: the exact mix without effects, and a match of light and colour that holds its limit."""

import pytest
import torch

from likeness_studio.core.portrait import ComposeOptions, hue_change, mean_hue, skin_mask
from likeness_studio.core.portrait.compose import compose

PLAIN = ComposeOptions(light_wrap=0, shadow=0, match_light=0, match_colour=0)
SKINS = [(0.94, 0.78, 0.69), (0.78, 0.57, 0.44), (0.55, 0.38, 0.28), (0.32, 0.21, 0.16)]


def _bust(height=160, width=128, skin=SKINS[0]):
    alpha = torch.zeros(1, height, width)
    alpha[:, 30:, 30:-30] = 1
    alpha = torch.nn.functional.avg_pool2d(alpha[None], 5, 1, 2)[0]
    noise = 0.03 * torch.rand(1, height, width, 3, generator=torch.Generator().manual_seed(1))
    front = torch.tensor(skin).expand(1, height, width, 3) + noise
    return front.clamp(0, 1), alpha


def test_plain_mix_is_exact():
    front, back, alpha = torch.rand(2, 21, 17, 3), torch.rand(2, 21, 17, 3), torch.rand(2, 21, 17)
    mixed, reports = compose(front, alpha, back, PLAIN)
    assert torch.allclose(mixed, alpha[..., None] * front + (1 - alpha[..., None]) * back, atol=1e-6)
    assert len(reports) == 2


def test_inputs_are_not_changed():
    front, alpha = _bust()
    back = torch.rand(1, 160, 128, 3)
    copies = front.clone(), alpha.clone(), back.clone()
    compose(front, alpha, back, ComposeOptions(shadow=1))
    assert all(torch.equal(now, then) for now, then in zip((front, alpha, back), copies, strict=True))


def test_light_wrap_touches_the_rim_only_and_only_brightens():
    front, alpha = _bust(skin=(0.3, 0.25, 0.2))
    back = torch.full((1, 160, 128, 3), 0.9)
    options = ComposeOptions(light_wrap=1, match_light=0, match_colour=0)
    change = compose(front, alpha, back, options)[0] - compose(front, alpha, back, PLAIN)[0]
    assert float(change.min()) > -1e-5
    assert float(change[0, 90:110, 55:75].abs().max()) < 1e-4
    assert float(change.max()) > 0.02


def test_shadow_darkens_the_wall_not_the_person():
    front, alpha = _bust()
    back = torch.full((1, 160, 128, 3), 0.8)
    options = ComposeOptions(light_wrap=0, shadow=1, match_light=0, match_colour=0)
    change = compose(front, alpha, back, options)[0] - compose(front, alpha, back, PLAIN)[0]
    assert float(change[0, 90, 102:106].mean()) < -0.1
    assert float(change[0, 90, 64].abs().max()) == 0
    assert float(change[0, 2, 2].abs().max()) < 0.01


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("wall", [(0.1, 0.2, 0.9), (0.9, 0.2, 0.1), (0.1, 0.8, 0.2), (0.02, 0.02, 0.02), (1, 1, 1)])
@pytest.mark.parametrize("limit", [0.0, 1.0, 2.0])
def test_hue_limit_holds_whatever_the_backdrop(skin, wall, limit):
    front, alpha = _bust(skin=skin)
    back = torch.tensor(wall, dtype=torch.float32).expand(1, 160, 128, 3)
    options = ComposeOptions(light_wrap=0, match_light=1, match_colour=1, hue_limit=limit)
    mixed, (report,) = compose(front, alpha, back, options)
    where = skin_mask(front[0], alpha[0])
    assert int(where.sum()) > 1000
    change = abs(hue_change(mean_hue(front[0][where]), mean_hue(mixed[0][where])))
    assert change <= limit + 0.15
    assert abs(report["skin_hue_change_degrees"]) <= limit
    assert abs(report["exposure_stops"]) <= 0.35


def test_without_skin_the_balance_is_left_alone():
    front, alpha = _bust(skin=(0.1, 0.3, 0.9))
    back = torch.tensor([0.9, 0.4, 0.1]).expand(1, 160, 128, 3)
    _, (report,) = compose(front, alpha, back, ComposeOptions(match_light=0, match_colour=1))
    assert report["gains"] == [1, 1, 1]
    assert report["skin_hue_change_degrees"] is None


def test_empty_mask_gives_the_backdrop():
    back = torch.rand(1, 30, 30, 3)
    mixed, (report,) = compose(torch.rand(1, 30, 30, 3), torch.zeros(1, 30, 30), back)
    assert torch.allclose(mixed, back, atol=1e-6)
    assert "empty" in report["note"]
