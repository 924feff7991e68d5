"""The tiny autoencoder learns, is measured on photos it never saw, and goes on where it was stopped."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from likeness_studio.core.errors import TrainingDataTooSmall, TrainingDiverged, TrainingStateInvalid
from likeness_studio.core.training import draw, tiny_vae, tiny_vae_data, tiny_vae_train
from likeness_studio.core.training import tiny_vae as tiny_vae_loss

pytest.importorskip("diffusers", reason="install the generation extra to train the tiny autoencoder")

CPU = torch.device("cpu")
SHORT = tiny_vae_train.Settings(size=64, crop=32, batch=4, steps=8, seed=3)


@pytest.fixture(scope="module")
def photos(photo_folder):
    return tiny_vae_data.load(tiny_vae_data.split([photo_folder], 10), 64)


def trained(settings, photos):
    training = tiny_vae_train.start(settings, CPU, photos)
    assert tiny_vae_train.train(training, photos)
    return training


def weights(training):
    return torch.cat([value.flatten() for value in training.model.state_dict().values()])


def test_it_begins_as_shrinking_and_enlarging(photos):
    training = tiny_vae_train.start(SHORT, CPU, photos)
    picture = photos.held_out[0][0]
    smaller = torch.nn.functional.avg_pool2d(picture, 8)
    enlarged = torch.nn.functional.interpolate(smaller, scale_factor=8, mode="bilinear", align_corners=False)
    begun = tiny_vae.reconstruct(training.model, picture)
    assert tiny_vae_loss.psnr(begun, enlarged) > 20.0, "but for its clamp and the borders"
    latents = tiny_vae.encode(training.model, picture).detach()
    assert latents[:, :3].std().item() == pytest.approx(1.0, abs=0.5)


def test_a_few_dozen_steps_lower_the_loss_and_raise_the_fidelity(photo_folder):
    photos = tiny_vae_data.load(tiny_vae_data.split([photo_folder], 10), 128)
    settings = tiny_vae_train.Settings(size=128, crop=48, batch=4, steps=60, rate=3e-4)
    training = tiny_vae_train.start(settings, CPU, photos)
    before = tiny_vae_train.measure(training, photos)
    losses = []
    tiny_vae_train.train(training, photos, lambda progress: losses.append(progress.loss))
    after = training.history[-1]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    assert after.psnr > before.psnr + 0.3
    assert len(training.history) == tiny_vae_train.MEASURED_TIMES
    assert 0.5 < after.latent_deviation < 2.0


def test_a_stopped_training_goes_on_as_if_it_had_not_been(photos, tmp_path):
    whole = trained(SHORT, photos)
    first = tiny_vae_train.start(SHORT, CPU, photos)
    assert not tiny_vae_train.train(first, photos, stopped=lambda: first.step == 3)
    assert first.step == 3
    tiny_vae_train.save_state(first, tmp_path / "state.safetensors")
    second = tiny_vae_train.load_state(tmp_path / "state.safetensors", SHORT, CPU, photos)
    assert second.step == 3
    assert tiny_vae_train.train(second, photos)
    assert torch.equal(weights(second), weights(whole))
    assert [each.step for each in second.history] == [each.step for each in whole.history]
    assert second.history[-1].psnr == whole.history[-1].psnr


def test_the_seed_decides(photos):
    first, again = trained(SHORT, photos), trained(SHORT, photos)
    other = trained(tiny_vae_train.Settings(size=64, crop=32, batch=4, steps=8, seed=4), photos)
    assert torch.equal(weights(first), weights(again))
    assert not torch.allclose(weights(first), weights(other))


def test_training_works_in_inference_mode(photos):
    with torch.inference_mode():
        training = trained(SHORT, photos)
    assert training.step == SHORT.steps


def test_a_state_of_other_settings_is_refused(photos, tmp_path):
    tiny_vae_train.save_state(tiny_vae_train.start(SHORT, CPU, photos), tmp_path / "state.safetensors")
    other = tiny_vae_train.Settings(size=64, crop=32, batch=5, steps=8, seed=3)
    with pytest.raises(TrainingStateInvalid, match="batch 4"):
        tiny_vae_train.load_state(tmp_path / "state.safetensors", other, CPU, photos)


@pytest.mark.parametrize("content", [None, b"", b"\x80\x04pickle", b"\xff" * 200])
def test_a_state_that_is_none_is_refused(content, photos, tmp_path):
    file = tmp_path / "state.safetensors"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TrainingStateInvalid):
        tiny_vae_train.load_state(file, SHORT, CPU, photos)
    with pytest.raises(TrainingStateInvalid):
        tiny_vae.load(file)


def test_a_safetensors_file_of_something_else_is_refused(photos, tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(TrainingStateInvalid):
        tiny_vae_train.load_state(tmp_path / "other.safetensors", SHORT, CPU, photos)
    with pytest.raises(TrainingStateInvalid):
        tiny_vae.load(tmp_path / "other.safetensors")


def test_a_rate_that_is_too_high_is_told(photos):
    settings = tiny_vae_train.Settings(size=64, crop=32, batch=2, steps=50, rate=1e18)
    with pytest.raises(TrainingDiverged, match="--rate"):
        trained(settings, photos)


@pytest.mark.parametrize(("family", "scale"), [("sd15", 0.18215), ("sdxl", 0.13025)])
def test_the_file_has_the_names_that_comfyui_reads_and_comes_back(photos, tmp_path, family, scale):
    training = trained(SHORT, photos)
    tiny_vae.save(training.model, tmp_path / "vae.safetensors", family, {})
    tensors = load_file(tmp_path / "vae.safetensors")
    shapes = {key: tuple(value.shape) for key, value in tensors.items()}
    assert shapes["taesd_decoder.1.weight"] == (64, 4, 3, 3), "VAELoader knows the kind by it"
    assert shapes["taesd_encoder.0.weight"] == (64, 3, 3, 3)
    assert shapes["taesd_encoder.14.weight"] == (4, 64, 3, 3)
    assert shapes["taesd_decoder.18.conv.0.weight"] == (64, 64, 3, 3)
    assert shapes["taesd_decoder.19.weight"] == (3, 64, 3, 3)
    assert tensors["vae_scale"].item() == pytest.approx(scale)
    assert tensors["vae_shift"].item() == 0.0
    again = tiny_vae.load(tmp_path / "vae.safetensors")
    picture = photos.held_out[0][0]
    expected = tiny_vae.reconstruct(training.model, picture)
    assert torch.allclose(tiny_vae.reconstruct(again, picture), expected, atol=1e-5)


def test_the_picture_shows_held_out_photos_above_what_became_of_them(photos):
    sheet = draw(tiny_vae_train.start(SHORT, CPU, photos), photos)
    assert sheet.size == (192, 384)
    colours = sheet.crop((0, 0, 192, 192)).getcolors(192 * 192)
    assert colours is not None
    assert len(colours) > 1000, "the photo is there"


def test_held_out_photos_are_chosen_by_name_before_training(photo_folder, tmp_path):
    for size in (32, 64):
        (tmp_path / str(size)).mkdir()
        for index in range(60):
            Image.new("RGB", (size, size)).save(tmp_path / str(size) / f"person{index}.png")
    (folder,) = tiny_vae_data.split([tmp_path], 1000)
    held_out = {path.stem for path in folder.held_out}
    assert not held_out & {path.stem for path in folder.training}, "a copy in another size is on the same side"
    assert 2 <= len(held_out) <= tiny_vae_data.MAX_MEASURED
    assert tiny_vae_data.split([tmp_path], 1000)[0] == folder
    assert len(tiny_vae_data.split([tmp_path, photo_folder], 10)[0].training) == 5


def test_no_copy_of_a_held_out_photo_is_trained_on(tmp_path):
    """Also where too few photos are there for the draw to hold one out, and where folders share photos."""
    for folder, count in (("small", 3), ("large", 40)):
        for size in ("32", "64"):
            (tmp_path / folder / size).mkdir(parents=True)
            for index in range(count):
                (tmp_path / folder / size / f"portrait{index}.png").touch()
    for chosen in (["small"], ["small", "large"], ["large", "small"]):
        folders = tiny_vae_data.split([tmp_path / name for name in chosen], 1000)
        held_out = {path.stem for folder in folders for path in folder.held_out}
        assert not held_out & {path.stem for folder in folders for path in folder.training}
        assert all(folder.held_out and folder.training for folder in folders)


def test_photos_in_memory_take_a_byte_a_colour(photos, monkeypatch, photo_folder):
    kept = []
    real = tiny_vae_data._read
    monkeypatch.setattr(tiny_vae_data, "_read", lambda *values: kept.append(real(*values)) or kept[-1])
    tiny_vae_data.load(tiny_vae_data.split([photo_folder], 10), 64)
    assert {image.dtype for image in kept[0]} == {torch.uint8}


def test_too_few_photos_are_refused(tmp_path):
    with pytest.raises(TrainingDataTooSmall, match="no folder"):
        tiny_vae_data.split([tmp_path / "nowhere"], 10)
    Image.new("RGB", (64, 64)).save(tmp_path / "only.png")
    with pytest.raises(TrainingDataTooSmall, match="1 photos"):
        tiny_vae_data.split([tmp_path], 10)
    for index in range(3):
        (tmp_path / f"broken{index}.jpg").write_bytes(b"no picture")
    with pytest.raises(TrainingDataTooSmall, match="can be read"):
        tiny_vae_data.load(tiny_vae_data.split([tmp_path], 10), 64)


def test_crops_are_varied_and_in_range(photos):
    generator = torch.Generator().manual_seed(1)
    crops = photos.crops(16, 32, generator)
    assert crops.shape == (16, 3, 32, 32)
    assert crops.min() >= 0.0
    assert crops.max() <= 1.0
    assert len({round(crop.mean().item(), 6) for crop in crops}) == 16


def test_a_crop_larger_than_a_small_photo_is_enlarged(tmp_path):
    photos = tiny_vae_data.Photos(64, training=[[torch.full((3, 20, 30), 128, dtype=torch.uint8)]])
    crops = photos.crops(4, 64, torch.Generator().manual_seed(1))
    assert crops.shape == (4, 3, 64, 64)


def test_the_loss_of_a_perfect_copy_is_only_the_latents():
    picture = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    latents = torch.randn(2, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    parts = tiny_vae_loss.loss(picture, picture, latents)
    assert parts.pixels == 0.0
    assert parts.spectrum == 0.0
    assert parts.latents < 1e-3
    assert tiny_vae_loss.unit_size(2.0 * latents).item() == pytest.approx(1.0, abs=0.1)
    assert tiny_vae_loss.unit_size(latents + 2.0).item() == pytest.approx(4.0, abs=0.1)


def test_psnr_is_the_known_figure():
    picture = torch.full((1, 3, 8, 8), 0.5)
    assert tiny_vae_loss.psnr(picture, picture + 0.1) == pytest.approx(20.0, abs=1e-4)
    assert tiny_vae_loss.psnr(picture, picture) == 100.0


def test_the_rate_rises_and_falls():
    values = [tiny_vae_train.schedule(done / 100) for done in range(101)]
    assert values[0] < 0.1
    assert max(values) == values[5] == pytest.approx(1.0)
    assert values[100] == pytest.approx(tiny_vae_train.LAST_RATE)
    assert all(before > after for before, after in itertools.pairwise(values[5:]))
    assert math.isclose(values[52], 0.51, abs_tol=0.02)
