"""Photometric measures on a real portrait: each sees its own fault grow, and hardly anything else moves it."""

import dataclasses
import io
import time

import numpy as np
import pytest
import torch
from PIL import Image

from likeness_studio.core.errors import BadColour
from likeness_studio.core.faces import YuNetSFace
from likeness_studio.core.imaging import load_photo, to_display, to_linear
from likeness_studio.core.quality import (
    EYE_DISTANCE,
    SIDE,
    TEMPLATE,
    Portrait,
    cut,
    look_at,
    measure_background,
    measure_light,
    saved_quality,
)

pytestmark = pytest.mark.models

NAMES = (
    *("illumination_uniformity", "luminance_mean", "luminance_variance", "under_exposure", "over_exposure"),
    *("dynamic_range", "natural_colour", "red_eye", "inter_eye_distance", "sharpness", "resolution", "compression"),
    *("noise", "background_uniformity", "background_lightness", "background_colour", "background_shadow"),
    "background_pattern",
)


@pytest.fixture(scope="module")
def portrait(astronaut) -> Portrait:
    return look_at(load_photo(astronaut)[0][0], YuNetSFace())


def with_photo(portrait: Portrait, photo: torch.Tensor) -> Portrait:
    return dataclasses.replace(portrait, photo=(photo.clamp(0, 1) * 255).round() / 255)


def values(portrait: Portrait, *allowed: str) -> dict[str, float]:
    """What was measured, by name."""
    measures = measure_light(portrait, allowed)
    return {measure.name: measure.value for measure in measures if measure.value is not None}


def scaled(portrait: Portrait, factor: float, resample=Image.Resampling.BICUBIC) -> Portrait:
    """The same portrait with more or fewer pixels; its geometry is scaled, not found again."""
    image = Image.fromarray((portrait.photo * 255).round().to(torch.uint8).numpy())
    size = (round(image.width * factor), round(image.height * factor))
    photo = torch.from_numpy(np.asarray(image.resize(size, resample), np.float32) / 255)
    mesh, face = portrait.mesh, portrait.face
    eyes = [
        dataclasses.replace(eye, lids=eye.lids * factor, iris=eye.iris * factor, radius=eye.radius * factor)
        for eye in mesh.eyes
    ]
    mesh = dataclasses.replace(mesh, points=mesh.points * np.float32(factor), eyes=(eyes[0], eyes[1]))
    box = tuple(side * factor for side in face.box)
    face = dataclasses.replace(face, box=box, landmarks=face.landmarks * factor)
    return Portrait(photo, face, mesh, [face])


def test_every_measure_is_there_once_and_explains_what_it_lacks(portrait):
    measures = measure_light(portrait)
    assert tuple(measure.name for measure in measures) == NAMES
    assert all(measure.detail for measure in measures if measure.value is None)
    assert {measure.name for measure in measures if measure.value is None} == {
        name for name in NAMES if name.startswith("background")
    }


def test_the_face_stands_level_at_its_place(portrait):
    face = portrait.aligned
    eyes = np.array([(lids[0] + lids[8]) / 2 for lids in face.lids])
    assert face.image.shape == (SIDE, SIDE, 3)
    assert abs(np.hypot(*(eyes[1] - eyes[0])) / EYE_DISTANCE - 1) < 0.1
    assert np.abs(eyes - TEMPLATE[:2]).max() < 12
    left, right = face.cheeks
    assert left[1].stop <= right[1].start
    assert bool(face.region[left].all())
    assert bool(face.region[right].all())
    assert not bool(face.region[: int(eyes[0, 1]) - 70].any())


def test_a_cut_puts_pixels_where_the_mapping_says():
    picture = torch.zeros(40, 60, 3)
    picture[10, 20] = 1
    moved, inside = cut(picture, 1 + 0j, complex(5, 7), 60, 60, smooth=True)
    assert int(moved[..., 0].argmax()) == 17 * 60 + 25
    assert bool(inside[7:47, 5:].all())
    assert not bool(inside[:7].any())
    assert not bool(inside[:, :5].any())


