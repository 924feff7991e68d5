"""A photo of the person stays a photo of the person, however awkwardly the file was written."""

import numpy as np
import pytest
from PIL import Image

from likeness_studio.core.errors import PhotoUnreadable
from likeness_studio.core.identity import Gate, calibration_of, check_likeness, enroll
from likeness_studio.core.imaging import load_photo, to_pil

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def person(engine, portrait):
    return enroll(engine, [portrait("obama"), portrait("obama2")])[0]


def rotated_by_exif(picture, path):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(path.with_suffix(".jpg"), exif=exif, quality=95)


def sixteen_bit(picture, path):
    gray = np.asarray(picture.convert("L"), np.uint16) * 257
    Image.fromarray(gray).save(path.with_suffix(".png"))


def cmyk(picture, path):
    picture.convert("CMYK").save(path.with_suffix(".jpg"), quality=95)


def grayscale(picture, path):
    picture.convert("L").save(path.with_suffix(".jpg"), quality=95)


def transparent(picture, path):
    whole = picture.convert("RGBA")
    whole.putalpha(Image.linear_gradient("L").resize(whole.size))
    whole.save(path.with_suffix(".png"))


def palette(picture, path):
    picture.quantize(256).save(path.with_suffix(".gif"))


@pytest.mark.parametrize("write", [rotated_by_exif, sixteen_bit, cmyk, grayscale, transparent, palette])
def test_an_awkward_file_still_shows_the_person(engine, portrait, person, tmp_path, write):
    write(to_pil(portrait("obama3")), tmp_path / "photo")
    (file,) = tmp_path.iterdir()
    gate = Gate.measured(calibration_of(engine.key), 1e-4)
    (verdict,) = check_likeness(engine, person, list(load_photo(file)[0]), gate).verdicts
    assert verdict.passed, verdict.reason


def test_a_truncated_file_is_refused(portraits, tmp_path):
    (tmp_path / "photo.jpg").write_bytes((portraits / "obama3.jpg").read_bytes()[:100_000])
    with pytest.raises(PhotoUnreadable, match=r"photo\.jpg"):
        load_photo(tmp_path / "photo.jpg")
