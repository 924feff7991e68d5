"""Restore Face as a node: batches, what passes through, a real photo, and a graph on a real server."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from likeness_studio.core import host
from likeness_studio.core.errors import FaceNotUsable, ShapeMismatch
from likeness_studio.core.faces import Face
from likeness_studio.core.imaging import inverse
from likeness_studio.core.imaging.warp import warp
from likeness_studio.nodes.face import RestoreFace
from likeness_studio.tests.core.portrait.restore_pictures import SKIN, disc, face_at, textured


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
            "likeness_studio.core.faces.engines.load_engine", lambda *_: pytest.fail("an engine was loaded")
        )
        original, generated = textured(), torch.rand(3, 160, 128, 3)
        output = run(original, generated, keep=disc())
        image, text = output.args
        inside = disc()[0] > 0
        assert all(torch.equal(each[inside], original[0][inside]) for each in image)
        assert [report["picture"] for report in json.loads(text)] == [0, 1, 2]
        assert output.ui == {"models": [], "text": []}

    def test_without_keep_the_face_is_found(self):
        original, generated = textured(), textured(colour=SKIN * 0.5)
        output = run(original, generated, engine=_Faces())
        assert torch.equal(output[0][0, 70, 64], original[0, 70, 64])
        assert torch.equal(output[0][0, 155, 5], generated[0, 155, 5])
        assert output.ui["models"][0]["name"] == "d"

    def test_sizes(self):
        original, generated = textured(), torch.rand(2, 200, 150, 3)
        with pytest.raises(ShapeMismatch, match=r"128 x 160 .*150 x 200"):
            run(original, generated, keep=disc())
        with pytest.raises(ShapeMismatch, match="a VAE crops what it cannot divide"):
            run(textured(height=165), textured(), keep=disc(165))
        with pytest.raises(ShapeMismatch, match=r"choose 'align to the new face'\.$"):
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
        assert run(original, original, ALIGN, engine=_Faces()).ui["text"] == []

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
    from likeness_studio.core.faces import load_engine
    from likeness_studio.core.imaging import load_photo

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

    from likeness_studio.runner.backends import Folders
    from likeness_studio.runner.backends.comfy.backend import ServerBackend
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