@pytest.mark.parametrize("smooth", [True, False])
def test_a_smaller_cut_averages(smooth):
    noise = torch.rand(400, 400, 3, generator=torch.Generator().manual_seed(1))
    small, _ = cut(noise, 0.125 + 0j, 0j, 50, 50, smooth)
    assert float(small[5:-5, 5:-5].std()) < 0.08
    assert abs(float(small.mean()) - 0.5) < 0.01


def test_size_does_not_matter(portrait):
    """A photo of twice the pixels has the same light and colour."""
    small, large = values(portrait), values(scaled(portrait, 2))
    for name in ("illumination_uniformity", "luminance_mean", "under_exposure", "natural_colour", "dynamic_range"):
        assert small[name] == pytest.approx(large[name], abs=0.03, rel=0.03), name
    assert large["inter_eye_distance"] == pytest.approx(2 * small["inter_eye_distance"])


def shifted(portrait: Portrait, right: int, down: int) -> Portrait:
    """The same photo, cut off at its left and top by so many pixels."""
    offset = np.array([right, down])
    mesh, face = portrait.mesh, portrait.face
    first, second = (
        dataclasses.replace(eye, lids=eye.lids - offset, iris=eye.iris - offset) for eye in portrait.mesh.eyes
    )
    points = mesh.points - np.array([right, down, 0], np.float32)
    mesh = dataclasses.replace(mesh, points=points, eyes=(first, second))
    matte = None if portrait.matte is None else portrait.matte[down:, right:]
    return Portrait(portrait.photo[down:, right:], face, mesh, [face], matte)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 2.0])
def test_a_face_that_the_photo_cuts_off_is_measured_or_explained(portrait, alpha, share):
    """From half a face down to none at all."""
    nose = portrait.mesh.points[4]
    right = int(nose[0] + share * portrait.mesh.eye_distance)
    cut_off = shifted(dataclasses.replace(portrait, matte=alpha), right, int(nose[1] - portrait.mesh.eye_distance))
    for measure in measure_light(cut_off):
        assert measure.value is None or np.isfinite(measure.value), measure
        assert measure.value is not None or measure.detail


def test_a_face_of_a_few_pixels_is_measured_or_explained(portrait):
    for measure in measure_light(scaled(portrait, 0.1)):
        assert measure.value is None or np.isfinite(measure.value), measure


def test_twelve_megapixels_are_looked_at_in_no_time(portrait):
    large = scaled(portrait, 3600 / 512)
    began = time.thread_time()
    measure_light(large)
    assert time.thread_time() - began < 1.0


@pytest.mark.parametrize("stops", [1, 2, 3])
def test_missing_light_is_counted_in_stops(portrait, stops):
    darker = with_photo(portrait, to_display(to_linear(portrait.photo) * 2.0**-stops))
    change = values(darker)["under_exposure"] - values(portrait)["under_exposure"]
    assert change == pytest.approx(stops, abs=0.1)
    assert values(darker)["over_exposure"] == 0
    assert values(darker)["natural_colour"] < 4.5


def test_a_darker_skin_in_the_same_light_is_not_under_exposed(portrait):
    """A third of the light comes back from the skin; eyes, teeth and shine stay."""
    linear = to_linear(portrait.photo)
    skin = (linear.mean(-1, keepdim=True) < 0.6).float()
    darker = with_photo(portrait, to_display(linear * (1 - 0.67 * skin)))
    before, after = values(portrait), values(darker)
    assert after["luminance_mean"] < 0.6 * before["luminance_mean"]
    assert after["under_exposure"] < before["under_exposure"] + 0.3
    assert after["dynamic_range"] > before["dynamic_range"] - 0.1


def test_burnt_out_skin_is_counted(portrait):
    shares = [
        values(with_photo(portrait, to_display((to_linear(portrait.photo) * 2.0**stops).clamp(0, 1))))["over_exposure"]
        for stops in (0, 1, 2, 3)
    ]
    assert shares[0] < 0.01
    assert sorted(shares) == shares
    assert shares[3] > 0.3


def test_haze_takes_the_dynamic_range(portrait):
    ranges = [
        values(with_photo(portrait, portrait.photo * (1 - haze) + 0.6 * haze))["dynamic_range"]
        for haze in (0, 0.2, 0.4, 0.6, 0.8)
    ]
    assert sorted(ranges, reverse=True) == ranges
    assert ranges[0] > 3.5
    assert ranges[3] < 2


