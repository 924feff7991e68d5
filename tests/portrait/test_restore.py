"""Restore Face: protected pixels are the original's own, the seam is measured, a moved face lands where it must."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from likeness_studio.nodes import host
from likeness_studio.nodes.errors import FaceNotUsable, ShapeMismatch
from likeness_studio.nodes.identity.faces import Face, similarity
from likeness_studio.nodes.portrait.colour import to_lab
from likeness_studio.nodes.portrait.distance import distance_to
from likeness_studio.nodes.portrait.face_nodes import RestoreFace
from likeness_studio.nodes.portrait.frame import rotate
from likeness_studio.nodes.portrait.reinhard import from_lab, matched_to
from likeness_studio.nodes.portrait.restore import restore_aligned, restore_in_place
from likeness_studio.nodes.portrait.seam import seam_step
from likeness_studio.nodes.portrait.warp import inverse, warp

FRONTAL = np.array([[-0.5, 0], [0.5, 0], [0, 0.6], [-0.4, 1.155], [0.4, 1.155]])
SKIN = torch.tensor([0.78, 0.6, 0.5])


def textured(height=160, width=128, colour=SKIN, seed=0):
    noise = torch.rand(1, height, width, 3, generator=torch.Generator().manual_seed(seed))
    return (colour + 0.06 * (noise - 0.5)).clamp(0, 1)


def disc(height=160, width=128, radius=35.0, at=(64, 80)):
    x, y = torch.arange(width)[None] - at[0], torch.arange(height)[:, None] - at[1]
    return ((x**2 + y**2).sqrt() <= radius).float()[None]


@pytest.mark.parametrize("match", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("feather", [0, 1, 8, 40])
@pytest.mark.parametrize("seed", [1, 2])
def test_inside_keep_the_original_is_untouched(match, feather, seed):
    original, generated = textured(), torch.rand(1, 160, 128, 3, generator=torch.Generator().manual_seed(seed))
    keep = disc()
    restored = restore_in_place(original, generated, keep, match, feather)
    inside = keep[0] > 0
    assert float((restored.image[0] - original[0]).abs()[inside].max()) == 0
    assert restored.report["largest_difference_inside"] == 0
    assert not torch.equal(restored.image, original)


def test_without_a_match_everything_beyond_the_feather_is_the_generated_picture():
    original, generated, keep = textured(), textured(colour=SKIN * 0.9, seed=4), disc()
    result = restore_in_place(original, generated, keep, 0.0, 8).image[0]
    beyond = distance_to(keep[0] > 0, 60) >= 9
    assert torch.equal(result[beyond], generated[0][beyond])
    hard = restore_in_place(original, generated, keep, 0.0, 0).image[0]
    assert torch.equal(hard, torch.where(keep[0, ..., None] > 0, original[0], generated[0]))


def test_the_blend_fades_evenly_where_both_show_the_same_thing():
    original, generated = torch.full((1, 160, 128, 3), 0.52), torch.full((1, 160, 128, 3), 0.48)
    keep = disc()
    result = restore_in_place(original, generated, keep, 0.0, 12).image[0, ..., 0]
    distance = distance_to(keep[0] > 0, 60)
    order = torch.argsort(distance.flatten())
    assert bool((result.flatten()[order].diff() <= 1e-5).all()), "from the original down to the generated colour"
    step = (result[80, 99:115].diff()).abs().max()
    assert float(step) < 0.25 * 0.04


def test_a_new_background_gets_no_rim_of_the_old_one():
    original = torch.zeros(1, 160, 128, 3)
    generated = torch.ones(1, 160, 128, 3) * 0.9
    keep = disc()
    original[0][keep[0] > 0] = SKIN
    result = restore_in_place(original, generated, keep, 1.0, 16).image[0]
    distance = distance_to(keep[0] > 0, 60)
    assert float((result - 0.9).abs()[distance > 2].max()) < 0.03


def test_the_match_takes_the_step_away_and_fades_out():
    original = textured()
    generated = (textured(seed=9) * torch.tensor([1.06, 1.0, 0.9])).clamp(0, 1)
    keep = disc(radius=30)
    matched, plain = (restore_in_place(original, generated, keep, match, 4) for match in (1.0, 0.0))
    seam = matched.report["seam"]
    assert seam["before"] == plain.report["seam"]["before"] == plain.report["seam"]["after"]
    assert seam["after"] < 0.8 * seam["before"]
    assert seam["after"] < seam["own"] + 1
    distance = distance_to(keep[0] > 0, 200)
    ring, far = (distance > 0) & (distance < 5), distance > 60
    target, before = to_lab(original[0])[ring].mean(0), to_lab(generated[0])[ring].mean(0)
    after = to_lab(matched.image[0])[ring].mean(0)
    assert float((after - target).norm()) < 0.35 * float((before - target).norm())
    assert float((matched.image[0] - generated[0]).abs()[far].max()) < 0.002
    half = restore_in_place(original, generated, keep, 0.5, 4).report["seam"]["after"]
    assert seam["after"] < half < seam["before"]


def test_the_match_keeps_the_generated_texture():
    original, generated = textured(), textured(seed=9) * 0.93
    keep = disc(radius=30)
    result = restore_in_place(original, generated, keep, 1.0, 0).image
    ring = (distance_to(keep[0] > 0, 60) > 2) & (distance_to(keep[0] > 0, 60) < 8)

    def detail(picture):
        blurred = F.avg_pool2d(picture.permute(0, 3, 1, 2), 5, 1, 2).permute(0, 2, 3, 1)
        return (picture - blurred)[0][ring].flatten()

    pair = torch.stack([detail(result), detail(generated)])
    assert float(torch.corrcoef(pair)[0, 1]) > 0.98


def test_the_seam_is_the_mean_difference_across_the_border():
    picture = torch.zeros(6, 8, 3)
    picture[:, 4:] = 1
    keep = torch.zeros(6, 8, dtype=torch.bool)
    keep[:, 4:] = True
    assert seam_step(picture, keep) == pytest.approx(100, abs=0.1), "black to white is 100 in L*"
    assert seam_step(torch.full((6, 8, 3), 0.3), keep) == 0
    assert seam_step(picture, torch.ones(6, 8, dtype=torch.bool)) is None


def test_lab_there_and_back():
    colours = torch.rand(5000, 3, generator=torch.Generator().manual_seed(0))
    assert float((from_lab(to_lab(colours)) - colours).abs().max()) < 1e-4
    assert float((from_lab(to_lab(torch.eye(3))) - torch.eye(3)).abs().max()) < 2e-3


def test_reinhard_gives_mean_and_spread():
    one, other = textured(colour=torch.tensor([0.5, 0.4, 0.3])), textured(colour=torch.tensor([0.6, 0.5, 0.5]), seed=5)
    lab = to_lab(matched_to(one[0], one.reshape(-1, 3), other.reshape(-1, 3))).reshape(-1, 3)
    wanted = to_lab(other.reshape(-1, 3))
    assert torch.allclose(lab.mean(0), wanted.mean(0), atol=0.1)
    assert torch.allclose(lab.std(0), wanted.std(0), rtol=0.1)


# --- moving a face ---


def waves(height=120, width=160):
    """A picture without fine detail: every resampling should agree on it."""
    x, y = torch.arange(width) / width, torch.arange(height)[:, None] / height
    return torch.stack([0.5 + 0.4 * torch.sin(6 * x + phase) * torch.cos(5 * y - phase) for phase in (0, 1, 2)])[None]


def test_the_identity_moves_nothing():
    picture = torch.rand(1, 3, 31, 47)
    assert torch.equal(warp(picture, (1 + 0j, 0j), 31, 47), picture)


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.2])
@pytest.mark.parametrize("degrees", [0, 33])
def test_a_move_and_its_inverse_cancel(scale, degrees):
    transform = (scale * complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees))), 20 - 5j)
    picture = waves()
    side = math.ceil(200 * scale) + 60
    there = warp(picture, (transform[0], transform[1] + 60 * scale), side, side)
    back = warp(there, inverse((transform[0], transform[1] + 60 * scale)), 120, 160)
    middle = (slice(None), slice(None), slice(40, 80), slice(60, 100))
    assert float((back - picture)[middle].abs().max()) < 0.02


def test_shrinking_does_not_alias():
    """A fine checkerboard becomes grey, not a coarse pattern."""
    board = (torch.arange(300)[None] + torch.arange(300)[:, None]).remainder(2).float().expand(1, 3, 300, 300)
    small = warp(board, (0.21 + 0j, 0j), 60, 60)
    assert float((small[..., 4:-4, 4:-4] - 0.5).abs().max()) < 0.05


def face_at(unit, middle, degrees):
    return rotate(FRONTAL * unit + np.array(middle), middle, degrees)


@pytest.mark.parametrize(("unit", "degrees"), [(30, 0), (18, 20), (55, -35)])
def test_an_aligned_face_lands_on_the_new_landmarks(unit, degrees):
    """Bright spots painted at the original's landmarks are found at the generated face's."""
    source, target = face_at(30, (100, 90), 5), face_at(unit, (150, 140), degrees)
    original, generated = torch.full((1, 240, 220, 3), 0.3), torch.full((1, 300, 320, 3), 0.3)
    for x, y in source:
        distance = ((torch.arange(220)[None] - x) ** 2 + (torch.arange(240)[:, None] - y) ** 2).sqrt()
        original[0] += 0.6 * torch.exp(-((distance / 3) ** 2))[..., None].float()
    keep = torch.ones(1, 240, 220)
    restored = restore_aligned(original, generated, keep, (source, target), 0.0, 4)
    assert restored.image.shape == generated.shape
    assert restored.report["scale"] == pytest.approx(unit / 30, rel=0.01)
    assert restored.report["turned_degrees"] == pytest.approx(degrees - 5, abs=0.1)
    assert restored.report["landmark_error_pixels"] < 0.01
    light = restored.image[0, ..., 0] - 0.3
    reach = max(3, round(unit / 6))
    for x, y in target:
        left, top = round(x) - reach, round(y) - reach
        patch = light[top : top + 2 * reach + 1, left : left + 2 * reach + 1].clamp_min(0)
        column = left + float((patch.sum(0) * torch.arange(2 * reach + 1)).sum() / patch.sum())
        row = top + float((patch.sum(1) * torch.arange(2 * reach + 1)).sum() / patch.sum())
        assert math.hypot(column - x, row - y) < 0.6


def test_an_aligned_face_takes_the_colours_of_the_new_skin():
    points = face_at(30, (110, 90), 0)
    original, generated = textured(200, 220, SKIN), textured(200, 220, SKIN * torch.tensor([0.7, 0.62, 0.6]), seed=6)
    keep = disc(200, 220, 50, (110, 105))
    plain, matched = (restore_aligned(original, generated, keep, (points, points), how, 6) for how in (0.0, 1.0))
    middle = disc(200, 220, 25, (110, 105))[0] > 0
    wanted = to_lab(generated[0])[middle].mean(0)
    assert float((to_lab(matched.image[0])[middle].mean(0) - wanted).norm()) < 1
    assert torch.allclose(plain.image[0][middle], original[0][middle], atol=1e-4), "the same place, the same pixels"
    assert matched.report["seam"]["after"] < matched.report["seam"]["before"]
    outside = disc(200, 220, 52, (110, 105))[0] == 0
    assert torch.equal(matched.image[0][outside], generated[0][outside])


def test_a_face_of_one_pixel_has_a_colour_that_is_a_number():
    colours = torch.tensor([[0.5, 0.4, 0.3]])
    assert bool(matched_to(colours, colours, colours * 0.9).isfinite().all())


def test_nothing_from_beyond_the_original_is_pasted():
    """Where the original ends, the generated picture stays, not a smear of the original's edge."""
    source, target = face_at(20, (15, 60), 0), face_at(20, (115, 60), 0)
    original, generated = torch.zeros(1, 120, 100, 3), torch.full((1, 120, 230, 3), 0.8)
    a, b = similarity(source, target)
    assert a == pytest.approx(1)
    assert b == pytest.approx(100)
    result = restore_aligned(original, generated, torch.ones(1, 120, 100), (source, target), 0.0, 0).image
    assert float((result[0, :, :100] - 0.8).abs().max()) == 0
    assert float(result[0, 60, 105:195].max()) == 0


