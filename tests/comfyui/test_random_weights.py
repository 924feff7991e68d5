"""The names of the random-weight checkpoints are the published ones: diffusers' own converter takes them all back."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def shapes_only(random_weights, monkeypatch):
    monkeypatch.setattr(
        random_weights, "random_tensor", lambda name, shape, gain=1.0: torch.empty(shape, device="meta")
    )
    return random_weights


@pytest.mark.parametrize(("family", "tensors", "billions"), [("SD15_UNET", 686, 0.860), ("SDXL_UNET", 1680, 2.567)])
def test_every_tensor_of_the_network_has_its_published_name(shapes_only, family, tensors, billions):
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    config = getattr(shapes_only, family)
    with torch.device("meta"):
        network = UNet2DConditionModel(**config)
    checkpoint = {f"model.diffusion_model.{key}": value for key, value in shapes_only.unet_weights(config)}
    back = convert_ldm_unet_checkpoint(checkpoint, network.config)
    expected = {key: value.shape for key, value in network.state_dict().items()}
    assert {key: value.shape for key, value in back.items()} == expected
    assert len(checkpoint) == tensors
    assert sum(value.numel() for value in checkpoint.values()) / 1e9 == pytest.approx(billions, abs=1e-3)


def test_the_text_encoder_has_the_prefix_that_checkpoints_have(shapes_only):
    keys = dict(shapes_only.text_weights(shapes_only.CLIP_L))
    assert len(keys) == 196
    assert all(key.startswith("text_model.") for key in keys)
    assert keys["text_model.embeddings.token_embedding.weight"].shape == (49408, 768)


def test_the_large_text_encoder_is_laid_out_as_openclip_does(random_weights):
    small = random_weights.CLIP_G | {"num_hidden_layers": 2}
    weights = dict(random_weights.text_weights(small))
    laid_out = random_weights.open_clip_layout(weights)
    assert sum(value.numel() for value in laid_out.values()) == sum(value.numel() for value in weights.values())
    joined = laid_out["transformer.resblocks.1.attn.in_proj_weight"]
    assert joined.shape == (3840, 1280)
    assert torch.equal(joined[1280:2560], weights["text_model.encoder.layers.1.self_attn.k_proj.weight"])
    assert torch.equal(laid_out["text_projection"].T, weights["text_projection.weight"])
    assert {"token_embedding.weight", "positional_embedding", "ln_final.bias"} <= set(laid_out)


def test_values_are_tame_and_the_same_every_time(random_weights):
    first = random_weights.random_tensor("layer.weight", (640, 320, 3, 3))
    assert first.dtype == torch.float16
    assert torch.equal(first, random_weights.random_tensor("layer.weight", (640, 320, 3, 3)))
    assert not torch.equal(first, random_weights.random_tensor("other.weight", (640, 320, 3, 3)))
    assert first.float().std().item() == pytest.approx((320 * 9) ** -0.5, rel=0.02)
    assert torch.equal(random_weights.random_tensor("norm.weight", (4,)), torch.ones(4).half())
    assert torch.equal(random_weights.random_tensor("norm.bias", (4,)), torch.zeros(4).half())