def test_one_dark_side_is_seen_on_either_side(portrait):
    width = portrait.photo.shape[1]
    middle = portrait.mesh.points[4, 0]
    slope = torch.sigmoid((torch.arange(width) - middle) / (0.2 * portrait.mesh.eye_distance))
    linear = to_linear(portrait.photo)
    for dark in (slope, 1 - slope):
        lit = with_photo(portrait, to_display(linear * (1 - 0.85 * dark)[None, :, None]))
        assert values(lit)["illumination_uniformity"] < 0.4


@pytest.mark.parametrize("gains", [(1.5, 1.0, 0.35), (0.55, 1.0, 1.8), (0.7, 1.25, 0.7), (1.4, 0.7, 1.4)])
def test_the_wrong_white_balance_is_no_skin(portrait, gains):
    cast = with_photo(portrait, to_display((to_linear(portrait.photo) * torch.tensor(gains)).clamp(0, 1)))
    assert values(portrait)["natural_colour"] < 2
    assert values(cast)["natural_colour"] > 3


def test_a_grey_photo_is_no_natural_colour(portrait):
    grey = with_photo(portrait, portrait.photo.mean(-1, keepdim=True).expand(-1, -1, 3))
    assert values(grey)["natural_colour"] > 4.9


def test_red_pupils(portrait):
    photo = portrait.photo.clone()
    rows, columns = torch.meshgrid(torch.arange(photo.shape[0]), torch.arange(photo.shape[1]), indexing="ij")
    for eye in portrait.mesh.eyes:
        pupil = torch.hypot(columns - eye.iris[0], rows - eye.iris[1]) < 0.5 * eye.radius
        photo[pupil] = torch.tensor([0.8, 0.1, 0.12])
    assert values(portrait)["red_eye"] < 0.2
    assert values(with_photo(portrait, photo))["red_eye"] > 0.7


def test_every_kind_of_softness_grows_duller(portrait):
    """Out of focus, and shaken in each of four directions."""
    sharp = values(portrait)["sharpness"]
    disc = np.hypot(*np.meshgrid(*2 * [np.arange(-3, 4)])) < 2.6
    kernels = [disc, np.ones((1, 9)), np.ones((9, 1)), np.eye(8), np.eye(8)[::-1]]
    for kernel in kernels:
        weights = torch.from_numpy(np.ascontiguousarray(kernel, np.float32))[None, None]
        planes = portrait.photo.permute(2, 0, 1)[:, None]
        blurred = torch.nn.functional.conv2d(planes, weights / weights.sum(), padding="same")
        assert values(with_photo(portrait, blurred[:, 0].permute(1, 2, 0)))["sharpness"] < 0.7 * sharp


def test_contrast_is_not_sharpness(portrait):
    flat = values(with_photo(portrait, portrait.photo * 0.6 + 0.2))
    assert flat["sharpness"] == pytest.approx(values(portrait)["sharpness"], rel=0.1)


@pytest.mark.parametrize("resample", [Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.NEAREST])
def test_enlarging_adds_pixels_and_no_detail(portrait, resample):
    before, after = values(portrait), values(scaled(portrait, 6, resample))
    assert after["inter_eye_distance"] == pytest.approx(6 * before["inter_eye_distance"])
    assert after["resolution"] < 0.5 * after["inter_eye_distance"]


def test_blocks_are_seen_wherever_they_start(portrait):
    found = [values(portrait)["compression"]]
    for quality in (70, 30, 10):
        buffer = io.BytesIO()
        Image.fromarray((portrait.photo * 255).round().to(torch.uint8).numpy()).save(buffer, "JPEG", quality=quality)
        seen = torch.from_numpy(np.asarray(Image.open(buffer), np.float32) / 255)
        found.append(values(with_photo(portrait, seen))["compression"])
        shifted = with_photo(portrait, torch.roll(seen, (3, 5), (0, 1)))
        assert values(shifted)["compression"] == pytest.approx(found[-1], abs=0.15)
    assert sorted(found) == found
    assert found[-1] > 0.6 > 0.45 > found[0]


