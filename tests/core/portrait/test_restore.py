"""Restore Face: protected pixels are the original's own, the seam is measured, a moved face lands where it must."""

import math

import pytest
import torch
import torch.nn.functional as F

from likeness_studio.core.imaging import distance_to, from_lab, inverse, matched_to, similarity, to_lab
from likeness_studio.core.imaging.warp import warp
from likeness_studio.core.portrait import restore_aligned, restore_in_place, seam_step
from likeness_studio.tests.core.portrait.restore_pictures import SKIN, disc, face_at, textured


@pytest.mark.parametrize("match", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("feather", [0, 1, 8, 40])
@pytest.mark.parametrize("seed", [1, 2])
def test_inside_keep_the_original_is_untouched(match, feather, seed):
    original, generated = textured(), torch.rand(1, 160, 128, 3, generator=torch.Generator().manual_seed(seed))
    keep = disc()
    restored = restore_in_place(original, generated, keep, match, feather)
    inside = keep[0] > 0
    assert float((restored.image[0] - original[0]).abs()[inside].max()) == 0
    assert restored.report["largest_difference_inside"] == 0
    assert not torch.equal(restored.image, original)


def test_without_a_match_everything_beyond_the_feather_is_the_generated_picture():
    original, generated, keep = textured(), textured(colour=SKIN * 0.9, seed=4), disc()
    result = restore_in_place(original, generated, keep, 0.0, 8).image[0]
    beyond = distance_to(keep[0] > 0, 60) >= 9
    assert torch.equal(result[beyond], generated[0][beyond])
    hard = restore_in_place(original, generated, keep, 0.0, 0).image[0]
    assert torch.equal(hard, torch.where(keep[0, ..., None] > 0, original[0], generated[0]))


def test_the_blend_fades_evenly_where_both_show_the_same_thing():
    original, generated = torch.full((1, 160, 128, 3), 0.52), torch.full((1, 160, 128, 3), 0.48)
    keep = disc()
    result = restore_in_place(original, generated, keep, 0.0, 12).image[0, ..., 0]
    distance = distance_to(keep[0] > 0, 60)
    order = torch.argsort(distance.flatten())
    assert bool((result.flatten()[order].diff() <= 1e-5).all()), "from the original down to the generated colour"
    step = (result[80, 99:115].diff()).abs().max()
    assert float(step) < 0.25 * 0.04


def test_a_new_background_gets_no_rim_of_the_old_one():
    original = torch.zeros(1, 160, 128, 3)
    generated = torch.ones(1, 160, 128, 3) * 0.9
    keep = disc()
    original[0][keep[0] > 0] = SKIN
    result = restore_in_place(original, generated, keep, 1.0, 16).image[0]
    distance = distance_to(keep[0] > 0, 60)
    assert float((result - 0.9).abs()[distance > 2].max()) < 0.03


def test_the_match_takes_the_step_away_and_fades_out():
    original = textured()
    generated = (textured(seed=9) * torch.tensor([1.06, 1.0, 0.9])).clamp(0, 1)
    keep = disc(radius=30)
    matched, plain = (restore_in_place(original, generated, keep, match, 4) for match in (1.0, 0.0))
    seam = matched.report["seam"]
    assert seam["before"] == plain.report["seam"]["before"] == plain.report["seam"]["after"]
    assert seam["after"] < 0.8 * seam["before"]
    assert seam["after"] < seam["own"] + 1
    distance = distance_to(keep[0] > 0, 200)
    ring, far = (distance > 0) & (distance < 5), distance > 60
    target, before = to_lab(original[0])[ring].mean(0), to_lab(generated[0])[ring].mean(0)
    after = to_lab(matched.image[0])[ring].mean(0)
    assert float((after - target).norm()) < 0.35 * float((before - target).norm())
    assert float((matched.image[0] - generated[0]).abs()[far].max()) < 0.002
    half = restore_in_place(original, generated, keep, 0.5, 4).report["seam"]["after"]
    assert seam["after"] < half < seam["before"]


def test_the_match_keeps_the_generated_texture():
    original, generated = textured(), textured(seed=9) * 0.93
    keep = disc(radius=30)
    result = restore_in_place(original, generated, keep, 1.0, 0).image
    ring = (distance_to(keep[0] > 0, 60) > 2) & (distance_to(keep[0] > 0, 60) < 8)

    def detail(picture):
        blurred = F.avg_pool2d(picture.permute(0, 3, 1, 2), 5, 1, 2).permute(0, 2, 3, 1)
        return (picture - blurred)[0][ring].flatten()

    pair = torch.stack([detail(result), detail(generated)])
    assert float(torch.corrcoef(pair)[0, 1]) > 0.98


def test_the_seam_is_the_mean_difference_across_the_border():
    picture = torch.zeros(6, 8, 3)
    picture[:, 4:] = 1
    keep = torch.zeros(6, 8, dtype=torch.bool)
    keep[:, 4:] = True
    assert seam_step(picture, keep) == pytest.approx(100, abs=0.1), "black to white is 100 in L*"
    assert seam_step(torch.full((6, 8, 3), 0.3), keep) == 0
    assert seam_step(picture, torch.ones(6, 8, dtype=torch.bool)) is None


def test_lab_there_and_back():
    colours = torch.rand(5000, 3, generator=torch.Generator().manual_seed(0))
    assert float((from_lab(to_lab(colours)) - colours).abs().max()) < 1e-4
    assert float((from_lab(to_lab(torch.eye(3))) - torch.eye(3)).abs().max()) < 2e-3


def test_reinhard_gives_mean_and_spread():
    one, other = textured(colour=torch.tensor([0.5, 0.4, 0.3])), textured(colour=torch.tensor([0.6, 0.5, 0.5]), seed=5)
    lab = to_lab(matched_to(one[0], one.reshape(-1, 3), other.reshape(-1, 3))).reshape(-1, 3)
    wanted = to_lab(other.reshape(-1, 3))
    assert torch.allclose(lab.mean(0), wanted.mean(0), atol=0.1)
    assert torch.allclose(lab.std(0), wanted.std(0), rtol=0.1)


# --- moving a face ---


def waves(height=120, width=160):
    """A picture without fine detail: every resampling should agree on it."""
    x, y = torch.arange(width) / width, torch.arange(height)[:, None] / height
    return torch.stack([0.5 + 0.4 * torch.sin(6 * x + phase) * torch.cos(5 * y - phase) for phase in (0, 1, 2)])[None]


def test_the_identity_moves_nothing():
    picture = torch.rand(1, 3, 31, 47)
    assert torch.equal(warp(picture, (1 + 0j, 0j), 31, 47), picture)


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.2])
@pytest.mark.parametrize("degrees", [0, 33])
def test_a_move_and_its_inverse_cancel(scale, degrees):
    transform = (scale * complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees))), 20 - 5j)
    picture = waves()
    side = math.ceil(200 * scale) + 60
    there = warp(picture, (transform[0], transform[1] + 60 * scale), side, side)
    back = warp(there, inverse((transform[0], transform[1] + 60 * scale)), 120, 160)
    middle = (slice(None), slice(None), slice(40, 80), slice(60, 100))
    assert float((back - picture)[middle].abs().max()) < 0.02


