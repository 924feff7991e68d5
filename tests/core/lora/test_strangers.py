"""Checkpoints, VAEs and other files among the LoRAs are called by their name, and LoRAs are not."""

import pytest

from likeness_studio.core.lora import file_kind


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        (["model.diffusion_model.input_blocks.0.0.weight", "first_stage_model.decoder.conv_in.weight"], "checkpoints"),
        (["encoder.conv_in.weight", "decoder.conv_in.weight"], "vae"),
        (["encoder.down_blocks.0.resnets.0.conv1.weight", "decoder.mid_block.attentions.0.to_q.weight"], "vae"),
        (["first_stage_model.encoder.conv_in.weight"], "vae"),
        (["decoder.layers.0.weight", "encoder.layers.0.weight"], "vae"),
        (["emb_params"], "embeddings"),
        (["clip_l", "clip_g"], "embeddings"),
        (["lora_controlnet", "input_blocks.1.1.proj_in.up", "input_blocks.1.1.proj_in.down"], "controlnet"),
        (["control_model.input_blocks.0.0.weight"], "controlnet"),
        (["controlnet_cond_embedding.conv_in.weight", "down_blocks.0.resnets.0.conv1.weight"], "controlnet"),
        (["image_proj.proj.weight", "ip_adapter.1.to_k_ip.weight"], "ipadapter"),
        (["down_blocks.0.motion_modules.0.temporal_transformer.proj_in.weight"], "animatediff_models"),
        (["double_blocks.0.img_attn.qkv.weight"], "diffusion_models"),
        (["text_model.encoder.layers.0.mlp.fc1.weight"], "text_encoders"),
        (["encoder.block.0.layer.0.SelfAttention.q.weight"], "text_encoders"),
    ],
)
def test_what_it_is_and_where_it_belongs(names, folder):
    assert (file_kind(names) or "").endswith(f"which belongs into models/{folder}")


@pytest.mark.parametrize(
    "names",
    [
        ["somebody.else"],
        ["double_blocks.0.processor.qkv_lora1.down.weight"],
        ["lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight"],
    ],
)
def test_what_is_not_known_gets_no_name(names):
    assert file_kind(names) is None
