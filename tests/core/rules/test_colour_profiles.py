"""Photos with other colours than sRGB are read right or refused, on every way into the studio."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from likeness_studio.core.errors import PhotoUnreadable
from likeness_studio.core.id_photo import FileSource
from likeness_studio.core.imaging import load_photo
from likeness_studio.core.imaging.colour_profiles import is_srgb
from likeness_studio.runner.backends.comfy.uploads import checked_image
from likeness_studio.runner.report.pictures import small_jpeg

SKIN = (204, 150, 125)
"""sRGB of light skin."""

COLUMNS = {b"rXYZ": (0.5151, 0.2412, -0.0011), b"gXYZ": (0.2920, 0.6922, 0.0419), b"bXYZ": (0.1571, 0.0666, 0.7841)}
"""Red, green and blue of Display P3 (SMPTE EG 432-1), adapted to D50."""


def wide_profile():
    """An ICC profile with the primaries of Display P3, made from that of sRGB."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for index in range(int.from_bytes(data[128:132], "big")):
        entry = 132 + 12 * index
        tag, offset = bytes(data[entry : entry + 4]), int.from_bytes(data[entry + 4 : entry + 8], "big")
        for place, value in enumerate(COLUMNS.get(tag, ())):
            at = offset + 8 + 4 * place
            data[at : at + 4] = round(value * 65536).to_bytes(4, "big", signed=True)
        if tag == b"desc":
            end = offset + int.from_bytes(data[entry + 8 : entry + 12], "big")
            name = bytes(data[offset:end]).replace("sRGB".encode("utf-16-be"), "Wide".encode("utf-16-be"))
            data[offset:end] = name.replace(b"sRGB", b"Wide")
    return bytes(data)


OLD = (0, 3, 64)
"""A ComfyUI that reads photos with Pillow."""


def wide(colour) -> Any:
    """A picture of one sRGB colour as a file with the wide profile holds it."""
    plain, target = Image.new("RGB", (96, 80), colour), ImageCms.ImageCmsProfile(io.BytesIO(wide_profile()))
    return ImageCms.profileToProfile(plain, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")), target)


def near(tensor, colour, within=1.6):
    return float((tensor.reshape(-1, 3).mean(0) * 255 - torch.tensor(colour, dtype=torch.float32)).abs().max()) < within


def region(path):
    source = FileSource(path)
    return source.region((0, 0, source.width, source.height))[0].permute(1, 2, 0)


def test_a_wide_profile_is_converted_on_every_way(tmp_path):
    path = tmp_path / "wide.png"
    picture = wide(SKIN)
    assert max(abs(a - b) for a, b in zip(picture.getpixel((5, 5)), SKIN, strict=True)) > 5, "else nothing is tested"
    picture.save(path, icc_profile=wide_profile())
    sent = checked_image(path, tmp_path / "spare", OLD)
    assert sent != path
    with Image.open(sent) as copy:
        assert is_srgb(copy.info["icc_profile"])
    small = small_jpeg(path, 64)
    assert small is not None
    thumb = torch.tensor(np.array(Image.open(io.BytesIO(small[0])))) / 255
    for found in (load_photo(path)[0], region(path), load_photo(sent)[0], thumb):
        assert near(found, SKIN, 2.5)


def test_an_srgb_profile_changes_nothing(tmp_path):
    path = tmp_path / "plain.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(pixels).save(path, icc_profile=profile)
    assert torch.equal((load_photo(path)[0][0] * 255).round().byte(), torch.from_numpy(pixels))
    assert checked_image(path, tmp_path / "spare", OLD) == path


def test_transparency_is_kept_beside_a_profile(tmp_path):
    path = tmp_path / "clear.png"
    picture = wide(SKIN).convert("RGBA")
    picture.putalpha(64)
    picture.save(path, icc_profile=wide_profile())
    image, mask = load_photo(path)
    assert near(image, SKIN)
    assert float(mask.mean()) == pytest.approx(1 - 64 / 255, abs=0.01)


def test_lab_is_a_colour_and_no_transparency(tmp_path):
    path = tmp_path / "lab.tif"
    spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB", 5000)
    lab: Any = ImageCms.profileToProfile(Image.new("RGB", (64, 48), SKIN), *spaces, outputMode="LAB")
    lab.save(path)
    image, mask = load_photo(path)
    assert float(mask.max()) == 0
    for found in (image, region(path), load_photo(checked_image(path, tmp_path / "spare", OLD))[0]):
        assert near(found, SKIN, 3)


@pytest.mark.parametrize("top", [1.0, 255.0])
def test_floating_point_is_scaled(tmp_path, top):
    path = tmp_path / "float.tif"
    values = np.linspace(0, top, 64 * 48, dtype=np.float32).reshape(48, 64)
    Image.fromarray(values).save(path)
    image, _ = load_photo(path)
    assert float((image[0, ..., 0] - torch.from_numpy(values / top)).abs().max()) < 0.005


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 4000.0)])
def test_floating_point_of_another_range_is_refused_with_it(tmp_path, low, high):
    path = tmp_path / "hdr.tif"
    Image.fromarray(np.linspace(low, high, 4096, dtype=np.float32).reshape(64, 64)).save(path)
    with pytest.raises(PhotoUnreadable, match=f"from {low:g} to {high:g}"):
        load_photo(path)


def test_heic_is_read_and_sent_as_png(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    heif.register_heif_opener()
    path = tmp_path / "phone.HEIC"
    Image.new("RGB", (128, 96), SKIN).save(path, format="HEIF", quality=95)
    sent = checked_image(path, tmp_path / "spare", OLD)
    assert sent.suffix == ".png"
    for found in (load_photo(path)[0], region(path), load_photo(sent)[0]):
        assert near(found, SKIN, 4)


def test_a_heic_is_named_where_nothing_reads_it(tmp_path, monkeypatch):
    from likeness_studio.core.imaging import files

    monkeypatch.setattr(files, "picture_formats", lambda: ("JPEG", "PNG"))
    path = tmp_path / "phone.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))
    with pytest.raises(PhotoUnreadable, match=r"phone\.jpg .*HEIC photo.*pip install pillow-heif"):
        load_photo(path)


def test_what_runs_a_program_is_never_opened(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with pytest.raises(PhotoUnreadable, match="PostScript"):
        load_photo(path)
