"""Retouching on planted numbers and a real photo: only faults change, and nobody else comes out."""

import json
from typing import Any, cast

import numpy as np
import pytest
import torch

from likeness_studio.core.errors.formats import AlterationForbidden
from likeness_studio.core.imaging.colour import to_display, to_lab, to_linear
from likeness_studio.core.imaging.files import load_photo, to_pil
from likeness_studio.core.node_facts import Effect
from likeness_studio.core.portrait import retouch_lens, retouch_light
from likeness_studio.core.portrait.retouch import Retouches, retouch
from likeness_studio.core.provenance.retouched import retouch_in_file, retouches_before
from likeness_studio.core.provenance.trace import effect
from likeness_studio.nodes.retouch import SWITCHES, RetouchPhoto

OFF: dict[str, Any] = dict.fromkeys(SWITCHES, 0.0) | {"red_eye": False}


@pytest.mark.parametrize("stops", [-2.0, -0.5, 0.5, 2.0])
def test_exposure_clips_nothing_and_keeps_order_and_white(stops):
    ramp = torch.linspace(0, 1, 1024)[:, None].expand(-1, 3)
    after = retouch_light.expose(ramp, stops)
    assert bool((after[1:, 0] >= after[:-1, 0] - 1e-6).all())
    assert float(after[-2].max()) < 1
    assert float(after[-1].min()) == pytest.approx(1, abs=1e-4)
    dark = to_linear(after[100]) / to_linear(ramp[100])
    assert float(dark.mean()) == pytest.approx(2**stops, rel=1e-3)


def test_exposure_keeps_the_ratio_of_the_channels():
    colour = torch.tensor([[0.7, 0.5, 0.4]])
    before, after = to_linear(colour), to_linear(retouch_light.expose(colour, 1.5))
    assert torch.allclose(before / before.sum(), after / after.sum(), atol=1e-3)


def test_gains_leave_white_white_and_clip_nothing():
    colours = torch.rand(500, 3, generator=torch.Generator().manual_seed(1)) * 0.98
    after = retouch_light.apply_gains(colours, torch.tensor([1.4, 1.0, 0.7]))
    assert float(after.max()) < 1
    white = torch.ones(1, 3)
    assert torch.allclose(retouch_light.apply_gains(white, torch.tensor([1.4, 1.0, 0.7])), white, atol=1e-4)


def test_the_lens_tells_the_distance():
    class Mesh:
        eye_distance = 300.0

    assert retouch_lens.distance_by_lens(cast(Any, Mesh()), 4000, 3000, 26) == pytest.approx(63.1, abs=0.1)


def test_nothing_on_looks_at_nothing():
    photo = torch.rand(1, 32, 32, 3)
    image, report = RetouchPhoto.execute(photo, **OFF, camera_distance=30, focal_length=0, several_faces="refuse").args
    assert image is photo
    assert report == "[]"


def test_a_node_with_all_off_passes_on_and_one_with_a_switch_adjusts():
    node = {"class_type": "LikenessRetouchPhoto", "inputs": dict(OFF)}
    assert effect(node) is Effect.PASSES
    assert effect(node | {"inputs": OFF | {"shine": 0.5}}) is Effect.ADJUSTS
    assert effect(node | {"inputs": OFF | {"exposure": ["9", 0]}}) is Effect.ADJUSTS
    graph = {"1": node, "2": {"class_type": "LikenessMakeIDPhoto", "inputs": {"image": ["1", 0]}}}
    assert retouches_before(graph, "2") == []
    graph["1"] = node | {"inputs": OFF | {"red_eye": True}}
    assert retouches_before(graph, "2") == ["LikenessRetouchPhoto (node 1)"]


@pytest.fixture(scope="module")
def seen(portraits):
    """A real portrait that is looked at once."""
    from likeness_studio.core.faces.engines import load_engine
    from likeness_studio.core.quality.aligned_face import look_at

    photo = load_photo(sorted(portraits.rglob("*.jpg"))[0])[0][0]
    return look_at(photo, load_engine())


def _retouched(photo, **wanted):
    from likeness_studio.core.faces.engines import load_engine

    return retouch(photo, load_engine(), Retouches(**wanted))