# --- the node ---


class _Faces:
    models = ({"name": "d", "licence": "x", "commercial": "yes", "use": "face detection"},)

    def __init__(self, count=1):
        self.count = count

    def detect(self, image):
        height, width = image.shape[:2]
        if height == width:
            return []
        unit = width / 8
        return [Face((0, 0, unit, unit), face_at(unit, (width / 2, height / 3), 0), 0.9)] * self.count


class _NoFaceInTheFirst(_Faces):
    """Has no face in the first generated picture that it is shown at its full size."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def detect(self, image):
        if image.shape[0] == image.shape[1]:
            return []
        self.seen += 1
        return [] if self.seen == 2 else super().detect(image)


@pytest.fixture
def _surroundings(tmp_path):
    with host.use(host.LocalHost(tmp_path / "input", tmp_path / "output", tmp_path / "temp")):
        yield


SAME, ALIGN = "same place", "align to the new face"


def run(original, generated, placement=SAME, keep=None, engine=None, match=1.0, several="refuse"):
    return RestoreFace.execute(original, generated, placement, match, 8, several, keep=keep, engine=engine)


@pytest.mark.usefixtures("_surroundings")
class TestNode:
    def test_one_original_serves_a_batch_and_no_engine_is_asked(self, monkeypatch):
        monkeypatch.setattr(
            "likeness_studio.nodes.identity.engines.load_engine", lambda *_: pytest.fail("an engine was loaded")
        )
        original, generated = textured(), torch.rand(3, 160, 128, 3)
        output = run(original, generated, keep=disc())
        image, text = output.args
        inside = disc()[0] > 0
        assert all(torch.equal(each[inside], original[0][inside]) for each in image)
        assert [report["picture"] for report in json.loads(text)] == [0, 1, 2]
        assert output.ui == {"models": []}

    def test_without_keep_the_face_is_found(self):
        original, generated = textured(), textured(colour=SKIN * 0.5)
        output = run(original, generated, engine=_Faces())
        assert torch.equal(output[0][0, 70, 64], original[0, 70, 64])
        assert torch.equal(output[0][0, 155, 5], generated[0, 155, 5])
        assert output.ui["models"][0]["name"] == "d"

    def test_sizes(self):
        original, generated = textured(), torch.rand(2, 200, 150, 3)
        with pytest.raises(ShapeMismatch, match="128 x 160 pixels and the generated picture 150 x 200"):
            run(original, generated, keep=disc())
        with pytest.raises(ShapeMismatch, match="keep mask is 120 x 160"):
            run(original, textured(), keep=disc(width=120))
        with pytest.raises(ShapeMismatch, match="2 of originals for 3"):
            run(torch.rand(2, 160, 128, 3), torch.rand(3, 160, 128, 3))
        output = run(original, generated, ALIGN, engine=_Faces())
        assert output[0].shape == (2, 200, 150, 3)
        assert json.loads(output[1])[0]["scale"] == pytest.approx(150 / 128, rel=0.01)

    def test_a_generated_picture_without_a_face_passes_through_and_the_others_are_restored(self):
        original, generated = textured(), torch.rand(3, 160, 128, 3)
        output = run(original, generated, ALIGN, keep=disc(), engine=_NoFaceInTheFirst())
        faceless, *others = json.loads(output[1])
        assert torch.equal(output[0][0], generated[0])
        assert faceless == {
            "picture": 0, "placement": ALIGN, "restored": False, "reason": "Picture 0 has no face",
        }  # fmt: skip
        assert all(report["restored"] and "seam" in report for report in others)
        assert not torch.equal(output[0][1], generated[1])
        assert output.ui["text"] == ["Picture 0 has no face: passed on as it is."]
        assert "text" not in run(original, original, ALIGN, engine=_Faces()).ui

    def test_every_kind_of_batch_keeps_its_protected_pixels_exactly(self):
        """Sizes that are no multiple of 8, values outside of 0..1 and one mask or one photo for several pictures."""
        generated = torch.randn(3, 93, 117, 3, generator=torch.Generator().manual_seed(3)) * 2
        for photos in (1, 3):
            original = torch.randn(photos, 93, 117, 3, generator=torch.Generator().manual_seed(photos)) * 2
            for masks in (1, 3):
                keep = torch.cat([disc(93, 117, 20 + 3 * place, (60, 45)) for place in range(masks)])
                output = run(original, generated, keep=keep)
                inside = keep.expand(3, -1, -1) > 0
                assert torch.equal(output[0][inside], original.expand(3, -1, -1, -1)[inside])
                assert [each["largest_difference_inside"] for each in json.loads(output[1])] == [0.0] * 3
        with pytest.raises(ShapeMismatch, match="2 of keep masks for 3"):
            run(original, generated, keep=keep[:2])

    def test_a_picture_of_no_numbers_makes_a_report_that_every_reader_takes(self):
        """What a half-precision VAE gives when it overflows."""
        original, generated = textured(), torch.full((1, 160, 128, 3), math.nan)
        output = run(original, generated, keep=disc())
        report = json.loads(output[1], parse_constant=pytest.fail)[0]
        assert report["seam"]["before"] is None
        assert torch.equal(output[0][disc() > 0], original[disc() > 0])

    def test_faces_that_cannot_be_used(self):
        original = textured()
        with pytest.raises(FaceNotUsable, match="no face"):
            run(original, original, ALIGN, engine=_Faces(0))
        with pytest.raises(FaceNotUsable, match="2 faces"):
            run(original, original, engine=_Faces(2))
        assert run(original, original, engine=_Faces(2), several="largest")[0].shape == original.shape


@pytest.mark.models
@pytest.mark.usefixtures("_surroundings")
def test_a_real_face_comes_back_after_being_moved(astronaut):
    """The photo, turned and enlarged and with its face blurred away, gets its face back by alignment."""
    from likeness_studio.nodes.identity.engines import load_engine
    from likeness_studio.nodes.photos import load_photo

    photo = load_photo(astronaut)[0]
    angle = complex(math.cos(math.radians(9)), math.sin(math.radians(9)))
    transform = (1.6 * angle, -60 - 90j)
    moved = warp(photo.permute(0, 3, 1, 2), transform, 560, 640)
    weak = warp(warp(moved, (0.4 + 0j, 0j), 224, 256), inverse((0.4 + 0j, 0j)), 560, 640)
    output = run(photo, weak.permute(0, 2, 3, 1), ALIGN, engine=load_engine(device="cpu"), match=0.0)
    report = json.loads(output[1])[0]
    assert report["scale"] == pytest.approx(1.6, rel=0.03)
    assert report["turned_degrees"] == pytest.approx(9, abs=1.5)
    eyes = transform[0] * complex(226, 112) + transform[1]
    patch = (slice(round(eyes.imag) - 20, round(eyes.imag) + 40), slice(round(eyes.real) - 30, round(eyes.real) + 30))

    def detail(picture):
        small = picture.permute(0, 3, 1, 2)
        return (small - F.avg_pool2d(small, 5, 1, 2)).permute(0, 2, 3, 1)[0][patch].std()

    assert float(detail(output[0])) > 1.5 * float(detail(weak.permute(0, 2, 3, 1))), "the sharp face is back"


# --- with Protect Face, in a graph on a real server ---


def face_graph(placement):
    """The photo's surroundings are inverted, which is as strong a change as there is; the face comes back."""
    several = {"several_faces": "refuse"}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": "restore_photo.png"}},
        "2": {"class_type": "LikenessMattePerson", "inputs": {"image": ["1", 0], "model": "u2netp", "device": "cpu"}},
        "3": {
            "class_type": "LikenessProtectFace",
            "inputs": {
                "image": ["1", 0],
                "protect": "face and hair",
                "grow": 0.0,
                "feather": 0.3,
                "latent_cell": 8,
                "mask": ["2", 0],
                **several,
            },
        },
        "4": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "5": {
            "class_type": "LikenessRestoreFace",
            "inputs": {
                "original": ["1", 0],
                "generated": ["4" if placement == SAME else "1", 0],
                "placement": placement,
                "match_colour": 1.0,
                "feather": 8,
                "keep": ["3", 1],
                **several,
            },
        },
        "6": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": "restored"}},
        "7": {"class_type": "MaskToImage", "inputs": {"mask": ["3", 1]}},
        "8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0], "filename_prefix": "keep"}},
        "9": {"class_type": "MaskToImage", "inputs": {"mask": ["3", 0]}},
        "10": {"class_type": "SaveImage", "inputs": {"images": ["9", 0], "filename_prefix": "change"}},
        "11": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
        "12": {"class_type": "SetLatentNoiseMask", "inputs": {"samples": ["11", 0], "mask": ["3", 0]}},
        "13": {"class_type": "SaveLatent", "inputs": {"samples": ["12", 0], "filename_prefix": "latent"}},
    }


