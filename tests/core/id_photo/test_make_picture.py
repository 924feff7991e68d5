"""The picture itself: exact pixels, the right place, one resampling, and a background that leaves the person alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from likeness_studio.core.choices import Background, Size
from likeness_studio.core.errors import MatteMissing, PhotoUnreadable
from likeness_studio.core.errors.formats import AlterationForbidden, SizeNotDefined
from likeness_studio.core.id_photo import (
    Edits,
    FileSource,
    Head,
    TensorSource,
    choose_background,
    cut_out,
    in_picture,
    picture_size,
    replace_background,
)
from likeness_studio.core.id_photo.documents import document, documents
from likeness_studio.core.imaging import Cut, rotate

HEAD = Head((600.0, 500.0), 0.0, 600.0, 500.0, 680.0, 315.0, 290.0, 100.0, 5.0, 12.0, 4.0)


@pytest.mark.parametrize("name", documents())
@pytest.mark.parametrize("size", Size)
def test_sizes_are_exact(name, size):
    rules = document(name)
    there = {
        Size.AUTO: True,
        Size.PRINT: rules.width_mm is not None,
        Size.UPLOAD: rules.pixels is not None,
    }[size]
    if not there:
        with pytest.raises(SizeNotDefined, match=name):
            picture_size(rules, size)
        return
    width, height, dpi = picture_size(rules, size)
    if size is Size.UPLOAD or rules.width_mm is None:
        assert (width, height) == rules.pixels
    else:
        assert dpi == rules.dpi
        assert rules.height_mm is not None
        assert abs(width / dpi * 25.4 - rules.width_mm) <= 0.5 / dpi * 25.4 + 1e-9
        assert abs(height / dpi * 25.4 - rules.height_mm) <= 0.5 / dpi * 25.4 + 1e-9


def dotted(height, width, spots, radius=6.0):
    """White with a soft black dot at each place (x, y)."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    image = torch.ones(height, width)
    for spot_x, spot_y in spots:
        image = image - torch.exp(-((x - spot_x) ** 2 + (y - spot_y) ** 2) / (2 * radius**2))
    return image.clamp(0, 1)[..., None].expand(-1, -1, 3).contiguous()


def centroid(picture, near, reach):
    """The middle of the darkness round a place."""
    x0, y0 = (max(0, int(value - reach)) for value in near)
    dark = 1 - picture[0, y0 : y0 + 2 * reach, x0 : x0 + 2 * reach, 0]
    ys, xs = (torch.arange(count) + 0.5 for count in dark.shape)
    return float((dark.sum(0) * xs).sum() / dark.sum()) + x0, float((dark.sum(1) * ys).sum() / dark.sum()) + y0


@pytest.mark.parametrize("roll", [0.0, 9.0, -20.0])
@pytest.mark.parametrize("height", [60, 150, 531, 900])
def test_what_was_measured_is_where_the_picture_shows_it(roll, height):
    """Dots at the eyes' middle, chin and crown of a turned head, found again in the picture to a third of a pixel."""
    head = dataclasses.replace(HEAD, roll=roll)
    level = np.array([[head.centre, y] for y in (head.eyes, head.chin, head.crown)])
    photo = TensorSource(dotted(1200, 1200, rotate(level, head.pivot, roll)))
    cut = Cut(605.0, 510.0, 420.0, 540.0, head.pivot, roll)
    width = round(height * 420 / 540)
    picture, known = cut_out(photo, cut, height, width)
    placed = in_picture(head, cut, height / cut.height)
    assert float(known.min()) == 1
    for y in (placed.eyes, placed.chin, placed.crown):
        found = centroid(picture, (placed.centre, y), round(0.04 * height))
        assert found == pytest.approx((placed.centre, y), abs=0.34)


def test_a_frame_beyond_the_photo_says_so():
    photo = TensorSource(torch.rand(200, 100, 3))
    _, known = cut_out(photo, Cut(50.0, 50.0, 100.0, 200.0, (50.0, 50.0), 0.0), 100, 50)
    assert float(known[0, 0, :24].max()) == 0
    assert float(known[0, 0, 26:].min()) == 1


def rules_with(edits, colours=("#FFFFFF",)):
    return dataclasses.replace(document("icao"), edits=edits, background_colours=colours)


