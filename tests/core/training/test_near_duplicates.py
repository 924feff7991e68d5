"""One picture saved again is found, two that only look alike are not, and many are compared quickly."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from likeness_studio.core.training.data import groups_of
from likeness_studio.core.training.near_duplicates import alike, look_at, near_pairs, same_pictures


@pytest.fixture(scope="module")
def picture(photo_folder):
    with Image.open(photo_folder / "astronaut.png") as opened:
        return opened.convert("RGB")


@pytest.fixture(scope="module")
def others(photo_folder):
    """Other photos, and other parts of the same."""
    found = []
    for file in sorted(photo_folder.iterdir()):
        with Image.open(file) as opened:
            whole = opened.convert("RGB")
        width, height = whole.size
        found += [whole.crop((x * width // 3, 0, x * width // 3 + width // 2, height // 2)) for x in range(2)]
        found += [whole] if file.stem != "astronaut" else []
    return found


def saved_again(picture):
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=40)
    return Image.open(held)


CHANGED = {
    "as it is": lambda picture: picture,
    "saved again": saved_again,
    "made smaller": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "lighter": lambda picture: picture.point([min(255, round(level * 1.08 + 5)) for level in range(256)] * 3),
    "of another gamma": lambda picture: picture.point([round(255 * (level / 255) ** 0.8) for level in range(256)] * 3),
    "grey": lambda picture: picture.convert("L"),
    "mirrored": lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_one_picture_is_found_again_among_others(picture, others, change):
    looks = [look_at(each) for each in (picture, *others, change(picture))]
    assert same_pictures(looks) == [(0, len(looks) - 1)]


def test_pictures_of_one_colour_are_one_and_no_others():
    flat = [Image.new("RGB", (40, 40), colour) for colour in ("red", "red", "blue")]
    looks = [look_at(each) for each in flat] + [look_at(Image.radial_gradient("L"))]
    assert same_pictures(looks) == [(0, 1), (0, 2)]
    assert alike(looks[0].grey, looks[3].grey) == 0


@pytest.mark.parametrize("near", [0, 3, 6, 9])
def test_near_pairs_are_all_that_are_near(near):
    random = np.random.default_rng(5)
    hashes = [int(value) for value in random.integers(0, 2**63, 300)]
    for place in range(0, 300, 3):
        hashes[place] = hashes[place + 1]
        for bit in random.choice(63, random.integers(0, 12), replace=False):
            hashes[place] ^= 1 << int(bit)
    expected = {
        (one, other, (hashes[one] ^ hashes[other]).bit_count())
        for one in range(300)
        for other in range(one + 1, 300)
        if (hashes[one] ^ hashes[other]).bit_count() <= near
    }
    assert set(near_pairs(hashes, near)) == expected
    assert len(expected) > 3


def test_fifty_thousand_are_compared_in_seconds():
    hashes = np.random.default_rng(1).integers(0, 2**63, 50_000)
    began = time.process_time()
    near_pairs(hashes.tolist())
    assert time.process_time() - began < 20


def test_thousands_of_equal_pictures_are_compared_in_seconds():
    looks = [look_at(Image.new("RGB", (40, 40), "red"))] * 20_000
    began = time.process_time()
    assert len(same_pictures(looks)) == 19_999
    assert time.process_time() - began < 10


def test_pairs_hang_together_in_groups():
    assert groups_of([(5, 1), (2, 3), (1, 7), (9, 9)]) == [[1, 5, 7], [2, 3], [9]]
    assert groups_of([]) == []
