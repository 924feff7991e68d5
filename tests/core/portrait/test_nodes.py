"""The portrait nodes: thin, honest about models, clear about mismatches; and the whole studio on a real photo."""

import json
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from likeness_studio.core import host
from likeness_studio.core.choices import PERSON_MATTE
from likeness_studio.core.errors import BadColour, FaceNotUsable, ShapeMismatch
from likeness_studio.core.faces import Face, steady_landmarks
from likeness_studio.core.imaging import rotate
from likeness_studio.core.models import runtimes, store
from likeness_studio.core.portrait import LARGEST_TURN, hue_change, mean_hue, normalisation_for, skin_mask
from likeness_studio.core.portrait.fuse_mattes import LOOK_AT
from likeness_studio.core.portrait.matte import matte
from likeness_studio.nodes import backdrop
from likeness_studio.nodes import portrait as nodes


@pytest.fixture(autouse=True)
def _surroundings(tmp_path):
    with host.use(host.LocalHost(tmp_path / "input", tmp_path / "output", tmp_path / "temp")):
        yield


class _OneFace:
    models = ({"name": "d", "licence": "x", "commercial": "yes", "use": "face detection"},)

    def __init__(self, count=1):
        self.count = count

    def detect(self, image):
        height, width = image.shape[:2]
        if height == width:
            return []
        unit = width / 8
        points = np.array([[-0.5, 0], [0.5, 0], [0, 0.6], [-0.4, 1.155], [0.4, 1.155]]) * unit
        points += [width / 2, height / 3]
        return [Face((0, 0, unit, unit), points, 0.9)] * self.count


def _ui(output) -> dict:
    return output.ui


def _frame(image, engine, mask=None, several="refuse"):
    return nodes.FrameHeadshot.execute(
        image, "head and shoulders", 64, 0, True, "stay inside", several, mask=mask, engine=engine
    )


def test_a_given_mask_that_is_not_checked_runs_no_model(monkeypatch):
    monkeypatch.setattr(store, "path", lambda *_, **__: pytest.fail("a model was asked for"))
    output = nodes.MattePerson.execute(torch.rand(2, 40, 30, 3), "u2net", "auto", torch.ones(1, 20, 15), check=False)
    assert output[0].shape == (2, 40, 30)
    assert [report["doubt"] for report in json.loads(output[1])] == [0, 0]
    assert (_ui(output)["models"], _ui(output)["look"]) == ([], [])


def test_new_workflows_get_two_networks_and_old_ones_their_own():
    schema = nodes.MattePerson.define_schema()
    (model,) = (each for each in schema.inputs if each.id == "model")
    assert model.options["default"] == PERSON_MATTE
    assert {"u2net", "u2netp", "modnet"} <= set(model.options["options"])
    assert [output.display_name for output in schema.outputs] == ["mask", "report"]


def test_mismatches_are_named():
    image = torch.rand(2, 40, 30, 3)
    with pytest.raises(ShapeMismatch, match="3 of masks for 2"):
        nodes.MattePerson.execute(image, "u2net", "auto", mask=torch.ones(3, 40, 30))
    with pytest.raises(ShapeMismatch):
        nodes.RefineMatte.execute(image, torch.ones(3, 4, 4), 9, True)
    with pytest.raises(ShapeMismatch, match="mask is 31 x 40"):
        _frame(image, _OneFace(), torch.ones(2, 40, 31))
    with pytest.raises(ShapeMismatch, match="background is 30 x 41"):
        backdrop.ComposePortrait.execute(image, torch.ones(2, 40, 30), torch.rand(1, 41, 30, 3), 0, 0, 0, 0, 2)
    with pytest.raises(ShapeMismatch, match="mask is 29 x 40"):
        backdrop.ComposePortrait.execute(image, torch.ones(2, 40, 29), image, 0, 0, 0, 0, 2)
    with pytest.raises(BadColour):
        backdrop.StudioBackdrop.execute("gradient", "blurple", 64, 64, 0.5, 0.3, 0)


def test_faces_that_cannot_be_framed():
    image = torch.rand(1, 400, 300, 3)
    with pytest.raises(FaceNotUsable, match="no face"):
        _frame(image, _OneFace(0))
    with pytest.raises(FaceNotUsable, match="2 faces"):
        _frame(image, _OneFace(2))
    assert _frame(image, _OneFace(2), several="largest")[0].shape == (1, 80, 64, 3)


def test_batch_runs_through_all_nodes():
    image = torch.rand(2, 200, 150, 3)
    mask = torch.zeros(2, 200, 150)
    mask[:, 30:, 40:110] = 1
    foreground, alpha = nodes.RefineMatte.execute(image, mask, 9, True).args
    framed, cover, report = _frame(foreground, _OneFace(), alpha).args
    assert [entry["picture"] for entry in json.loads(report)] == [0, 1]
    drawn = backdrop.StudioBackdrop.execute("blurred office", "sand", 1, 1, 0.5, 0.3, 0, size_like=framed)[0]
    assert drawn.shape == framed.shape
    output = backdrop.ComposePortrait.execute(framed, cover, drawn, 0.25, 0.5, 0.3, 0.25, 2.0)
    assert output[0].shape == framed.shape
    assert len(json.loads(output[1])) == 2


def test_clean_colours_can_be_left_out():
    image = torch.rand(1, 50, 50, 3)
    assert torch.equal(nodes.RefineMatte.execute(image, torch.rand(1, 9, 9), 9, False)[0], image)


def _astronaut():
    data = pytest.importorskip("skimage.data")
    return torch.from_numpy(data.astronaut()).float()[None] / 255


