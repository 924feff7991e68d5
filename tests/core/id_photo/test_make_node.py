"""Make ID Photo on real photos: the node, the same in files, and on a real ComfyUI."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from likeness_studio.core.errors import FaceNotUsable, MatteMissing
from likeness_studio.core.errors.formats import (
    AlterationForbidden,
    BackgroundNotAllowed,
    PhotoTooTight,
    SizeNotDefined,
)
from likeness_studio.core.faces import load_engine
from likeness_studio.core.id_photo.documents import document
from likeness_studio.core.imaging import load_photo
from likeness_studio.nodes.id_photo import MakeIDPhoto
from likeness_studio.nodes.portrait import MattePerson

ALLOWED = "as the document allows"


@pytest.fixture(scope="module")
def photo(astronaut):
    return load_photo(astronaut)[0]


@pytest.fixture(scope="module")
def mask(photo):
    return MattePerson.execute(photo, "u2netp", "cpu")[0]


def make(image, name="us-passport", background=ALLOWED, size="auto", several="refuse", **more):
    return MakeIDPhoto.execute(image, name, background, size, "safest", several, **more)


pytestmark = pytest.mark.models


@pytest.mark.parametrize(
    "name",
    ["us-passport", "schengen-visa", "uk-passport", "ca-passport", "in-passport", "cn-visa", "jp-passport", "linkedin"],
)
def test_the_demo_photo_for_many_documents(photo, mask, name):
    made, id_photo, overlay, text = make(photo, name, mask=mask).args
    (report,) = json.loads(text)
    rules = document(name)
    assert made.shape == (1, id_photo.height_px, id_photo.width_px, 3)
    assert (report["width_px"], report["height_px"], report["dpi"]) == (
        id_photo.width_px,
        id_photo.height_px,
        id_photo.dpi,
    )
    assert report["broken"] == []
    assert {rule["name"] for rule in report["rules"]} >= ({"head height"} if rules.head else set())
    assert report["turned_degrees"] == pytest.approx(-3, abs=1)
    assert id_photo.edits_made == ()
    assert overlay.ndim == 4
    assert min(overlay.shape[1:3]) > 400
    assert any("enlarged" in warning for warning in report["warnings"])


def test_the_made_photo_measures_as_the_report_says(photo, mask):
    """Looked at anew, without what was known before: eyes level, head and eye line where they were put."""
    from likeness_studio.core.id_photo import TensorSource, locate_head

    made, _, _, text = make(photo, mask=mask).args
    found = locate_head(TensorSource(made[0]), load_engine(), None).head
    rules = {rule["name"]: rule["value"] / 51 for rule in json.loads(text)[0]["rules"]}
    height = made.shape[1]
    assert abs(found.roll) < 1
    assert (height - found.eyes) / height == pytest.approx(rules["eye line"], abs=0.02)
    assert (found.chin - found.eyes) / height == pytest.approx(rules["head height"] / 2, abs=0.04)


def test_without_a_mask_no_matte_network_runs(photo, monkeypatch):
    from likeness_studio.core.models import runtimes as onnx

    used = []
    session = onnx.session
    monkeypatch.setattr(onnx, "session", lambda path, *rest: used.append(path.name) or session(path, *rest))
    output = make(photo, "linkedin")
    assert output[0].shape == (1, 800, 800, 3)
    assert not [name for name in used if "u2net" in name]
    assert {model["name"] for model in output.ui["models"]} == {"yunet", "face_mesh", "iris"}


def test_a_plain_background_keeps_every_pixel_of_the_person(photo, mask):
    kept = make(photo, "linkedin", "keep", mask=mask)
    plain = make(photo, "linkedin", "plain", mask=mask)
    assert plain[1].edits_made == ("The background was replaced by plain #FFFFFF.",)
    corner = plain[0][0, :80, :80]
    assert float(corner.min()) == 1
    face = (slice(330, 520), slice(320, 480))
    assert kept[0].shape == plain[0].shape
    if json.loads(kept[3])[0]["scale"] == json.loads(plain[3])[0]["scale"]:
        assert torch.equal(kept[0][0][face], plain[0][0][face])


def test_documents_that_forbid_edits_refuse_them_and_still_give_the_crop(photo, mask):
    with pytest.raises(
        AlterationForbidden, match=r"US passport.*Department of State.*'as the document allows' gives the crop"
    ):
        make(photo, background="plain", mask=mask)
    output = make(photo, mask=mask)
    (report,) = json.loads(output[3])
    assert output[0].shape == (1, 602, 602, 3)
    assert any("no edits are allowed" in note for note in report["notes"])
    with pytest.raises(MatteMissing):
        make(photo, "linkedin", "plain")
    with pytest.raises(SizeNotDefined, match="linkedin"):
        make(photo, "linkedin", size="print")


def test_a_batch_is_made_one_by_one(photo, mask):
    both = torch.cat([photo, photo.flip(2)])
    output = make(both, mask=torch.cat([mask, mask.flip(2)]))
    assert output[0].shape == (2, 602, 602, 3)
    reports = json.loads(output[3])
    assert [report["picture"] for report in reports] == [0, 1]
    assert reports[0]["turned_degrees"] == pytest.approx(-reports[1]["turned_degrees"], abs=0.7)


def test_a_photo_that_ends_too_early_says_what_to_do(photo, mask):
    tight = (slice(None), slice(0, 210), slice(130, 330))
    output = make(photo[tight], mask=mask[tight])
    (report,) = json.loads(output[3])
    assert any(line.startswith("Head height") for line in report["broken"])
    assert report["to_do"][0].startswith("Step back")
    assert "mm too early" in report["to_do"][0]
    assert output.ui["text"]
    assert output.ui["id_photo"] == [report | {"document_title": "US passport"}]
    with pytest.raises(PhotoTooTight, match="step back"):
        make(photo[:, 60:200, 160:290])


def test_no_face_and_several_faces(photo):
    with pytest.raises(FaceNotUsable, match="no face"):
        make(torch.full((1, 300, 300, 3), 0.5))
    two = torch.cat([photo, photo], 2)
    with pytest.raises(FaceNotUsable, match="2 faces"):
        make(two)
    assert make(two, several="largest")[0].shape == (1, 602, 602, 3)


def far_off(photo, height, width, left, top):
    """The demo photo somewhere in a large grey one."""
    wide = torch.full((1, height, width, 3), 0.6)
    wide[:, top : top + photo.shape[1], left : left + photo.shape[2]] = photo
    return wide


@pytest.mark.parametrize(("height", "width"), [(700, 6000), (3000, 4000)])
def test_a_small_face_in_a_panorama_or_a_large_photo_is_found(photo, height, width):
    (alone,), (report,) = (json.loads(make(each)[3]) for each in (photo, far_off(photo, height, width, 2500, 150)))
    assert report["broken"] == []
    assert report["turned_degrees"] == pytest.approx(alone["turned_degrees"], abs=1)
    assert report["eyes_apart_px"] == pytest.approx(alone["eyes_apart_px"], rel=0.12)
    assert any("pixels between the eyes" in warning for warning in report["warnings"])


def test_of_a_batch_the_picture_is_named(photo):
    with pytest.raises(FaceNotUsable, match="Picture 1"):
        make(torch.cat([photo, torch.zeros_like(photo)]))


def test_an_upside_down_photo_is_refused(photo):
    with pytest.raises(FaceNotUsable, match="stands upright"):
        make(photo.flip(1).flip(2))


def test_a_network_may_be_given_instead_of_its_mask(photo):
    """It is shown the part of the photo round the head, small."""
    from likeness_studio.core.id_photo import MakeOptions, TensorSource, make_id_photo

    seen = []

    def everything(picture):
        seen.append(tuple(picture.shape))
        return torch.ones(picture.shape[:2])

    wide = TensorSource(far_off(photo, 3000, 4000, 2500, 150)[0])
    made = make_id_photo(wide, load_engine(), MakeOptions(document("linkedin")), everything)
    assert made.matte is not None
    assert float(made.matte.min()) > 0.999
    (shape,) = seen
    assert max(shape[:2]) < 1400


@pytest.mark.comfyui
def test_the_workflow_on_a_real_comfyui_and_here_are_one(comfyui_server, astronaut, tmp_path):
    """The bundled workflow, with its check and its file, on a server and in this process."""
    from PIL import Image

    from likeness_studio.runner.client import Client

    pictures = []
    for place in (None, comfyui_server.url):
        folder = tmp_path / ("server" if place else "here")
        with Client(place) as client:
            result = client.run(client.load("id_photo"), astronaut, folder)
        (saved,) = [file.path for file in result.outputs if file.path.suffix == ".jpg"]
        pictures.append(Image.open(saved))
    for picture in pictures:
        assert picture.size == (602, 602)
        assert picture.info["dpi"] == (300, 300)
    here, there = (np.asarray(picture.convert("RGB"), np.int16) for picture in pictures)
    difference = np.abs(here - there)
    assert difference.max() <= 24
    assert (difference > 8).mean() < 0.001


def test_the_node_takes_a_colour_of_the_document_as_the_command_does(photo, mask):
    made, id_photo, *_ = make(photo, "linkedin", "plain", mask=mask, background_colour="#102040").args
    assert id_photo.edits_made == ("The background was replaced by plain #102040.",)
    corner = made[0, 4, 4]
    assert (corner * 255).round().tolist() == [16, 32, 64]
    with pytest.raises(BackgroundNotAllowed, match="takes no background 'navy'"):
        make(photo, "cn-visa", "plain", mask=mask, background_colour="navy")


def test_a_kept_background_has_no_colour(photo, mask):
    kept = make(photo, "linkedin", "keep", mask=mask, background_colour="#102040")
    assert kept.args[1].edits_made == ()
