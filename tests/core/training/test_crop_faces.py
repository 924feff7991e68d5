"""Squares round faces and buckets lie inside their photos, faces stay in them, and nothing is enlarged unasked."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace

import pytest
from click.testing import CliRunner
from PIL import Image

from likeness_studio.core.errors import Interrupted
from likeness_studio.core.files import file_sha256
from likeness_studio.core.provenance.origin import origin_of
from likeness_studio.core.training.crop_faces import box_of_bucket, box_round_face, buckets, nearest_bucket
from likeness_studio.core.training.data import load_manifest, save_manifest
from likeness_studio.runner.api.dataset_photos import crop_dataset
from likeness_studio.runner.cli import main


@pytest.mark.parametrize("size", [64, 256, 512, 768, 1000, 1024, 2048])
def test_buckets_are_of_the_size_and_of_sides_in_steps(size):
    found = buckets(size)
    assert (size // 64 * 64, size // 64 * 64) in found
    for width, height in found:
        assert width % 64 == height % 64 == 0
        assert width * height <= size * size
        assert width * height > 0.7 * (size // 64 * 64) ** 2
        assert max(width, height) <= 2 * min(width, height)
        assert (height, width) in found, "portraits and landscapes alike"


def test_the_nearest_bucket_has_the_photos_proportions():
    assert nearest_bucket(1000, 1000, 512) == (512, 512)
    assert nearest_bucket(3000, 4000, 512) == (448, 576)
    assert nearest_bucket(4000, 3000, 512) == (576, 448)
    assert nearest_bucket(100, 5000, 512) == (384, 640), "the narrowest there is"


@pytest.mark.parametrize("seed", range(200))
def test_boxes_lie_in_the_photo_and_hold_the_face(seed):
    draw = random.Random(seed)
    width, height = draw.randint(40, 3000), draw.randint(40, 3000)
    wide = draw.uniform(5, min(width, height) / 1.3)
    high = wide * draw.uniform(1, 1.3)
    face = (draw.uniform(0, width - wide), draw.uniform(0, height - high), wide, high)
    square = box_round_face(face, width, height)
    target = nearest_bucket(width, height, 512)
    bucket = box_of_bucket(target, face, width, height)
    assert square[2] == square[3]
    assert bucket[2] / bucket[3] == pytest.approx(target[0] / target[1])
    assert bucket[2] == pytest.approx(width) or bucket[3] == pytest.approx(height), "as much as there is"
    for left, top, across, down in (square, bucket):
        assert -1e-6 <= left <= left + across <= width + 1e-6
        assert -1e-6 <= top <= top + down <= height + 1e-6
    left, top, side, _ = square
    assert left <= face[0] + 1e-6
    assert face[0] + wide <= left + side + 1e-6
    assert top <= face[1] + 1e-6
    assert face[1] + high <= top + side + 1e-6


def call(*words):
    return CliRunner().invoke(main, ["dataset", "crop", *map(str, words)])


@pytest.fixture
def photos(astronaut, tmp_path):
    """A photo, a small copy of it in a folder of its own, and one that shows nobody."""
    folder = tmp_path / "photos"
    (folder / "small").mkdir(parents=True)
    shutil.copy(astronaut, folder / "me.jpg")
    with Image.open(astronaut) as photo:
        photo.resize((200, 200)).save(folder / "small" / "me.jpg")
    Image.new("RGB", (600, 400), "grey").save(folder / "wall.png")
    return folder


@pytest.mark.models
def test_squares_round_the_face(photos, tmp_path):
    before = {path: file_sha256(path) for path in photos.rglob("*.*")}
    outcome = call(photos, "-o", tmp_path / "cut", "--size", 192)
    assert outcome.exit_code == 0, outcome.output
    assert "wall.png: No face was found." in outcome.output
    assert "small/me.jpg: It would be enlarged" in outcome.output
    made = load_manifest(tmp_path / "cut" / "photos.jsonl")
    (photo,) = made.photos
    assert made.unchanged_path(photo) == made.path(photo)
    assert (photo.file, photo.width, photo.height) == ("me.png", 192, 192)
    with Image.open(made.path(photo)) as picture:
        assert picture.size == (192, 192)
    assert photo.face is not None
    left, top, width, height = photo.face
    assert 0.35 < width / 192 < 0.6
    assert abs(left + width / 2 - 96) < 10
    assert top > 20
    assert top + height < 180
    assert origin_of(made.path(photo)).generative == origin_of(photos / "me.jpg").generative
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "cut").iterdir()} == {0}
    assert {path: file_sha256(path) for path in photos.rglob("*.*")} == before


@pytest.mark.models
def test_whole_photos_in_buckets_and_names_that_do_not_clash(photos, tmp_path):
    outcome = call(photos, "-o", tmp_path / "cut", "--size", 256, "--whole", "--enlarge", 2, "--json")
    result = json.loads(outcome.stdout.splitlines()[-1])
    assert (result["photos"], result["left_out"]) == (3, [])
    made = load_manifest(tmp_path / "cut" / "photos.jsonl")
    assert {(each.file, each.width, each.height) for each in made.photos} == {
        ("me.png", 256, 256), ("small-me.png", 256, 256), ("wall.png", 320, 192),
    }  # fmt: skip


@pytest.mark.models
def test_a_folder_that_is_there_and_photos_that_all_lack_a_face(photos, tmp_path):
    assert call(photos, "-o", photos).exit_code == 2
    (photos / "me.jpg").unlink()
    outcome = call(photos, "-o", tmp_path / "cut")
    assert outcome.exit_code == 1
    assert "No photo of" in outcome.output


@pytest.mark.models
def test_what_was_stopped_or_has_nothing_to_cut_leaves_no_folder(photos, tmp_path):
    out, seen = tmp_path / "cut", []
    with pytest.raises(Interrupted):
        crop_dataset(photos, out, size=64, on_photo=lambda *at: seen.append(at), stopped=lambda: len(seen) > 1)
    assert not out.exists()
    made = crop_dataset(photos, out, size=64)
    empty = save_manifest(replace(made.manifest, photos=()), tmp_path / "none.jsonl")
    outcome = call(empty, "-o", tmp_path / "again")
    assert outcome.exit_code == 1
    assert "for it has none" in outcome.output
    assert not (tmp_path / "again").exists()