def test_quantisation_tables_tell_the_quality():
    picture = Image.fromarray(np.zeros((16, 16, 3), np.uint8))
    for quality in (20, 50, 75, 92):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        with Image.open(buffer) as saved:
            assert saved_quality(saved) == pytest.approx(quality, abs=1.5)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    with Image.open(buffer) as saved:
        assert saved_quality(saved) is None


def test_grain_is_counted(portrait):
    generator = torch.Generator().manual_seed(3)
    grain = torch.randn(portrait.photo.shape, generator=generator) * 0.06
    assert values(with_photo(portrait, portrait.photo + grain))["noise"] > values(portrait)["noise"] + 1


def painted(portrait: Portrait, wall: torch.Tensor, alpha: torch.Tensor) -> Portrait:
    """The person before `wall` [H,W,3]."""
    photo = portrait.photo * alpha[..., None] + wall * (1 - alpha[..., None])
    return dataclasses.replace(with_photo(portrait, photo), matte=alpha)


@pytest.fixture(scope="module")
def alpha(portrait) -> torch.Tensor:
    """A head and shoulders that are simple enough to be sure of: an oval on a block."""
    height, width = portrait.photo.shape[:2]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    unit = portrait.mesh.eye_distance
    x, y = portrait.mesh.points[4, :2]
    head = torch.hypot((columns - x) / (1.6 * unit), (rows - y + 0.4 * unit) / (2.2 * unit)) < 1
    return (head | ((rows > y + 1.6 * unit) & ((columns - x).abs() < 2.5 * unit))).float()


def wall_values(portrait: Portrait, *allowed: str) -> dict[str, float]:
    measures = measure_background(portrait, allowed)
    return {measure.name: measure.value for measure in measures if measure.value is not None}


def test_a_plain_wall(portrait, alpha):
    wall = torch.full_like(portrait.photo, 0.85)
    found = wall_values(painted(portrait, wall, alpha), "#ffffff", "#d9d9d9")
    assert found["background_uniformity"] < 1
    assert found["background_lightness"] == pytest.approx(86.5, abs=0.7)
    assert found["background_colour"] < 1
    assert found["background_shadow"] < 0.5
    assert found["background_pattern"] < 0.5
    with pytest.raises(BadColour):
        wall_values(painted(portrait, wall, alpha), "wall")


def test_stripes_are_a_pattern_and_no_shadow(portrait, alpha):
    stripes = (torch.arange(portrait.photo.shape[1]) / 12 % 1 < 0.5).float()
    wall = torch.full_like(portrait.photo, 0.7) + 0.15 * stripes[None, :, None]
    found = wall_values(painted(portrait, wall, alpha))
    assert found["background_pattern"] > 4
    assert found["background_uniformity"] > 50
    assert found["background_shadow"] < 4


def test_two_colours_of_one_lightness_are_a_pattern(portrait, alpha):
    wall = torch.full_like(portrait.photo, 0.7)
    wall[: wall.shape[0] // 4] = torch.tensor([0.70, 0.72, 0.45])
    assert wall_values(painted(portrait, wall, alpha))["background_pattern"] > 5


def test_a_shadow_beside_the_head_grows(portrait, alpha):
    drops = []
    for depth in (0.1, 0.2, 0.4):
        shade = 1 - depth * torch.roll(alpha, int(0.6 * portrait.mesh.eye_distance), 1)
        found = wall_values(painted(portrait, torch.full_like(portrait.photo, 0.85) * shade[..., None], alpha))
        drops.append(found["background_shadow"])
    assert sorted(drops) == drops
    assert drops[0] > 3
    assert drops[2] > 15


def test_without_a_wall_it_says_why(portrait):
    missing = measure_background(portrait)
    assert all(measure.value is None and "mask" in measure.detail for measure in missing)
    full = measure_background(dataclasses.replace(portrait, matte=torch.ones(portrait.photo.shape[:2])))
    assert all(measure.value is None and "fills the picture" in measure.detail for measure in full)


def test_a_small_matte_does_as_well(portrait, alpha):
    whole = painted(portrait, torch.full_like(portrait.photo, 0.85), alpha)
    small = torch.nn.functional.avg_pool2d(alpha[None, None], 4)[0, 0]
    for name, value in wall_values(dataclasses.replace(whole, matte=small), "#fff").items():
        assert value == pytest.approx(wall_values(whole, "#fff")[name], abs=0.6), name
