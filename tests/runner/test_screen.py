"""Photos on their way to a server: refused, changed or left alone before they are sent."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from likeness_studio.core.errors import PhotoTooLarge, PhotoUnreadable
from likeness_studio.core.imaging import files as photo_files
from likeness_studio.core.imaging import load_photo
from likeness_studio.runner.backends.comfy.uploads import checked_image
from likeness_studio.runner.backends.comfy.versions import NEWEST, comfyui_version, forgets_cached_reports
from likeness_studio.runner.errors import OutputUnwritable

OLD, NEW = (0, 3, 64), (0, 33, 0)
"""Versions of ComfyUI that read photos with Pillow and with PyAV."""


@pytest.fixture
def spare(tmp_path):
    return tmp_path / "spare"


def test_a_sound_photo_is_left_alone(astronaut, spare):
    assert checked_image(astronaut, spare, OLD) == astronaut
    assert not spare.exists()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tiff", "bmp"])
def test_every_kind_that_ends_too_early_is_refused(astronaut, tmp_path, spare, suffix):
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    with Image.open(astronaut) as picture:
        picture.save(whole)
    assert checked_image(whole, spare, OLD) == whole
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(PhotoUnreadable, match=rf"cut\.{suffix} "):
        checked_image(cut, spare, OLD)


WRITTEN = {
    "jpg": {"subsampling": 2},
    "webp": {"quality": 80},
    "bmp": {},
    "tiff": {},
    "gif": {},
}


@pytest.mark.parametrize("suffix", WRITTEN)
def test_a_server_with_a_video_decoder_gets_the_same_pixels_in_a_file_that_it_reads_exactly(
    astronaut, tmp_path, spare, suffix
):
    path = tmp_path / f"photo.{suffix}"
    with Image.open(astronaut) as picture:
        picture.crop((0, 0, 437, 311)).save(path, **WRITTEN[suffix])
    assert_same_pixels(path, checked_image(path, spare, NEW))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGB", "RGBA"])
def test_of_png_files_it_gets_those_in_colour_as_they_are(astronaut, tmp_path, spare, mode):
    path = tmp_path / "photo.png"
    with Image.open(astronaut) as picture:
        picture.convert("RGBA").convert(mode).save(path)
    sent = checked_image(path, spare, NEW)
    assert (sent == path) is (mode in ("RGB", "RGBA"))
    assert_same_pixels(path, sent)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_mirrored_photos_are_sent_upright(astronaut, tmp_path, spare, orientation):
    path, exif = tmp_path / "phone.jpg", Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    with Image.open(astronaut) as picture:
        picture.crop((0, 0, 400, 300)).save(path, exif=exif)
    sent = checked_image(path, spare, NEW)
    assert_same_pixels(path, sent)
    with Image.open(sent) as copy:
        assert ExifTags.Base.Orientation not in copy.getexif()
        assert copy.size == ((400, 300) if orientation < 5 else (300, 400))


def test_an_animation_keeps_its_frames(astronaut, tmp_path, spare):
    path = tmp_path / "moving.webp"
    with Image.open(astronaut) as picture:
        picture.save(path, save_all=True, append_images=[picture.transpose(Image.Transpose.ROTATE_90)])
    assert checked_image(path, spare, NEW) == path


def assert_same_pixels(path, sent):
    with Image.open(sent) as copy:
        assert (copy.format, copy.mode in ("RGB", "RGBA")) == ("PNG", True)
    for ours, theirs in zip(load_photo(path), load_photo(sent), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("said", "version"),
    [("0.3.64", OLD), ("0.33.0", NEW), ("v0.21.0-rc1", (0, 21, 0)), ("0.21", (0, 21)), ("unknown", NEWEST)],
)
def test_the_version_of_a_server(said, version):
    assert comfyui_version({"system": {"comfyui_version": said}}) == version


def test_which_versions_forget_what_cached_nodes_have_shown():
    versions = [OLD, (0, 3, 68), (0, 3, 76), (0, 18, 1), (0, 19, 0), NEW, NEWEST]
    assert [forgets_cached_reports(version) for version in versions] == [False, True, True, True, False, False, False]


@pytest.mark.parametrize("stats", [{}, {"system": None}, {"system": {}}])
def test_a_server_that_tells_no_version_counts_as_the_newest(stats):
    assert comfyui_version(stats) == NEWEST > NEW


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff" + bytes(range(256)) * 10])
def test_what_is_no_picture_is_refused_without_naming_a_folder(tmp_path, spare, content):
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoUnreadable) as caught:
        checked_image(path, spare, OLD)
    assert str(tmp_path) not in str(caught.value)


def test_sixteen_bits_are_scaled_as_the_local_engine_does(astronaut, tmp_path, spare):
    with Image.open(astronaut) as picture:
        values = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    path = tmp_path / "deep.png"
    Image.fromarray(values).save(path)
    with Image.open(checked_image(path, spare, OLD)) as copy:
        sent = np.asarray(copy.convert("RGB"))
    here, _ = load_photo(path)
    assert np.abs(sent / 255.0 - here[0].numpy()).max() < 1e-6


def test_a_picture_of_too_many_pixels_is_refused(astronaut, spare, monkeypatch):
    monkeypatch.setattr(photo_files, "MAX_PIXELS", 1000)
    with pytest.raises(PhotoTooLarge, match="512 x 512"):
        checked_image(astronaut, spare, OLD)


def test_a_copy_that_cannot_be_written_is_not_the_photos_fault(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputUnwritable, match=r"copy of deep\.png"):
        checked_image(path, tmp_path / "file" / "spare", OLD)


def test_an_animation_of_tens_of_thousands_of_frames_is_looked_at_in_a_moment(tmp_path):
    first = Image.new("P", (1, 1))
    first.save(tmp_path / "a.gif")
    data = (tmp_path / "a.gif").read_bytes()
    frame = data[data.index(b",") : -1]
    (tmp_path / "a.gif").write_bytes(data[:-1] + frame * 100_000 + data[-1:])
    began = time.process_time()
    assert checked_image(tmp_path / "a.gif", tmp_path / "spare", NEW) == tmp_path / "a.gif"
    assert time.process_time() - began < 3
