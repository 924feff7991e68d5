"""Pictures as files: profile, resolution, texts, and sizes between limits."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from likeness_studio.core.errors import PhotoTooLarge, ShapeMismatch
from likeness_studio.core.errors.formats import FileSizeOutOfReach, MetadataTooLong
from likeness_studio.core.imaging import LOWEST_QUALITY, encode_picture, srgb_profile, to_pil

FORMS = ("jpeg", "png", "webp")
X_RESOLUTION, Y_RESOLUTION, UNIT = 0x011A, 0x011B, 0x0128


def read(encoded) -> Any:
    image = Image.open(io.BytesIO(encoded.data))
    image.load()
    return image


@pytest.mark.parametrize("form", FORMS)
def test_the_profile_is_srgb_and_fixed(demo, form):
    first, second = encode_picture(demo, form), encode_picture(demo, form)
    assert first.data == second.data
    assert read(first).info["icc_profile"] == srgb_profile()
    profile: Any = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
    assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert profile.profile.creation_date.year == 2026


@pytest.mark.parametrize("dpi", [300, 600, 299.72])
def test_the_resolution_is_read_back(demo, dpi):
    jpeg = read(encode_picture(demo, "jpeg", dpi=dpi))
    assert jpeg.info["dpi"] == (round(dpi), round(dpi))
    assert jpeg.info["jfif_unit"] == 1
    for form in ("jpeg", "webp"):
        exif = read(encode_picture(demo, form, dpi=dpi)).getexif()
        assert float(exif[X_RESOLUTION]) == float(exif[Y_RESOLUTION]) == pytest.approx(dpi, abs=5e-4)
        assert exif[UNIT] == 2
    png = read(encode_picture(demo, "png", dpi=dpi))
    assert png.info["dpi"] == pytest.approx((dpi, dpi), abs=0.02)


def test_without_a_resolution_none_is_claimed(demo):
    for form in FORMS:
        image = read(encode_picture(demo, form))
        assert image.info.get("dpi") in (None, (1, 1))
        assert not image.getexif()


def test_png_keeps_the_pixels_as_save_image_rounds_them(demo):
    assert np.array_equal(np.asarray(read(encode_picture(demo, "png"))), np.asarray(to_pil(demo)))


def test_colour_is_kept_at_full_resolution_down_to_quality_80(demo):
    def sampling(quality):
        return {layer[1:3] for layer in read(encode_picture(demo, "jpeg", quality=quality)).layer}

    assert sampling(80) == {(1, 1)}
    assert sampling(79) == {(2, 2), (1, 1)}


@pytest.mark.parametrize("form", ["jpeg", "webp"])
@pytest.mark.parametrize("limit", [26_000, 40_000, 60_000])
def test_the_highest_quality_under_a_limit_is_found(demo, form, limit):
    found = encode_picture(demo, form, max_bytes=limit, dpi=300)
    assert len(found.data) <= limit
    assert found.quality is not None
    assert LOWEST_QUALITY <= found.quality <= 95
    if found.quality < 95:
        assert len(encode_picture(demo, form, quality=found.quality + 1, dpi=300).data) > limit


@pytest.mark.parametrize("limit", [130_000, 180_000, 240_000])
def test_the_lowest_quality_over_a_limit_is_found(demo, limit):
    found = encode_picture(demo, "jpeg", min_bytes=limit)
    assert len(found.data) >= limit
    assert found.quality is not None
    assert found.quality > 95
    assert len(encode_picture(demo, "jpeg", quality=found.quality - 1).data) < limit


def test_a_range_of_sizes_as_documents_have_it(demo):
    found = encode_picture(demo, "jpeg", min_bytes=10_000, max_bytes=240_000)
    assert found.quality == 95
    narrow = encode_picture(demo, "jpeg", min_bytes=54_000, max_bytes=60_000)
    assert 54_000 <= len(narrow.data) <= 60_000


def test_a_size_that_cannot_be_reached_is_refused_with_what_was(demo):
    smallest = len(encode_picture(demo, "jpeg", quality=LOWEST_QUALITY).data)
    with pytest.raises(FileSizeOutOfReach, match=rf"smallest file is {smallest} bytes \(quality 40\).*5000"):
        encode_picture(demo, "jpeg", max_bytes=5000)
    with pytest.raises(FileSizeOutOfReach, match=r"largest file is \d+ bytes \(quality 100\)"):
        encode_picture(demo, "jpeg", min_bytes=1_000_000)
    with pytest.raises(FileSizeOutOfReach, match="save it as JPEG"):
        encode_picture(demo, "png", max_bytes=100_000)
    with pytest.raises(FileSizeOutOfReach, match="more pixels"):
        encode_picture(torch.zeros(8, 8, 3), "png", min_bytes=100_000)
    with pytest.raises(FileSizeOutOfReach, match="No quality from 40 to 100 gives a file of 29999 to 30000 bytes"):
        encode_picture(demo, "jpeg", max_bytes=30_000, min_bytes=29_999)


def test_a_quality_that_was_asked_for_is_not_raised_by_a_largest_size(demo):
    assert encode_picture(demo, "jpeg", quality=20, max_bytes=240_000).quality == 20


@pytest.mark.parametrize("form", FORMS)
def test_xmp_and_texts_are_read_back(demo, form):
    packet = "<x:xmpmeta xmlns:x='adobe:ns:meta/'>ä</x:xmpmeta>".encode()
    image = read(encode_picture(demo, form, xmp=packet, text={"prompt": '{"1": {}}', "workflow": "[]"}))
    assert image.info["xmp"] == packet
    if form == "png":
        assert image.text["prompt"] == '{"1": {}}'
        assert image.text["workflow"] == "[]"
    else:
        assert image.getexif()[0x0110] == 'prompt:{"1": {}}'
        assert image.getexif()[0x010F] == "workflow:[]"


def test_what_does_not_fit_into_jpeg_is_refused(demo):
    long = "x" * 70_000
    with pytest.raises(
        MetadataTooLong,
        match=r"^JPEG holds 65533 bytes of EXIF and the workflow needs \d+; save as PNG or without it\.$",
    ):
        encode_picture(demo, "jpeg", text={"prompt": long})
    with pytest.raises(
        MetadataTooLong, match=r"^JPEG holds 65533 bytes of XMP and this packet has \d+; save as PNG\.$"
    ):
        encode_picture(demo, "jpeg", xmp=long.encode())
    assert read(encode_picture(demo, "png", text={"prompt": long}, xmp=long.encode())).text["prompt"] == long
    assert read(encode_picture(demo, "webp", text={"prompt": long})).getexif()[0x0110] == f"prompt:{long}"


def test_noise_at_the_highest_quality_is_encoded():
    noise = torch.rand(300, 400, 3, generator=torch.Generator().manual_seed(0))
    for form in FORMS:
        assert read(encode_picture(noise, form, quality=100, dpi=300)).size == (400, 300)


def test_a_wrong_shape_and_too_many_pixels_are_refused():
    with pytest.raises(ShapeMismatch):
        encode_picture(torch.zeros(1, 8, 8, 3), "png")
    with pytest.raises(PhotoTooLarge, match="16383"):
        encode_picture(torch.zeros(1, 16_384, 3), "webp")
