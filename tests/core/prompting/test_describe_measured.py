"""What is measured of a portrait: poses of known angle, backgrounds of known colour, light of a known side."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from likeness_studio.core.errors import FaceNotUsable, ShapeMismatch
from likeness_studio.core.faces import EYES_APART, NOSE_DEPTH, NOSE_DOWN, Face, load_engine, pose_from_points
from likeness_studio.core.imaging import from_pil, load_photo, parse_colour, to_pil
from likeness_studio.core.prompting import Background, background, colour_name, face_light, framing, measure, pose_words
from likeness_studio.nodes.describe import DescribePhoto

HALF = EYES_APART / 2
HEAD = np.array([[-HALF, 0, 0], [HALF, 0, 0], [0, NOSE_DOWN, NOSE_DEPTH], [-0.4, 1, 0], [0.4, 1, 0]])
UNIT = 40.0


def _seen(yaw=0.0, pitch=0.0, roll=0.0, eyes=(300.0, 200.0)):
    """The five points of a model head, turned by degrees with ISO's signs and projected, in pixels."""
    a, b, c = (math.radians(angle) for angle in (yaw, -pitch, -roll))
    turn = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    nod = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    lean = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    return (HEAD @ (lean @ nod @ turn).T)[:, :2] * UNIT + np.array(eyes)


@pytest.mark.parametrize("yaw", [-40, -20, 0, 8, 25, 50])
@pytest.mark.parametrize("roll", [-25, 0, 10])
def test_a_known_yaw_and_roll_are_found(yaw, roll):
    pose = pose_from_points(_seen(yaw, 0, roll))
    assert pose.yaw == pytest.approx(yaw, abs=1.0)
    assert pose.roll == pytest.approx(roll, abs=1.0)
    assert pose.pitch == pytest.approx(0, abs=1.0)


@pytest.mark.parametrize("pitch", [-25, -10, 0, 15, 25])
def test_a_known_pitch_is_found(pitch):
    pose = pose_from_points(_seen(0, pitch))
    assert pose.pitch == pytest.approx(pitch, abs=2.0)
    assert pose.yaw == pytest.approx(0, abs=0.5)


def test_poses_in_words():
    assert pose_words(pose_from_points(_seen(3, 2, -2))) == "facing the camera"
    assert pose_words(pose_from_points(_seen(-20))) == "head turned slightly to the left"
    assert pose_words(pose_from_points(_seen(45))) == "three-quarter view to the right"
    assert pose_words(pose_from_points(_seen(80))) == "profile view to the right"
    assert (
        pose_words(pose_from_points(_seen(0, -20, -10))) == "facing the camera, chin raised, head tilted to the right"
    )
    assert pose_words(pose_from_points(_seen(0, 20))) == "facing the camera, chin lowered"


@pytest.mark.parametrize(
    ("height", "words"),
    [
        (190, "close-up of the face"),
        (260, "tight headshot"),
        (340, "head and shoulders"),
        (480, "chest-up portrait"),
        (620, "half-length portrait"),
        (900, "three-quarter-length portrait"),
        (1300, "full-length portrait"),
    ],
)
def test_framing_by_where_the_picture_ends(height, words):
    assert framing(_seen(eyes=(300.0, 120.0)), height, 600, None, 1.0).words() == words


def test_a_cropped_head_is_named():
    assert framing(_seen(eyes=(300.0, 30.0)), 230, 600, None, 1.0).words().endswith("top of the head cropped")


def test_with_a_matte_the_framing_ends_where_the_person_ends():
    mask = np.zeros((1300, 600), np.float32)
    mask[40:340, 200:400] = 1
    assert framing(_seen(eyes=(300.0, 120.0)), 1300, 600, mask, 1.0).words() == "head and shoulders"


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ("#ffffff", "white"),
        ("#000000", "black"),
        ("#808080", "grey"),
        ("#d0d0d0", "light grey"),
        ("#3d4146", "charcoal"),
        ("#22324d", "navy"),
        ("#5b6b78", "dark bluish grey"),
        ("#1f3c88", "dark blue"),
        ("#4a6a8c", "blue"),
        ("#0a1a50", "navy"),
        ("#9ec9f0", "light blue"),
        ("#2e7d32", "green"),
        ("#c62828", "red"),
        ("#6d4c32", "brown"),
        ("#e0cfae", "beige"),
        ("#f2c200", "yellow"),
        ("#7b1fa2", "dark purple"),
        ("#5a2a35", "burgundy"),
        ("#ff69b4", "pink"),
        ("#556b2f", "green"),
        ("#3f6f73", "teal"),
    ],
)
def test_colours_by_name(colour, name):
    from likeness_studio.core.imaging import to_lab

    assert colour_name(*to_lab(torch.tensor(parse_colour(colour))).tolist()) == name


