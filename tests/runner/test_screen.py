"""Photos on their way to a server: refused, changed or left alone before they are sent."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from likeness_studio.core.errors import PhotoTooLarge, PhotoUnreadable
from likeness_studio.core.imaging import files as photo_files
from likeness_studio.runner.backends.comfy.uploads import checked_image
from likeness_studio.runner.errors import OutputUnwritable


@pytest.fixture
def spare(tmp_path):
    return tmp_path / "spare"


def test_a_sound_photo_is_left_alone(astronaut, spare):
    assert checked_image(astronaut, spare) == astronaut
    assert not spare.exists()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tiff", "bmp"])
def test_every_kind_that_ends_too_early_is_refused(astronaut, tmp_path, spare, suffix):
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    with Image.open(astronaut) as picture:
        picture.save(whole)
    assert checked_image(whole, spare) == whole
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(PhotoUnreadable, match=rf"cut\.{suffix} "):
        checked_image(cut, spare)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff" + bytes(range(256)) * 10])
def test_what_is_no_picture_is_refused_without_naming_a_folder(tmp_path, spare, content):
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoUnreadable) as caught:
        checked_image(path, spare)
    assert str(tmp_path) not in str(caught.value)


def test_sixteen_bits_are_scaled_as_the_local_engine_does(astronaut, tmp_path, spare):
    from likeness_studio.core.imaging import load_photo

    with Image.open(astronaut) as picture:
        values = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    path = tmp_path / "deep.png"
    Image.fromarray(values).save(path)
    with Image.open(checked_image(path, spare)) as copy:
        sent = np.asarray(copy.convert("RGB"))
    here, _ = load_photo(path)
    assert np.abs(sent / 255.0 - here[0].numpy()).max() < 1e-6


def test_a_picture_of_too_many_pixels_is_refused(astronaut, spare, monkeypatch):
    monkeypatch.setattr(photo_files, "MAX_PIXELS", 1000)
    with pytest.raises(PhotoTooLarge, match="512 x 512"):
        checked_image(astronaut, spare)


def test_a_copy_that_cannot_be_written_is_not_the_photos_fault(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputUnwritable, match=r"copy of deep\.png"):
        checked_image(path, tmp_path / "file" / "spare")
