"""Pictures that are small as files and large in memory or in time: refused before they are decoded."""

from __future__ import annotations

import io
import time
import tracemalloc
import zlib

import pytest
from PIL import Image

from likeness_studio.core.errors import PhotoTooLarge
from likeness_studio.core.imaging import files
from likeness_studio.core.imaging.files import check_whole, load_on_white, load_photo


@pytest.fixture(params=[("a.gif", {}), ("a.tif", {"compression": "tiff_deflate"}), ("a.webp", {"lossless": True})])
def animation(request, tmp_path):
    """A hundred frames of 1500 x 1500 that differ from the first in a pixel."""
    name, options = request.param
    first = Image.new("L", (1500, 1500))
    others = []
    for number in range(99):
        others.append(first.copy())
        others[-1].putpixel((number, 0), 255)
    first.save(tmp_path / name, save_all=True, append_images=others, **options)
    return tmp_path / name


def test_frames_count_together(animation):
    began = time.process_time()
    with pytest.raises(PhotoTooLarge, match="100 frames of 1500 x 1500"):
        load_photo(animation)
    assert time.process_time() - began < 5


def test_where_one_picture_is_wanted_one_is_decoded(animation):
    assert load_photo(animation, first=True)[0].shape == (1, 1500, 1500, 3)
    assert load_on_white(animation).shape == (1500, 1500, 3)


def test_a_later_page_may_not_be_larger_than_a_picture_may_be(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_PIXELS", 100_000)
    Image.new("L", (9, 9)).save(tmp_path / "a.tif", save_all=True, append_images=[Image.new("L", (500, 500))])
    with pytest.raises(PhotoTooLarge, match="500 x 500"):
        load_photo(tmp_path / "a.tif")


@pytest.mark.parametrize("size", [(1, 70_000), (70_000, 1), (1, 100_000_000), (10_001, 10_000)])
def test_a_line_of_pixels_and_too_many_are_refused_before_decoding(tmp_path, size):
    small = io.BytesIO()
    Image.new("1", (1, 1)).save(small, "PNG")
    data = bytearray(small.getvalue())
    data[16:24] = size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(bytes(data))
    load = (load_photo, check_whole)
    tracemalloc.start()
    for look in load:
        with pytest.raises(PhotoTooLarge):
            look(tmp_path / "a.png")
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_a_jpeg_of_two_thousand_scans_is_refused_before_decoding(tmp_path):
    buffer = io.BytesIO()
    Image.new("L", (2000, 2000), 90).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    (tmp_path / "a.jpg").write_bytes(data[:-2] + scan * 2000 + data[-2:])
    began = time.process_time()
    for look in (load_photo, check_whole):
        with pytest.raises(PhotoTooLarge, match="scans"):
            look(tmp_path / "a.jpg")
    assert time.process_time() - began < 1
    (tmp_path / "b.jpg").write_bytes(data)
    assert load_photo(tmp_path / "b.jpg")[0].shape == (1, 2000, 2000, 3)


def test_the_numbers_of_a_photo_are_in_memory_once(tmp_path):
    Image.effect_noise((2000, 2000), 50).convert("RGB").save(tmp_path / "a.bmp")
    load_photo(tmp_path / "a.bmp")
    tracemalloc.start()
    pictures, _ = load_photo(tmp_path / "a.bmp")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.6 * pictures.numel() * 4


def test_frames_of_which_some_are_transparent_are_one_batch(tmp_path):
    clear = Image.new("RGBA", (9, 9), (255, 0, 0, 0))
    Image.new("RGB", (9, 9)).save(tmp_path / "a.tif", save_all=True, append_images=[clear, Image.new("RGB", (5, 5))])
    pictures, masks = load_photo(tmp_path / "a.tif")
    assert pictures.shape == (2, 9, 9, 3)
    assert masks.mean(dim=(1, 2)).tolist() == [0, 1]


def gif_of(count):
    buffer = io.BytesIO()
    Image.new("P", (1, 1)).save(buffer, "GIF")
    data = buffer.getvalue()
    start = data.index(b",")
    return data[:start] + data[start:-1] * count + data[-1:]


def tiff_of(count):
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "TIFF")
    data = bytearray(buffer.getvalue())
    start = int.from_bytes(data[4:8], "little")
    page = data[start : start + 2 + 12 * int.from_bytes(data[start : start + 2], "little")]
    data[4:8] = len(data).to_bytes(4, "little")
    for _ in range(count):
        data += page + (len(data) + len(page) + 4).to_bytes(4, "little")
    data[-4:] = bytes(4)
    return bytes(data)


@pytest.mark.parametrize("make", [gif_of, tiff_of])
def test_tens_of_thousands_of_tiny_frames_are_refused_without_counting_them(tmp_path, monkeypatch, make):
    (tmp_path / "a").write_bytes(make(60_000))
    began = time.process_time()
    with pytest.raises(PhotoTooLarge, match="more than 2,000 frames"):
        load_photo(tmp_path / "a")
    assert time.process_time() - began < 3
    monkeypatch.setattr(files, "MAX_FRAMES", 3)
    (tmp_path / "b").write_bytes(make(3))
    assert load_photo(tmp_path / "b")[0].shape[0] == 3
    (tmp_path / "b").write_bytes(make(4))
    with pytest.raises(PhotoTooLarge):
        load_photo(tmp_path / "b")