@pytest.mark.comfyui
@pytest.mark.models
@pytest.mark.parametrize("placement", [SAME, ALIGN])
def test_on_a_server_the_face_is_the_photos_own_and_the_rest_is_not(comfyui_server, astronaut, tmp_path, placement):
    from PIL import Image

    from likeness_studio.runner.result import Folders
    from likeness_studio.runner.server.backend import ServerBackend
    from likeness_studio.runner.workflow import Workflow

    Image.open(astronaut).save(comfyui_server.input / "restore_photo.png")
    folders = Folders(tmp_path / "input", tmp_path / "output", tmp_path / "temp")
    result = ServerBackend(comfyui_server.url).run(Workflow.from_api("face", face_graph(placement)), folders)
    assert "12" in {time.node for time in result.times}
    assert {model["name"] for model in result.models} == {"u2netp", "yunet"}
    pictures = {
        path.name.split("_")[0]: np.asarray(Image.open(path).convert("RGB"), np.int16)
        for path in (tmp_path / "output").rglob("*.png")
    }
    photo = np.asarray(Image.open(astronaut).convert("RGB"), np.int16)
    keep, change = pictures["keep"][..., 0], pictures["change"][..., 0]
    assert set(np.unique(keep)) == {0, 255}
    assert change[keep == 255].max() == 0
    assert 0.04 < (keep == 255).mean() < 0.2
    difference = np.abs(pictures["restored"] - photo).max(-1)
    if placement == SAME:
        assert difference[keep == 255].max() == 0
        assert np.median(difference[change == 255]) > 60
    else:
        assert difference[keep == 255].max() <= 12, "the photo's own face, moved by next to nothing"