@pytest.mark.models
def test_two_networks_agree_on_a_plain_portrait_and_find_nothing_wrong_with_one_alone():
    photo = _astronaut()
    joined, single = (nodes.MattePerson.execute(photo, model, "cpu") for model in (PERSON_MATTE, "u2net"))
    assert [used["name"] for used in _ui(joined)["models"]] == ["u2net", "modnet", "yunet"]
    (report,) = json.loads(joined[1])
    assert report["model"] == PERSON_MATTE
    assert any("pixels wide" in reason for reason in report["reasons"])
    assert _ui(joined)["text"]
    assert float(joined[0][0, 60:100, 200:240].min()) > 0.9
    (report,) = json.loads(single[1])
    assert report["doubt"] < LOOK_AT
    assert not _ui(single)["look"]
    session = runtimes.session(store.path("u2net"), "cpu")
    assert torch.equal(single[0], matte(photo, session, normalisation_for("u2net")))


@pytest.mark.models
def test_studio_on_a_real_photo():
    photo = _astronaut()
    matte = nodes.MattePerson.execute(photo, "u2net", "cpu")
    assert _ui(matte)["models"][0]["name"] == "u2net"
    foreground, alpha = nodes.RefineMatte.execute(photo, matte[0], 9, True).args
    assert float(alpha[0, 60:100, 200:240].min()) == 1
    assert float(alpha[0, :200, 330:].max()) == 0
    framed = nodes.FrameHeadshot.execute(
        foreground, "head and shoulders", 512, 0, True, "stay inside", "refuse", mask=alpha
    )
    assert _ui(framed)["models"][0]["name"] == "yunet"
    report = json.loads(framed[2])[0]
    assert report["head_share"] == pytest.approx(0.46, abs=0.02)
    assert report["made_up_pixels"] == 0
    drawn = backdrop.StudioBackdrop.execute("seamless paper", "corporate blue", 1, 1, 0.5, 0.3, 0, size_like=framed[0])[
        0
    ]
    composed = backdrop.ComposePortrait.execute(framed[0], framed[1], drawn, 0.25, 0.0, 1.0, 1.0, 2.0)[0]
    skin = skin_mask(framed[0][0], framed[1][0])
    assert abs(hue_change(mean_hue(framed[0][0][skin]), mean_hue(composed[0][skin]))) <= 2.2
    corner = composed[0, :60, :60].reshape(-1, 3)
    assert float(corner.std(0).max()) < 0.02


@pytest.mark.models
@pytest.mark.parametrize("degrees", [-7, 2, 7])
def test_a_turned_photo_comes_out_straight(degrees):
    """Turned by a little with Pillow, framed, and measured by detecting the face again."""
    from likeness_studio.core.faces import load_engine
    from likeness_studio.core.imaging import from_pil, to_pil

    engine = load_engine()
    photo = _astronaut()
    turned = from_pil(to_pil(photo[0]).rotate(degrees, expand=False))
    output = nodes.FrameHeadshot.execute(turned, "head and shoulders", 640, 0, True, "extend the edge", "refuse")
    level = steady_landmarks(engine, photo, engine.detect(photo[0])[0])
    own_lean = np.degrees(np.arctan2(*(level[1] - level[0])[::-1]))
    lean = own_lean - degrees
    turned_by = json.loads(output[2])[0]["turned_degrees"]
    assert turned_by == pytest.approx(-np.clip(lean, -LARGEST_TURN, LARGEST_TURN), abs=2)
    (face,) = engine.detect(output[0][0])
    landmarks = steady_landmarks(engine, output[0], face)
    across = landmarks[1] - landmarks[0]
    left = np.degrees(np.arctan2(across[1], across[0]))
    assert abs(left) < max(abs(lean) - LARGEST_TURN, 0) + 1, "what leans further is a pose"


class _Seeing:
    """A face engine that finds as many faces as the picture's first value says, in tenths."""

    models: ClassVar = []

    def detect(self, image):
        count = round(float(image[0, 0, 0]) * 10)
        points = np.array([[40.0, 50], [60, 50], [50, 62], [42, 73], [58, 73]])
        return [Face((30.0, 30, 70, 85), points + np.array([each, 0]), 0.9) for each in range(count)]


SEEING: Any = _Seeing()


def test_the_face_is_looked_for_in_the_photo_and_not_in_the_cut_out():
    """What stands behind the person in a foreground is made up, and has been taken for a second face."""
    foreground, photo, mask = (
        torch.full((1, 128, 100, 3), 0.2),
        torch.full((1, 128, 100, 3), 0.1),
        torch.ones(1, 128, 100),
    )
    options = ("head and shoulders", 64, 0, True, "stay inside", "refuse")
    with pytest.raises(FaceNotUsable, match="2 faces"):
        nodes.FrameHeadshot.execute(foreground, *options, mask=mask, engine=SEEING)
    framed = nodes.FrameHeadshot.execute(foreground, *options, mask=mask, engine=SEEING, photo=photo)
    assert framed[0][0].mean() == pytest.approx(0.2, abs=0.01), "it is the cut-out that is framed"
    with pytest.raises(ShapeMismatch, match="photo is 90 x 128"):
        nodes.FrameHeadshot.execute(foreground, *options, engine=SEEING, photo=photo[:, :, :90])


def test_rotation_is_its_own_inverse():
    points = np.random.default_rng(0).normal(size=(9, 2))
    assert np.allclose(rotate(rotate(points, (3, 4), 33), (3, 4), -33), points)