def test_where_edits_are_forbidden_plain_is_refused_by_name():
    rules = document("us-passport")
    with pytest.raises(AlterationForbidden, match="US passport"):
        choose_background(rules, Background.PLAIN, has_matte=True)
    colour, notes = choose_background(rules, Background.ALLOWED, has_matte=True)
    assert colour is None
    assert "U.S. Department of State" in notes[0]


def test_a_background_is_replaced_only_where_that_is_allowed_and_the_person_is_known():
    assert choose_background(rules_with(Edits.BACKGROUND), Background.ALLOWED, True) == ("#FFFFFF", [])
    assert choose_background(rules_with(Edits.BACKGROUND), Background.KEEP, True) == (None, [])
    assert choose_background(rules_with(Edits.ANY), Background.ALLOWED, True)[0] is None
    assert choose_background(rules_with(Edits.ANY), Background.PLAIN, True)[0] == "#FFFFFF"
    assert choose_background(rules_with(Edits.BACKGROUND), Background.ALLOWED, False)[0] is None
    with pytest.raises(MatteMissing):
        choose_background(rules_with(Edits.BACKGROUND), Background.PLAIN, has_matte=False)


def test_the_person_is_untouched_and_the_rest_is_one_colour():
    torch.manual_seed(0)
    picture = torch.rand(1, 300, 240, 3)
    y, x = torch.meshgrid(torch.arange(300), torch.arange(240), indexing="ij")
    coarse = ((90 - ((x - 120.0) ** 2 + (y - 170.0) ** 2).sqrt()) / 8 + 0.5).clamp(0, 1)[None]
    result, alpha = replace_background(picture, coarse, torch.ones(1, 300, 240), "#F0F0F0", 1.0)
    assert float((result - picture)[alpha == 1].abs().max()) == 0
    assert int((alpha == 1).sum()) > 10_000
    plain = result[alpha == 0]
    assert len(plain) > 20_000
    assert float((plain - 240 / 255).abs().max()) < 1e-6


def test_beyond_the_photo_there_is_background_only():
    picture, coarse, known = torch.rand(1, 80, 80, 3), torch.ones(1, 80, 80), torch.ones(1, 80, 80)
    known[:, :20] = 0
    result, alpha = replace_background(picture, coarse, known, "#FFFFFF", 1.0)
    assert float(alpha[:, :20].max()) == 0
    assert float(result[:, :20].min()) == 1


@pytest.fixture
def picture(tmp_path):
    """A photo of 30 x 20 pixels, different in every one."""
    values = np.random.default_rng(1).integers(0, 255, (20, 30, 3), np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(values).save(path)
    return path, values


def test_a_file_and_the_same_numbers_are_one_source(picture):
    path, values = picture
    file, numbers = FileSource(path), TensorSource(torch.from_numpy(values.astype(np.float32) / 255))
    assert (file.width, file.height) == (numbers.width, numbers.height) == (30, 20)
    assert torch.equal(file.region((3, 4, 20, 19)), numbers.region((3, 4, 20, 19)))
    for box in ((2, 4, 20, 16), (0, 0, 30, 20), (28, 18, 30, 20)):
        means = [source.region(box, 4) for source in (file, numbers)]
        assert means[0].shape == means[1].shape
        assert float((means[0] - means[1]).abs().max()) <= 1 / 255


def test_a_photo_stands_upright_by_its_exif(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "lying.jpg", exif=exif)
    source = FileSource(tmp_path / "lying.jpg")
    assert (source.width, source.height) == (20, 40)


def saved_with(profile, folder):
    """A picture of one colour with an ICC profile, and what comes of the colour."""
    Image.new("RGB", (8, 8), (200, 60, 90)).save(folder / "coloured.png", icc_profile=profile)
    return FileSource(folder / "coloured.png").region((0, 0, 1, 1)).mul(255).flatten().round().tolist()


def test_colours_of_another_space_come_to_srgb(tmp_path):
    """In a space whose red is sRGB's blue, and the other way round, both change places."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    assert saved_with(srgb, tmp_path) == pytest.approx([200, 60, 90], abs=1)
    assert saved_with(swapped, tmp_path) == pytest.approx([90, 60, 200], abs=2)


def test_a_profile_that_cannot_be_meant_is_left_aside(tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (b"no profile at all", lab):
        assert saved_with(profile, tmp_path) == [200, 60, 90]


def test_a_damaged_photo_is_refused(tmp_path, astronaut):
    (tmp_path / "half.jpg").write_bytes(astronaut.read_bytes()[:9000])
    with pytest.raises(PhotoUnreadable):
        FileSource(tmp_path / "half.jpg")
