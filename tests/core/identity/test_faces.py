"""Geometry that needs no weights: alignment, decoding, suppression."""

import numpy as np
import pytest
import torch

from likeness_studio.core.faces import ARCFACE_TEMPLATE, INPUT, Face, Letterbox, align, decode, suppress
from likeness_studio.core.imaging import block_mean, double, similarity


def moved(points: np.ndarray, degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.radians(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T + shift


def test_a_similarity_is_recovered_exactly():
    a, b = similarity(moved(ARCFACE_TEMPLATE, 25, 3.0, (40, -7)), ARCFACE_TEMPLATE)
    assert abs(a) == pytest.approx(1 / 3)
    assert np.degrees(np.angle(a)) == pytest.approx(-25)
    assert a * complex(40, -7) + b == pytest.approx(0)


def test_alignment_is_the_identity_for_a_face_that_already_sits_on_the_template():
    image = torch.rand(112, 112, 3, generator=torch.Generator().manual_seed(1))
    crop = align(image, ARCFACE_TEMPLATE)
    torch.testing.assert_close(crop.permute(1, 2, 0), image, atol=1e-4, rtol=0)


def test_alignment_undoes_rotation_and_scale():
    ramp = torch.linspace(0, 1, 600)
    image = torch.stack([ramp[None].expand(600, 600), ramp[:, None].expand(600, 600), torch.zeros(600, 600)], -1)
    landmarks = moved(ARCFACE_TEMPLATE - 56, 30, 3.0, (300, 300))
    crop = align(image, landmarks)
    expected = moved(np.array([[80.0 - 56, 56.0 - 56]]), 30, 3.0, (300, 300))[0] / 599
    np.testing.assert_allclose(crop[:2, 56, 80].numpy(), expected, atol=0.004)


def test_a_face_much_larger_than_the_crop_does_not_alias():
    stripes = (torch.arange(1600) % 2).float()[None, :, None].expand(1600, 1600, 3)
    crop = align(stripes, ARCFACE_TEMPLATE * 14)
    assert float(crop.std()) < 0.06


def test_what_lies_outside_the_picture_is_black():
    crop = align(torch.ones(50, 50, 3), ARCFACE_TEMPLATE)
    assert float(crop[:, 100:, 100:].max()) == 0.0
    assert float(crop[:, 20, 20].min()) > 0.99


def test_letterbox_is_bgr_in_0_to_255_and_enlarges_small_photos_twice():
    red = torch.zeros(50, 25, 3)
    red[..., 0] = 1
    blob, scale = Letterbox().fit(red)
    assert scale == 2.0
    assert blob.shape == (1, 3, INPUT, INPUT)
    assert blob[0, 2, :100, :50].min() == 255.0
    assert blob[0, :2].max() == 0.0
    assert Letterbox().fit(torch.zeros(2560, 1280, 3))[1] == 0.25


def test_a_letterbox_that_is_used_again_keeps_nothing_of_the_last_picture():
    letterbox = Letterbox()
    letterbox.fit(torch.ones(600, 640, 3))
    blob, _ = letterbox.fit(torch.ones(400, 500, 3))
    assert blob[0, :, :400, :500].min() == 255.0
    assert blob[0, :, 400:].max() == 0.0
    assert blob[0, :, :, 500:].max() == 0.0


def test_decode_places_a_box_and_its_landmarks():
    outputs = [
        np.zeros((1, (INPUT // stride) ** 2, size), np.float32) for size in (1, 1, 4, 10) for stride in (8, 16, 32)
    ]
    cell = 3 * 40 + 5
    outputs[1][0, cell] = outputs[4][0, cell] = 0.9
    outputs[7][0, cell] = [0.5, 0.5, np.log(4), np.log(6)]
    outputs[10][0, cell] = np.tile([1.0, 2.0], 5)
    (face,) = decode(outputs, scale=0.5, width=1280, height=1280)
    assert face.box == (112.0, 16.0, 240.0, 208.0)
    np.testing.assert_allclose(face.landmarks, np.tile([192.5, 160.5], (5, 1)))
    assert abs(face.score - 0.9) < 1e-6


def test_suppression_keeps_the_strongest_of_overlapping_boxes():
    box = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]], float)
    assert suppress(box, np.array([0.7, 0.9, 0.8])) == [1, 2]


def test_roll_and_size():
    face = Face((0, 0, 30, 40), np.array([[0, 0], [10, 10], [5, 8], [0, 12], [10, 12]], float), 1.0)
    assert face.size == 30
    assert abs(face.roll - 45) < 1e-9


@pytest.mark.parametrize(("block", "every"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)])
def test_block_means(block, every):
    pixels = np.random.default_rng(0).random((23, 17, 3), np.float32)
    means = block_mean(pixels, block)
    rows, columns = 23 // block, 17 // block
    blocks = pixels[: rows * block, : columns * block].reshape(rows, block, columns, block, 3)
    expected = blocks[:, ::every, :, ::every].mean((1, 3))
    np.testing.assert_allclose(means, expected.transpose(2, 0, 1), atol=1e-6)


def test_doubling_is_bilinear():
    planes = np.random.default_rng(0).random((3, 9, 7), np.float32)
    expected = torch.nn.functional.interpolate(torch.from_numpy(planes)[None], scale_factor=2, mode="bilinear")[0]
    doubled = np.empty((3, 18, 14), np.float32)
    double(planes, doubled)
    np.testing.assert_allclose(doubled, expected.numpy(), atol=1e-6)