def _scene(back):
    """A picture with `back` behind a red disc, and the disc's matte."""
    height, width = back.shape[:2]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    person = ((x - width / 2) ** 2 + (y - height * 0.6) ** 2).sqrt() < width * 0.3
    image = torch.where(person[..., None], torch.tensor([0.8, 0.2, 0.2]), back)
    return image[None], person[None].float()


def _behind(back, with_mask=True):
    image, mask = _scene(back)
    found = background(image, mask if with_mask else None, 200.0, 120.0, 360.0, 40.0 if with_mask else 60.0)
    assert found is not None
    return found


def _plain(colour="#8d9399"):
    return torch.tensor(parse_colour(colour)).expand(500, 400, 3).clone()


def test_a_plain_background():
    for with_mask in (True, False):
        assert _behind(_plain(), with_mask).words() == "plain grey background"
    assert _behind(_plain("#f8f8f8")).brightness == "bright"
    assert _behind(_plain("#0a1a50")).words() == "plain navy background"
    noisy = _plain() + 0.04 * torch.randn(500, 400, 3, generator=torch.Generator().manual_seed(0))
    assert _behind(noisy).uniformity == "plain"


def test_a_gradient_is_no_plain_background():
    back = _plain("#4a6a8c") * torch.linspace(0.4, 1.4, 500)[:, None, None]
    assert _behind(back.clamp(0, 1)).uniformity == "gradient"


def test_a_busy_and_a_blurred_background():
    blocks = torch.rand(25, 20, 3, generator=torch.Generator().manual_seed(1))
    busy = blocks.repeat_interleave(20, 0).repeat_interleave(20, 1)
    assert _behind(busy).words() in ("busy background", "busy dark background")
    blurred = from_pil(to_pil(busy).filter(ImageFilter.GaussianBlur(40)))[0]
    assert _behind((blurred - 0.5) * 3 + 0.5).uniformity == "blurred"
    many = Background((70.0, 0.0, 20.0), 30.0, 12.0, 0.5, 0.4, True)
    assert many.words() == "blurred background"
    assert replace(many, residual=7.0).words() == "gradient beige background"
    assert replace(many, spread=15.0).words() == "blurred beige background"


def test_no_background_is_seen():
    image, mask = _scene(_plain())
    assert background(image, torch.ones_like(mask), 200.0, 120.0, 360.0, 40.0) is None
    assert background(image, None, 200.0, 0.0, 500.0, 100.0) is None


@pytest.fixture(scope="module")
def engine():
    return load_engine(device="cpu")


@pytest.fixture(scope="module")
def photo(astronaut):
    return load_photo(astronaut)[0]


def test_a_real_portrait(photo, engine):
    measured = measure(photo, None, engine)
    assert measured.words["pose"] == "facing the camera"
    assert measured.words["background"] == "busy background"
    assert measured.words["framing"] in ("head and shoulders", "chest-up portrait")
    assert not {"expression", "attire", "glasses", "hair"} & set(measured.words)


def test_a_mirrored_portrait_is_mirrored(photo, engine):
    here = measure(photo, None, engine).numbers
    there = measure(photo.flip(2), None, engine).numbers
    for field, name in (("pose", "yaw_degrees"), ("pose", "roll_degrees"), ("light", "left_minus_right_stops")):
        assert there[field][name] == pytest.approx(-here[field][name], abs=2.5 if "degrees" in name else 0.2)
    assert there["pose"]["pitch_degrees"] == pytest.approx(here["pose"]["pitch_degrees"], abs=2.5)


