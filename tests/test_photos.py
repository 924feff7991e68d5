"""Photo files of every awkward kind are read right or refused with a clear sentence."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from likeness_studio.core.errors import PhotoMissing, PhotoTooLarge, PhotoUnreadable
from likeness_studio.core.imaging import check_whole, load_photo
from likeness_studio.core.imaging import files as photo_files

DEMO = Path(__file__).parents[1] / "runner" / "demo.jpg"


@pytest.fixture
def picture():
    return Image.open(DEMO).convert("RGB").resize((96, 128))


def plain(picture):
    return torch.from_numpy(np.asarray(picture, np.float32) / 255)[None]


def test_rgb_is_unit_float_and_without_transparency_the_mask_is_empty(picture, tmp_path):
    picture.save(tmp_path / "a.png")
    image, mask = load_photo(tmp_path / "a.png")
    torch.testing.assert_close(image, plain(picture))
    assert image.dtype == torch.float32
    assert mask.shape == (1, 64, 64)
    assert float(mask.max()) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(picture, tmp_path, orientation):
    turned = {
        1: picture,
        2: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: picture.transpose(Image.Transpose.ROTATE_180),
        4: picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: picture.transpose(Image.Transpose.TRANSPOSE),
        6: picture.transpose(Image.Transpose.ROTATE_90),
        7: picture.transpose(Image.Transpose.TRANSVERSE),
        8: picture.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned.save(tmp_path / "a.png", exif=exif)
    torch.testing.assert_close(load_photo(tmp_path / "a.png")[0], plain(picture))


def test_sixteen_bit_grayscale_keeps_its_tones(tmp_path):
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16)[None].repeat(8, 0)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    image = load_photo(tmp_path / "a.png")[0]
    np.testing.assert_allclose(image[0, 0, :, 0].numpy(), np.arange(256) / 255, atol=1 / 255)


def test_cmyk_becomes_rgb(picture, tmp_path):
    picture.convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    image = load_photo(tmp_path / "a.jpg")[0]
    assert float((image - plain(picture)).abs().mean()) < 0.03


def test_grayscale_becomes_three_equal_channels(picture, tmp_path):
    picture.convert("L").save(tmp_path / "a.png")
    image = load_photo(tmp_path / "a.png")[0]
    assert image.shape == (1, 128, 96, 3)
    assert torch.equal(image[..., 0], image[..., 2])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_becomes_the_mask(picture, tmp_path, mode):
    alpha = Image.new("L", picture.size, 255)
    alpha.paste(0, (0, 0, 48, 128))
    whole = picture.copy()
    whole.putalpha(alpha)
    whole = whole.quantize(64, method=Image.Quantize.FASTOCTREE) if mode == "P" else whole.convert(mode)
    whole.save(tmp_path / "a.png")
    mask = load_photo(tmp_path / "a.png")[1]
    assert mask.shape == (1, 128, 96)
    assert float(mask[0, :, :40].min()) == 1
    assert float(mask[0, :, 56:].max()) == 0


def test_an_animation_is_a_batch(picture, tmp_path):
    frames = [picture, picture.transpose(Image.Transpose.ROTATE_180)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert load_photo(tmp_path / "a.webp")[0].shape == (2, 128, 96, 3)


def test_a_truncated_jpeg_is_refused(tmp_path):
    (tmp_path / "half.jpg").write_bytes(DEMO.read_bytes()[:40_000])
    with pytest.raises(
        PhotoUnreadable,
        match=r"^half\.jpg cannot be decoded \(image file is truncated \(\d+ bytes not "
        r"processed\)\); save it again as JPEG or PNG\.$",
    ):
        load_photo(tmp_path / "half.jpg")


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_picture_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(PhotoUnreadable, match=r"a\.png"):
        load_photo(tmp_path / "a.png")


def test_a_missing_photo_is_named(tmp_path):
    with pytest.raises(PhotoMissing, match=r"nobody\.jpg"):
        load_photo(tmp_path / "nobody.jpg")


def test_too_many_pixels_are_refused_before_decoding(picture, tmp_path, monkeypatch):
    picture.save(tmp_path / "a.png")
    monkeypatch.setattr(photo_files, "MAX_PIXELS", 1000)
    with pytest.raises(PhotoTooLarge, match="96 x 128"):
        load_photo(tmp_path / "a.png")
    with pytest.raises(PhotoTooLarge, match="96 x 128"):
        check_whole(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tif", "bmp"])
def test_a_whole_file_is_told_from_one_that_is_cut_off(picture, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    picture.save(path)
    whole = path.read_bytes()
    check_whole(path)
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(PhotoUnreadable, match=f"a.{suffix}"):
        check_whole(path)


def test_what_cameras_add_behind_the_picture_is_no_damage(picture, tmp_path):
    picture.save(tmp_path / "a.jpg")
    (tmp_path / "motion.jpg").write_bytes((tmp_path / "a.jpg").read_bytes() + b"\0" * 100_000)
    check_whole(tmp_path / "motion.jpg")


def test_a_whole_photo_is_not_decoded(picture, tmp_path, monkeypatch):
    for suffix in ("jpg", "png"):
        picture.save(tmp_path / f"a.{suffix}")
        with Image.open(tmp_path / f"a.{suffix}") as opened, monkeypatch.context() as patch:
            patch.setattr(type(opened), "load", lambda self: pytest.fail("decoded"))
            check_whole(tmp_path / f"a.{suffix}")