@pytest.mark.models
def test_a_dark_face_gets_its_light_back(seen):
    dark = to_display(to_linear(seen.photo) / 4)
    found = _retouched(dark, exposure=1.0)
    (step,) = found.report["retouches"]
    assert step["done"]
    assert step["settings"]["stops"] == pytest.approx(2, abs=0.6)
    assert step["before"]["face_highlights"] < retouch_light.DARK
    assert step["after"]["face_highlights"] > 3 * step["before"]["face_highlights"]
    assert found.report["likeness"]["cosine"] > 0.9
    half = _retouched(dark, exposure=0.5).report["retouches"][0]["settings"]["stops"]
    assert half == pytest.approx(step["settings"]["stops"] / 2, abs=0.01)


@pytest.mark.models
def test_red_pupils_are_darkened_and_the_rest_is_left(seen):
    photo = seen.photo.clone()
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]]
    for eye in seen.mesh.eyes:
        disc = np.hypot(columns - eye.iris[0], rows - eye.iris[1]) < 0.4 * eye.radius
        photo[torch.from_numpy(disc)] = torch.tensor([0.8, 0.15, 0.12])
    found = _retouched(photo, red_eye=True)
    (step,) = found.report["retouches"]
    assert step["before"]["red_share_of_pupil"] > 0.5
    assert step["after"]["red_share_of_pupil"] == 0
    changed = ((found.photo - photo).abs().amax(-1) > 0.002).numpy()
    near = [np.hypot(columns - eye.iris[0], rows - eye.iris[1]) <= 0.8 * eye.radius for eye in seen.mesh.eyes]
    assert not (changed & ~(near[0] | near[1])).any()


@pytest.mark.models
def test_a_photo_without_the_fault_keeps_every_pixel(seen):
    found = _retouched(seen.photo, red_eye=True, lens_distortion=1.0)
    assert found.photo is seen.photo
    assert [step["done"] for step in found.report["retouches"]] == [False, False]
    assert "not known" in found.report["retouches"][1]["said"]


@pytest.mark.models
def test_a_cast_is_taken_away_not_the_skin(seen):
    cast = to_display(to_linear(seen.photo) * torch.tensor([1.35, 1.0, 0.5])).clamp(0, 1)
    found = _retouched(cast, white_balance=1.0)
    assert found.report["retouches"][0]["done"]
    away = [(to_lab(each) - to_lab(seen.photo))[..., 1:].norm(dim=-1).mean() for each in (cast, found.photo)]
    assert away[1] < 0.75 * away[0]


@pytest.mark.models
def test_the_perspective_goes_there_and_back(seen):
    near, _ = retouch_lens.render_from(seen.photo, seen.mesh, 150, 30)
    found = _retouched(near, lens_distortion=1.0, camera_distance=30.0)
    assert found.report["retouches"][0]["done"]
    errors = [float((each - seen.photo).abs().mean()) for each in (near, found.photo)]
    assert errors[1] < errors[0]
    corner = np.s_[:8, :8]
    assert torch.equal(near[corner], seen.photo[corner])


@pytest.mark.models
def test_what_makes_the_face_less_alike_is_refused(seen):
    from likeness_studio.core.faces.engines import load_engine

    dark = to_display(to_linear(seen.photo) / 4)
    found = retouch(dark, load_engine(), Retouches(exposure=1.0), least=1.01)
    assert found.photo is dark
    assert found.report["likeness"]["refused"]
    assert found.look


@pytest.mark.models
def test_an_id_photo_is_refused_after_a_retouch(seen, tmp_path):
    from likeness_studio.runner.api.id_photos import make_id_photos
    from likeness_studio.runner.api.workflows import run

    photo = tmp_path / "dark.png"
    to_pil(to_display(to_linear(seen.photo) / 4)).save(photo)
    result = run("retouch_photo", [photo], tmp_path / "out")
    made = next((tmp_path / "out").glob("retouched*.jpg"))
    assert result is not None
    assert "LikenessRetouchPhoto" in retouch_in_file(made)
    assert retouch_in_file(photo) == ""
    with pytest.raises(AlterationForbidden):
        make_id_photos([made], ["us-passport"], tmp_path / "id")


@pytest.mark.models
def test_the_node_reports_each_picture(seen):
    dark = to_display(to_linear(seen.photo) / 4)[None]
    given: dict[str, Any] = OFF | {"exposure": 1.0}
    output = RetouchPhoto.execute(dark, **given, camera_distance=0, focal_length=0, several_faces="refuse")
    image, report = output.args
    assert image.shape == dark.shape
    (told,) = json.loads(report)
    assert told["retouches"][0]["changed_percent"] > 50
    assert told["in_all"]["largest_change"] > 10
    assert "cosine" in output.ui["text"][0]