def test_shrinking_does_not_alias():
    """A fine checkerboard becomes grey, not a coarse pattern."""
    board = (torch.arange(300)[None] + torch.arange(300)[:, None]).remainder(2).float().expand(1, 3, 300, 300)
    small = warp(board, (0.21 + 0j, 0j), 60, 60)
    assert float((small[..., 4:-4, 4:-4] - 0.5).abs().max()) < 0.05


@pytest.mark.parametrize(("unit", "degrees"), [(30, 0), (18, 20), (55, -35)])
def test_an_aligned_face_lands_on_the_new_landmarks(unit, degrees):
    """Bright spots painted at the original's landmarks are found at the generated face's."""
    source, target = face_at(30, (100, 90), 5), face_at(unit, (150, 140), degrees)
    original, generated = torch.full((1, 240, 220, 3), 0.3), torch.full((1, 300, 320, 3), 0.3)
    for x, y in source:
        distance = ((torch.arange(220)[None] - x) ** 2 + (torch.arange(240)[:, None] - y) ** 2).sqrt()
        original[0] += 0.6 * torch.exp(-((distance / 3) ** 2))[..., None].float()
    keep = torch.ones(1, 240, 220)
    restored = restore_aligned(original, generated, keep, (source, target), 0.0, 4)
    assert restored.image.shape == generated.shape
    assert restored.report["scale"] == pytest.approx(unit / 30, rel=0.01)
    assert restored.report["turned_degrees"] == pytest.approx(degrees - 5, abs=0.1)
    assert restored.report["landmark_error_pixels"] < 0.01
    light = restored.image[0, ..., 0] - 0.3
    reach = max(3, round(unit / 6))
    for x, y in target:
        left, top = round(x) - reach, round(y) - reach
        patch = light[top : top + 2 * reach + 1, left : left + 2 * reach + 1].clamp_min(0)
        column = left + float((patch.sum(0) * torch.arange(2 * reach + 1)).sum() / patch.sum())
        row = top + float((patch.sum(1) * torch.arange(2 * reach + 1)).sum() / patch.sum())
        assert math.hypot(column - x, row - y) < 0.6


def test_an_aligned_face_takes_the_colours_of_the_new_skin():
    points = face_at(30, (110, 90), 0)
    original, generated = textured(200, 220, SKIN), textured(200, 220, SKIN * torch.tensor([0.7, 0.62, 0.6]), seed=6)
    keep = disc(200, 220, 50, (110, 105))
    plain, matched = (restore_aligned(original, generated, keep, (points, points), how, 6) for how in (0.0, 1.0))
    middle = disc(200, 220, 25, (110, 105))[0] > 0
    wanted = to_lab(generated[0])[middle].mean(0)
    assert float((to_lab(matched.image[0])[middle].mean(0) - wanted).norm()) < 1
    assert torch.allclose(plain.image[0][middle], original[0][middle], atol=1e-4), "the same place, the same pixels"
    assert matched.report["seam"]["after"] < matched.report["seam"]["before"]
    outside = disc(200, 220, 52, (110, 105))[0] == 0
    assert torch.equal(matched.image[0][outside], generated[0][outside])


def test_a_face_of_one_pixel_has_a_colour_that_is_a_number():
    colours = torch.tensor([[0.5, 0.4, 0.3]])
    assert bool(matched_to(colours, colours, colours * 0.9).isfinite().all())


def test_nothing_from_beyond_the_original_is_pasted():
    """Where the original ends, the generated picture stays, not a smear of the original's edge."""
    source, target = face_at(20, (15, 60), 0), face_at(20, (115, 60), 0)
    original, generated = torch.zeros(1, 120, 100, 3), torch.full((1, 120, 230, 3), 0.8)
    a, b = similarity(source, target)
    assert a == pytest.approx(1)
    assert b == pytest.approx(100)
    result = restore_aligned(original, generated, torch.ones(1, 120, 100), (source, target), 0.0, 0).image
    assert float((result[0, :, :100] - 0.8).abs().max()) == 0
    assert float(result[0, 60, 105:195].max()) == 0
