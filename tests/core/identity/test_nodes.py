"""The identity nodes, executed as the executor does: list inputs, previews, reports."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from likeness_studio.core.choices import DEFAULT_STRICTNESS
from likeness_studio.core.errors import EnrollmentRefused, ModelUnknown, PhotoMissing, UnsafePath
from likeness_studio.core.faces import load_engine
from likeness_studio.core.identity import Identity
from likeness_studio.core.identity import independence as conditioning
from likeness_studio.core.imaging import to_pil
from likeness_studio.nodes.identity import EnrollIdentity, LoadFaceEngine, LoadIdentity, LoadPhotos, SaveIdentity
from likeness_studio.nodes.likeness import CheckLikeness, KeepBest

pytestmark = pytest.mark.usefixtures("local")


def enroll(*photos, refused="stop", **more):
    return EnrollIdentity.execute(
        photos=[photo[None] for photo in photos],
        several_faces=["refuse"],
        min_face=[48],
        on_refused=[refused],
        name=["Ada"],
        **more,
    )


JUDGING = {
    "strictness": [DEFAULT_STRICTNESS],
    "custom_threshold": [0.4],
    "several_faces": ["refuse"],
    "min_face": [48],
}


@pytest.mark.models
def test_engine_node_says_the_licence():
    engine, licence = LoadFaceEngine.execute("yunet-sface", "buffalo_l", "cpu").args
    assert engine.key == "yunet-sface"
    assert "MIT" in licence
    assert "Apache-2.0" in licence


def test_an_unknown_engine_is_named():
    with pytest.raises(ModelUnknown, match="deepthought"):
        load_engine("deepthought")


@pytest.mark.models
def test_photos_of_different_sizes_come_through_growing_sockets(portrait):
    output = enroll(portrait("obama"), photos_2=[portrait("obama2")[None]], photos_5=[portrait("obama3")[None]])
    identity, sheet, report = output.args
    assert identity.photos == 3
    assert identity.name == "Ada"
    assert sheet.ndim == 4
    assert [photo["outcome"] for photo in json.loads(report)["photos"]] == ["pass"] * 3
    assert "embedding" not in report
    assert len(output.ui["images"]) == 1
    assert {model["name"] for model in output.ui["models"]} == {"yunet", "sface"}


def test_no_photo_at_all_is_an_error(monkeypatch):
    monkeypatch.setattr("likeness_studio.core.faces.engines.load_engine", lambda: None)
    with pytest.raises(
        EnrollmentRefused, match=r"^No reference photo was given; connect at least one photo of the person\.$"
    ):
        enroll()


@pytest.mark.models
def test_check_reports_every_picture(portrait, local):
    identity = enroll(portrait("obama"), portrait("obama2"))[0]
    pictures = [portrait("obama3")[None], portrait("biden")[None], torch.zeros(1, 80, 80, 3)]
    output = CheckLikeness.execute(images=pictures, identity=[identity], **JUDGING)
    passed, best, annotated, report = output.args
    assert passed is False
    assert 0.5 < best < 1
    assert annotated.shape == (3, *portrait("obama3").shape)
    outcomes = [image["outcome"] for image in json.loads(report)["images"]]
    assert outcomes == ["pass", "fail", "no_face"]
    assert output.ui["likeness"] == [json.loads(report)]
    assert (local.temp_dir / output.ui["images"][0]["filename"]).is_file()


@pytest.mark.models
def test_without_any_face_the_best_score_is_not_a_number(portrait):
    identity = enroll(portrait("obama"))[0]
    output = CheckLikeness.execute(images=[torch.zeros(1, 64, 64, 3)], identity=[identity], **JUDGING)
    assert math.isnan(output[1])
    assert output[0] is False


@pytest.mark.models
def test_a_custom_threshold_is_used_and_named(portrait):
    identity = enroll(portrait("obama"))[0]
    chosen = JUDGING | {"strictness": ["custom threshold"], "custom_threshold": [0.99]}
    output = CheckLikeness.execute(images=[portrait("obama3")[None]], identity=[identity], **chosen)
    report = json.loads(output[3])
    assert output[0] is False
    assert report["threshold"] == 0.99
    assert "typed by the user" in report["threshold_source"]


@pytest.mark.models
@pytest.mark.parametrize("node", [CheckLikeness, KeepBest])
@pytest.mark.parametrize(("steered_by", "warned"), [("yunet-sface", True), ("insightface/antelopev2", False)])
def test_the_judge_warns_when_the_generator_was_steered_by_it(portrait, monkeypatch, node, steered_by, warned):
    monkeypatch.setitem(conditioning.STEERED_BY, "pulid", steered_by)
    identity = enroll(portrait("obama"))[0]
    prompt = {"7": {"class_type": "PulidModelLoader"}}
    running = type(node.__name__, (node,), {"hidden": SimpleNamespace(prompt=prompt)})
    more = {"keep": [1], "on_none": ["stop with an error"]} if node is KeepBest else {}
    output = running.execute(images=[portrait("obama3")[None]], identity=[identity], **JUDGING, **more)
    warnings = output.ui["likeness"][0]["warnings"]
    assert any(text.startswith("Node 7 is conditioned on") for text in warnings) is warned


@pytest.mark.models
def test_keep_best_keeps_at_most_k(portrait):
    identity = enroll(portrait("obama"), portrait("obama2"))[0]
    pictures = [portrait("biden")[None], portrait("obama3")[None], portrait("obama")[None]]
    output = KeepBest.execute(images=pictures, identity=[identity], keep=[1], on_none=["stop with an error"], **JUDGING)
    assert len(output[0]) == 1
    assert output[1] is True
    assert json.loads(output[2])["kept"][0] in (1, 2)


@pytest.mark.models
def test_an_identity_survives_saving_and_loading(portrait, local):
    identity = enroll(portrait("obama"), portrait("obama2"))[0]
    (path,) = SaveIdentity.execute(identity, "people/ada").args
    loaded = LoadIdentity.execute("people/ada.safetensors")[0]
    assert path.startswith(str(local.output_dir))
    output = CheckLikeness.execute(images=[portrait("obama3")[None]], identity=[loaded], **JUDGING)
    assert output[0] is True


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "people/../../outside"])
def test_names_never_leave_their_folder(name):
    person = Identity(np.ones(4) / 2, (), 1, "yunet-sface")
    with pytest.raises(UnsafePath):
        SaveIdentity.execute(person, name)
    with pytest.raises(UnsafePath):
        LoadIdentity.execute(name)
    with pytest.raises(UnsafePath):
        LoadPhotos.execute(name)


@pytest.mark.models
def test_load_photos_reads_a_folder_in_order(portrait, local):
    folder = local.input_dir / "me"
    folder.mkdir()
    for name in ("obama2", "obama"):
        to_pil(portrait(name)).save(folder / f"{name}.png")
    (folder / "notes.txt").write_text("not a photo")
    photos, names = LoadPhotos.execute("me").args
    assert names == ["obama.png", "obama2.png"]
    assert photos[0].shape[1:] == portrait("obama").shape
    before = LoadPhotos.fingerprint_inputs("me")
    (folder / "obama.png").unlink()
    assert LoadPhotos.fingerprint_inputs("me") != before


def test_an_empty_folder_is_an_error(local):
    (local.input_dir / "empty").mkdir()
    with pytest.raises(PhotoMissing, match="empty"):
        LoadPhotos.execute("empty")