def test_a_turned_photo_has_a_tilted_head(photo, engine):
    turned = from_pil(to_pil(photo[0]).rotate(-15, Image.Resampling.BICUBIC))
    before, after = (measure(image, None, engine).numbers["pose"]["roll_degrees"] for image in (photo, turned))
    assert after - before == pytest.approx(-15, abs=3)
    assert "head tilted to the right" in measure(turned, None, engine).words["pose"]


def test_light_from_a_known_side(photo, engine):
    face = max(engine.detect(photo[0]), key=lambda face: face.size)
    right = torch.arange(photo.shape[2])[None, :, None] > face.landmarks[2, 0]
    lit = photo[0] * torch.where(right, 0.35, 1.0)
    assert "from the left" in face_light(lit, face, 0.0).words()
    assert "from the right" in face_light(photo[0] * torch.where(right, 1.0, 0.35), face, 0.0).words()
    assert face_light(lit, face, 25.0).stops is None
    assert "overexposed" in face_light((photo[0] * 2.2).clamp(0, 1), face, 0.0).words()
    assert "underexposed" in face_light(photo[0] * 0.15, face, 0.0).words()


def test_sharpness_is_said_of_large_faces_only(photo, engine):
    assert "sharpness" not in measure(photo, None, engine).words
    large = from_pil(to_pil(photo[0]).crop((120, 0, 360, 300)).resize((960, 1200), Image.Resampling.LANCZOS))
    soft = from_pil(to_pil(large[0]).filter(ImageFilter.GaussianBlur(6)))
    assert measure(soft, None, engine).words["sharpness"] == "soft focus"


def test_faces_that_cannot_be_described(photo, engine):
    with pytest.raises(FaceNotUsable, match="no face"):
        measure(torch.rand(1, 200, 160, 3), None, engine)
    with pytest.raises(FaceNotUsable, match=r"2 faces; crop it to one person\.$"):
        measure(torch.cat([photo, photo], 2), None, engine)

    class Tiny:
        key = "tiny"
        models = []  # noqa: RUF012

        def detect(self, image):
            return [Face((0, 0, 20, 20), _seen(), 0.9)]

        def embed(self, image, face):
            return face

    with pytest.raises(FaceNotUsable, match="20 pixels"):
        measure(photo, None, Tiny())


@pytest.mark.parametrize("covered", ["nothing", "another place", "inverted"])
def test_a_mask_that_is_not_the_persons_is_refused(photo, engine, covered):
    """What it calls background would be the person."""
    person = torch.zeros(photo.shape[:3])
    person[:, 20:, 120:340] = 1
    mask = {"nothing": person * 0, "another place": person.roll(220, 2), "inverted": 1 - person}[covered]
    with pytest.raises(FaceNotUsable, match=r"mask covers \d+% of the face.*invert it"):
        measure(photo, mask, engine)
    assert measure(photo, person, engine).numbers["background"]["from_mask"]
    everything = measure(photo, torch.ones_like(person), engine)
    assert "background" not in everything.words


def test_pixels_that_are_no_numbers_or_out_of_range_do_not_stop_the_node(photo, engine):
    broken = photo * 1.1 - 0.05
    whole = measure(broken.clamp(0, 1), None, engine)
    broken[:, 0, 0] = math.nan
    broken[:, 1, 0] = math.inf

    def refuse(constant):
        raise ValueError(constant)

    fields = json.loads(DescribePhoto.execute(broken, engine=engine)[2], parse_constant=refuse)["fields"]
    assert {name: fields[name]["value"] for name in whole.words} == whole.words


def test_of_batches_the_first_picture_and_mask_are_looked_at(photo, engine):
    alpha = torch.cat([photo, photo[..., :1]], 3)
    person = torch.ones(photo.shape[:3])
    batch, masks = torch.cat([alpha, alpha * 0]), torch.cat([person, person * 0, person * 0])
    one = DescribePhoto.execute(photo, mask=person, engine=engine)[2]
    assert DescribePhoto.execute(batch, mask=masks, engine=engine)[2] == one
    with pytest.raises(ShapeMismatch, match="mask is 40 x 30"):
        DescribePhoto.execute(photo, mask=torch.ones(1, 30, 40), engine=engine)
