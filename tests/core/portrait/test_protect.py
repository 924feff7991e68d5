"""Protect Face: the oval follows the head, what stays stays in the latent too, nothing is guessed without a matte."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from likeness_studio.core import host
from likeness_studio.core.choices import Protect
from likeness_studio.core.errors import FaceNotUsable, MatteMissing, ShapeMismatch
from likeness_studio.core.faces import Face
from likeness_studio.core.imaging import distance_to, rotate
from likeness_studio.core.portrait import (
    EYE_TO_HAIRLINE,
    SOLID,
    ProtectOptions,
    cells_of,
    face_oval,
    kept_region,
    protect_masks,
)
from likeness_studio.nodes.face import ProtectFace

FRONTAL = np.array([[-0.5, 0], [0.5, 0], [0, 0.6], [-0.4, 1.155], [0.4, 1.155]])


def landmarks(unit=40.0, middle=(128.0, 110.0), degrees=0.0, turned=0.0):
    """A face of that eye distance; `turned` moves the nose to the side, in eye distances."""
    points = FRONTAL * unit + np.array(middle)
    points[2, 0] += turned * unit
    return rotate(points, middle, degrees)


class _Faces:
    models = ({"name": "d", "licence": "x", "commercial": "yes", "use": "face detection"},)

    def __init__(self, *faces):
        self.faces = [Face((0.0, 0.0, 50.0, 50.0), points, 0.9) for points in faces]

    def detect(self, image):
        return [] if image.shape[0] == image.shape[1] == 320 else self.faces


def person(height=256, width=256):
    """A matte of a head with shoulders, and a raised hand that does not touch the head above the chin."""
    matte = torch.zeros(height, width)
    matte[40:200, 85:171] = 1
    matte[190:, 20:236] = 1
    matte[60:, 225:240] = 1
    return matte


def protect(points, *, size=(256, 256), matte=None, **options):
    height, width = size
    return protect_masks(points, height, width, ProtectOptions(**options), matte)


def test_distances_are_exact():
    mask = torch.rand(61, 47, generator=torch.Generator().manual_seed(3)) > 0.985
    places = torch.nonzero(mask).float()
    grid = torch.stack(torch.meshgrid(torch.arange(61.0), torch.arange(47.0), indexing="ij"), -1)
    true = torch.cdist(grid.reshape(-1, 2), places).min(1).values.reshape(61, 47)
    assert int(mask.sum()) > 5
    assert torch.allclose(distance_to(mask, 100), true, atol=1e-4)
    assert torch.allclose(distance_to(mask, 5), true.clamp(max=5), atol=1e-4)
    assert torch.equal(distance_to(torch.zeros(5, 6, dtype=torch.bool), 3), torch.full((5, 6), 3.0))


def test_far_from_the_mask_distances_are_near_enough():
    x, y = torch.arange(300)[None] - 40, torch.arange(410)[:, None] - 60
    true = ((x**2 + y**2).float().sqrt() - 20).clamp_min(0)
    mask, limit = true == 0, 330.0
    found, wanted = distance_to(mask, limit), true.clamp(max=limit)
    assert float((found - wanted).abs().max()) <= 0.015 * limit
    exact = distance_to(mask, 100)
    assert torch.equal(found[exact < 100], exact[exact < 100])
    assert bool((found[mask] == 0).all())
    assert torch.equal(distance_to(torch.zeros(5, 6, dtype=torch.bool), limit), torch.full((5, 6), limit))


def test_a_frontal_face_is_an_upright_symmetric_oval_from_hairline_to_chin():
    inside = kept_region(Protect.FACE, face_oval(landmarks()), 256, 257)
    assert torch.equal(inside, inside.flip(1)), "symmetric about the nose"
    rows = torch.nonzero(inside.any(1))[:, 0]
    assert (110 - int(rows[0])) / 40 == pytest.approx(EYE_TO_HAIRLINE, abs=0.05)
    assert (int(rows[-1]) - 110) / 40 == pytest.approx(1.88, abs=0.05)
    columns = torch.nonzero(inside.any(0))[:, 0]
    assert (int(columns[-1]) - int(columns[0])) / 40 == pytest.approx(2.24, abs=0.1)


@pytest.mark.parametrize("degrees", [-40, -12, 25, 90])
def test_the_oval_turns_with_the_head(degrees):
    upright = face_oval(landmarks()).inside(256, 256)
    turned = face_oval(landmarks(degrees=degrees)).inside(256, 256)
    assert int(turned.sum()) == pytest.approx(int(upright.sum()), rel=0.02)
    places = torch.nonzero(upright).float().flip(1).numpy()
    spun = np.rint(rotate(places, (128.0, 110.0), degrees)).astype(int)
    hit = turned[spun[:, 1].clip(0, 255), spun[:, 0].clip(0, 255)].float().mean()
    assert hit > 0.97


@pytest.mark.parametrize("side", [-1, 1])
def test_a_turned_head_shows_more_of_the_near_cheek(side):
    oval = face_oval(landmarks(turned=0.25 * side))
    near, far = (oval.left, oval.right) if side > 0 else (oval.right, oval.left)
    assert near > 1.2 * far
    assert near + far == pytest.approx(2 * 1.12 * oval.unit, rel=0.08)


def test_every_landmark_of_a_turned_and_tilted_head_is_inside():
    for degrees in range(-60, 61, 20):
        for turned in (-0.3, 0.0, 0.3):
            points = landmarks(degrees=degrees, turned=turned)
            inside = face_oval(points).inside(256, 256)
            assert all(inside[round(y), round(x)] for x, y in points)


def test_the_matte_cuts_the_face_off_and_gives_hair_and_person():
    points, matte = landmarks(), person()
    regions = {each: kept_region(each, face_oval(points), 256, 256, matte) for each in Protect}
    solid = matte >= SOLID
    assert all(bool((region & ~solid).sum() == 0) for region in regions.values())
    assert torch.equal(regions[Protect.PERSON], solid)
    head, face = regions[Protect.HEAD], regions[Protect.FACE]
    assert bool((face & ~head).sum() == 0), "the face is part of face and hair"
    assert bool(head[45, 100]), "the hair above the oval is kept"
    assert not bool(face[45, 100])
    assert not bool(head[60:, 225:].any()), "the raised hand is not"
    assert not bool(head[200:].any()), "neither are the shoulders"


def test_a_collar_beside_the_jaw_is_no_hair():
    points = landmarks()
    matte = torch.zeros(256, 256)
    matte[40:200, 88:169] = 1
    matte[160:, 60:200] = 1
    head = kept_region(Protect.HEAD, face_oval(points), 256, 256, matte)
    assert bool(head[140, 90]), "the cheek"
    assert not bool(head[165:, :85].any() or head[165:, 172:].any()), "the collar"
    assert bool(head[165, 110:146].all()), "the chin"


def test_long_hair_may_fall_straight_and_shoulders_do_not_count():
    points = landmarks()
    matte = torch.zeros(256, 256)
    matte[40:200, 62:195] = 1
    matte[160:, 20:240] = 1
    head = kept_region(Protect.HEAD, face_oval(points), 256, 256, matte)
    assert bool(head[150, 70]), "hair at the height of the mouth"
    assert not bool(head[160:, :60].any() or head[160:, 197:].any()), "the shoulders"


def test_hair_without_a_matte_is_refused():
    for wanted in (Protect.HEAD, Protect.PERSON):
        with pytest.raises(MatteMissing, match=str(wanted.value)):
            protect(landmarks(), protect=wanted)


def sampled(change, cell, **how):
    size = (change.shape[0] // cell, change.shape[1] // cell)
    return F.interpolate(change[None, None], size=size, **how)[0, 0]


@pytest.mark.parametrize("cell", [8, 16])
@pytest.mark.parametrize("feather", [0.0, 0.4])
def test_no_latent_cell_that_touches_the_face_may_change(cell, feather):
    change, keep, _ = protect(landmarks(degrees=7), cell=cell, feather=feather)
    touched = F.max_pool2d(keep[None, None], cell)[0, 0] > 0
    for how in ({"mode": "bilinear"}, {"mode": "nearest"}, {"mode": "area"}, {"mode": "bilinear", "antialias": False}):
        latent = sampled(change, cell, **how)
        assert float(latent[touched].max()) == 0, how
    assert float(sampled(change, cell, mode="bilinear").max()) == 1


@pytest.mark.parametrize("size", [(256, 256), (253, 251), (260, 247), (250, 263)])
def test_sizes_that_comfyui_crops_are_covered_as_well(size):
    """ComfyUI crops the picture evenly to whole cells, and stretches the noise mask over all of it."""
    height, width = size
    change, keep, report = protect(landmarks(), size=size)
    assert bool(report["notes"]) is (size != (256, 256))
    rows, columns = height // 8, width // 8
    top, left = height % 8 // 2, width % 8 // 2
    cropped = keep[top : top + 8 * rows, left : left + 8 * columns]
    touched = F.max_pool2d(cropped[None, None], 8)[0, 0] > 0
    stretched = sampled(change, 8, mode="bilinear")
    same_crop = F.interpolate(
        change[top : top + 8 * rows, left : left + 8 * columns][None, None], size=(rows, columns), mode="bilinear"
    )[0, 0]
    assert float(stretched[touched].max()) == 0
    assert float(same_crop[touched].max()) == 0


def test_vae_encode_for_inpainting_with_its_default_growth_leaves_the_face_alone():
    """That node rounds the mask and grows it by 6: a 6 x 6 window, 3 pixels to each side."""
    change, keep, _ = protect(landmarks(), feather=0.0)
    grown = F.max_pool2d(change.round()[None, None], 7, 1, 3)[0, 0]
    touched = F.max_pool2d(keep[None, None], 8)[0, 0] > 0
    assert float(sampled(grown, 8, mode="bilinear")[touched].max()) == 0


def test_keep_is_hard_and_change_is_feathered_outside_only():
    change, keep, report = protect(landmarks(), feather=0.5, cell=1)
    assert set(keep.unique().tolist()) == {0.0, 1.0}
    assert float(change[keep > 0].max()) == 0
    distance = distance_to(keep > 0, 60)
    assert float(change[distance > report["feather_pixels"] + 1].min()) == 1
    inside_edge = change[(distance > 0) & (distance < report["feather_pixels"])]
    assert 0 < float(inside_edge.min()) < 0.02
    assert float(inside_edge.max()) > 0.9
    order = torch.argsort(distance.flatten())
    assert bool((change.flatten()[order].diff() >= -1e-6).all()), "it rises with the distance"


@pytest.mark.parametrize("grow", [-0.2, 0.0, 0.3])
def test_grow_is_in_eye_distances(grow):
    plain = protect(landmarks(), cell=1)[1] > 0
    grown = protect(landmarks(), cell=1, grow=grow)[1] > 0
    rows = [torch.nonzero(each.any(1))[:, 0] for each in (plain, grown)]
    assert int(rows[0][0] - rows[1][0]) == pytest.approx(40 * grow, abs=1)
    assert int(rows[1][-1] - rows[0][-1]) == pytest.approx(40 * grow, abs=1)


def test_the_same_settings_suit_any_size():
    small, large = (
        protect(landmarks(unit, (size / 2, size / 2)), size=(size, size), cell=1)[2]
        for unit, size in ((20, 128), (80, 512))
    )
    assert large["feather_pixels"] == pytest.approx(4 * small["feather_pixels"], rel=0.02)
    assert large["kept_percent"] == pytest.approx(small["kept_percent"], rel=0.03)


def test_cells_cover_what_they_touch_and_no_more():
    keep = torch.zeros(32, 48, dtype=torch.bool)
    keep[7, 16] = True
    grown = cells_of(keep, 8)
    assert int(grown.sum()) == 64
    assert bool(grown[0:8, 16:24].all())
    assert torch.equal(cells_of(keep, 1), keep)
    assert torch.equal(cells_of(keep, 64), keep), "a picture smaller than a cell"


def test_what_is_odd_is_said():
    empty = protect(landmarks(), matte=torch.zeros(256, 256))
    assert "Nothing is protected" in empty[2]["notes"][0]
    assert float(empty[0].min()) == 1
    full = protect(landmarks(), protect=Protect.PERSON, matte=torch.ones(256, 256))
    assert "Nothing may change" in full[2]["notes"][0]


# --- the node ---


@pytest.fixture
def _surroundings(tmp_path):
    with host.use(host.LocalHost(tmp_path / "input", tmp_path / "output", tmp_path / "temp")):
        yield


def run(image, engine, mask=None, wanted="face", several="refuse"):
    return ProtectFace.execute(image, wanted, 0.0, 0.3, 8, several, mask=mask, engine=engine)


@pytest.mark.usefixtures("_surroundings")
class TestNode:
    def test_a_batch_has_a_mask_and_a_report_for_each(self):
        image = torch.rand(2, 256, 240, 3)
        change, keep, text = run(image, _Faces(landmarks()), person(256, 240), "face and hair").args
        assert change.shape == keep.shape == (2, 256, 240)
        reports = json.loads(text)
        assert [report["picture"] for report in reports] == [0, 1]
        assert reports[1]["box"] == [0.0, 0.0, 50.0, 50.0]
        assert reports[0]["kept_percent"] == pytest.approx(100 * float(keep[0].mean()), abs=0.01)

    def test_none_and_several_faces_are_refused(self):
        image = torch.rand(1, 256, 240, 3)
        with pytest.raises(FaceNotUsable, match="no face"):
            run(image, _Faces())
        with pytest.raises(FaceNotUsable, match="2 faces"):
            run(image, _Faces(landmarks(), landmarks()))
        assert run(image, _Faces(landmarks(), landmarks()), several="largest")[1].sum() > 0

    def test_a_matte_of_another_size_is_refused(self):
        with pytest.raises(ShapeMismatch, match="mask is 256 x 256"):
            run(torch.rand(1, 256, 240, 3), _Faces(landmarks()), person())


@pytest.mark.models
@pytest.mark.usefixtures("_surroundings")
def test_on_a_real_photo(astronaut):
    from likeness_studio.core.imaging import load_photo
    from likeness_studio.nodes.portrait import MattePerson

    photo = load_photo(astronaut)[0]
    matte = MattePerson.execute(photo, "u2net", "cpu")[0]
    masks = {wanted: run(photo, None, matte, wanted.value)[1][0] for wanted in Protect}
    face, head, whole = (masks[wanted] > 0 for wanted in Protect)
    eyes_and_mouth = [(113, 207), (113, 246), (150, 225)]
    assert all(face[y, x] for y, x in eyes_and_mouth)
    assert bool(head[30, 225])
    assert not bool(face[30, 225]), "hair is not face"
    assert not bool(head[300:].any()), "the suit is not hair"
    assert bool(whole[300, 200])
    assert 0.02 < float(face.float().mean()) < 0.06
