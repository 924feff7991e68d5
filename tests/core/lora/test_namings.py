"""LoRAs as trainers and publishers name them: merged under names that ComfyUI loads, or refused; nothing gets lost."""

import json

import pytest
import torch
from safetensors.torch import save_file

from likeness_studio.core.errors.formats import LoraMatchesNothing, LoraNotMergeable
from likeness_studio.core.lora import Source, bias_of, canonical, delta_of, flat, loads, metadata_of, open_path, save
from likeness_studio.core.lora.inspect import naming
from likeness_studio.core.lora.merge import common_family, merge
from likeness_studio.nodes.lora_patching import Target, _known_names

PEFT, KOHYA, DIFFUSERS = ("lora_B", "lora_A"), ("lora_up", "lora_down"), ("lora.up", "lora.down")


@pytest.fixture
def lora(tmp_path):
    """Writes a LoRA of rank 2 on layers of [8, 8] (or of other shapes) and opens it."""

    def build(name, bases, ending=KOHYA, metadata=None, more=None, width=8):
        generator = torch.Generator().manual_seed(len(name) + sum(map(ord, name)))
        tensors = dict(more or {})
        for base in bases:
            tensors[f"{base}.{ending[0]}.weight"] = torch.randn(8, 2, generator=generator)
            tensors[f"{base}.{ending[1]}.weight"] = torch.randn(2, width, generator=generator)
        path = tmp_path / f"{name}.safetensors"
        save_file(tensors, path, metadata)
        return open_path(path, path.name)

    return build


def whole(file):
    """The change of a file's only layer."""
    (layer,) = file.layers.found.values()
    return flat(delta_of(layer, file.read()))


def layers_of_merge(merged):
    return {name.rpartition(".lora_")[0] for name in merged.tensors if ".lora_" in name}


def test_a_name_of_a_weight_with_swapped_halves_has_the_shape_of_the_weight():
    target = Target({"norm_out": ("w", None, torch.flip), "part": ("w", (0, 0, 2))}, {"w": (4, 8)}, 0)
    assert target.shape("norm_out") == (4, 8)
    assert target.shape("part") == (2, 8)


@pytest.mark.parametrize(
    ("family", "alike"),
    [
        ("Flux", ["transformer.norm_out.linear", "lora_transformer_norm_out_linear", "lycoris_norm_out_linear"]),
        ("SD 3", ["transformer.norm_out.linear", "base_model.model.norm_out.linear", "lycoris_norm_out_linear"]),
        ("SD 3", ["base_model.model.transformer_blocks.0.ff.net.2", "lora_unet_joint_blocks_0_x_block_mlp_fc2"]),
        ("SD 3", ["transformer.transformer_blocks.0.attn.to_q", "base_model.model.transformer_blocks.0.attn.to_q"]),
        ("Flux", ["transformer.transformer_blocks.3.attn.to_out.0", "lora_unet_double_blocks_3_img_attn_proj"]),
        ("Flux", ["lora_transformer_single_transformer_blocks_3_proj_out", "diffusion_model.single_blocks.3.linear2"]),
        ("Hunyuan Video", ["transformer.double_blocks.1.img_mlp.fc1", "lora_unet_double_blocks_1_img_mlp_0"]),
        ("Hunyuan Video", ["Hunyuan_video_I2V_lora_single_blocks_1_modulation_linear",
                           "lora_unet_single_blocks_1_modulation_lin"]),
        ("Z-Image", ["lora_unet_layers_0_attention_to_q", "transformer.layers.0.attention.to_q"]),
        ("Z-Image", ["lora_unet_layers_0_attention_to_out_0", "diffusion_model.layers.0.attention.out"]),
        ("Wan", ["lora_unet__blocks_0_cross_attn_k", "diffusion_model.blocks.0.cross_attn.k"]),
        ("SDXL", ["text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1",
                  "lora_te1_text_model_encoder_layers_0_mlp_fc1", "text_encoder.text_model.encoder.layers.0.mlp.fc1"]),
        ("SDXL", ["text_encoders.clip_g.transformer.text_model.encoder.layers.0.mlp.fc1",
                  "lora_te2_text_model_encoder_layers_0_mlp_fc1",
                  "text_encoder_2.text_model.encoder.layers.0.mlp.fc1"]),
        ("SD 1.5", ["text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1",
                    "lora_te_text_model_encoder_layers_0_mlp_fc1"]),
        ("Flux", ["lora_te2_encoder_block_0_layer_0_SelfAttention_q",
                  "lora_te3_encoder_block_0_layer_0_SelfAttention_q",
                  "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q"]),
    ],
)  # fmt: skip
def test_names_of_one_layer_are_one_name_that_comfyui_loads(family, alike):
    assert len({canonical(name, family) for name in alike}) == 1
    assert all(loads(name, family) for name in alike)
    own = canonical(alike[0], family)
    assert canonical(own, family) == own


def test_a_part_of_a_fused_weight_keeps_its_own_name():
    fused = canonical("lora_unet_double_blocks_0_img_attn_qkv", "Flux")
    parts = {canonical(f"transformer.transformer_blocks.0.attn.to_{part}", "Flux") for part in "qkv"}
    assert len(parts | {fused}) == 4


@pytest.mark.parametrize(
    ("family", "one", "other"),
    [
        ("sdxl", "text_encoders.clip_l.transformer.text_model.encoder.layers.0.self_attn.q_proj",
         "lora_te1_text_model_encoder_layers_0_self_attn_q_proj"),
        ("sd_v1", "text_encoders.clip_l.transformer.text_model.encoder.layers.0.self_attn.q_proj",
         "text_encoder.text_model.encoder.layers.0.self_attn.q_proj"),
        ("hunyuan_video", "diffusion_model.double_blocks.0.img_mlp.fc1", "lora_unet_double_blocks_0_img_mlp_0"),
        ("flux1", "transformer.single_transformer_blocks.0.proj_out", "lora_unet_single_blocks_0_linear2"),
    ],
)  # fmt: skip
def test_two_names_of_one_weight_are_one_layer_of_a_merge(family, one, other, lora):
    files = [lora(str(number), [base], metadata={"ss_base_model_version": family}) for number, base in
             enumerate((one, other))]  # fmt: skip
    merged = merge([Source(file, 0.7, 0.7) for file in files], 0)
    (base,) = layers_of_merge(merged)
    change = merged.tensors[f"{base}.lora_up.weight"] @ merged.tensors[f"{base}.lora_down.weight"]
    assert torch.allclose(change.double(), 0.7 * whole(files[0]) + 0.7 * whole(files[1]), atol=1e-5)


def test_two_names_of_one_weight_in_one_file_are_refused(lora):
    bases = ["diffusion_model.double_blocks.0.img_mlp.fc1", "lora_unet_double_blocks_0_img_mlp_0"]
    file = lora("twice", bases, metadata={"ss_base_model_version": "hunyuan_video"})
    with pytest.raises(LoraNotMergeable, match=r"twice\.safetensors has one layer twice"):
        merge([Source(file, 1, 1)], 0)


def test_a_merge_of_flash_sd3_is_written_under_names_that_comfyui_loads(lora):
    bases = [
        f"base_model.model.transformer_blocks.{block}.attn.{part}" for block in (0, 1) for part in ("to_q", "to_out.0")
    ]
    file = lora("flash", bases, PEFT, width=1536)
    assert file.family.name == "SD 3"
    assert layers_of_merge(merge([Source(file, 1, 1)], 0)) == {
        "lora_transformer_transformer_blocks_0_attn_to_q", "lora_unet_joint_blocks_0_x_block_attn_proj",
        "lora_transformer_transformer_blocks_1_attn_to_q", "lora_unet_joint_blocks_1_x_block_attn_proj",
    }  # fmt: skip


def test_every_block_of_xlabs_is_merged(lora):
    names = [f"double_blocks.0.processor.{part}_lora{stream}" for part in ("qkv", "proj") for stream in (1, 2)]
    file = lora("xlabs", [*names, "single_blocks.0.processor.qkv_lora", "single_blocks.0.processor.proj_lora"],
                ("up", "down"))  # fmt: skip
    assert file.layers.other == []
    assert naming(file) == "XLabs"
    assert layers_of_merge(merge([Source(file, 1, 1)], 0)) == {
        "lora_unet_double_blocks_0_img_attn_qkv", "lora_unet_double_blocks_0_txt_attn_qkv",
        "lora_unet_double_blocks_0_img_attn_proj", "lora_unet_double_blocks_0_txt_attn_proj",
        "diffusion_model.single_blocks.0.linear1_qkv", "lora_unet_single_blocks_0_linear2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("base", "more", "words"),
    [
        ("diffusion_model.blocks.0.cross_attn.k", {"diffusion_model.blocks.0.diff_m": torch.ones(1, 6, 8)},
         "diff_m' is of no"),
        ("diffusion_model.blocks.0.cross_attn.k", {"bundle_emb.sks.string_to_param": torch.ones(3)}, "would be lost"),
        ("transformer.single_transformer_blocks.0.attn.to_q",
         {"transformer.single_transformer_blocks.0.attn.to_q.lora_magnitude_vector": torch.ones(8)}, "is a DoRA"),
        ("transformer.single_transformer_blocks.0.attn.to_q",
         {"transformer.single_transformer_blocks.0.attn.to_q.lora_B.bias": torch.ones(8)}, "bias of a part"),
        ("img_in", {"img_in.lora_B.bias": torch.ones(8), "single_blocks.0.norm.key_norm.scale": torch.ones(8)},
         "replaces the model"),
    ],
)  # fmt: skip
def test_what_a_merge_would_lose_is_refused_by_name(base, more, words, lora):
    assert naming(lora("odd", [base], PEFT, more=more)).startswith("Black Forest Labs") == (base == "img_in")
    with pytest.raises(LoraNotMergeable, match=rf"^odd\.safetensors cannot be merged: .*{words}"):
        merge([Source(lora("odd", [base], PEFT, more=more), 1, 1)], 0)


def test_an_alpha_without_a_layer_is_nothing_to_lose(lora):
    file = lora("idle", ["lora_unet_blocks_0_ffn_0"], more={"lora_unet_blocks_1_ffn_0.alpha": torch.ones(())})
    assert layers_of_merge(merge([Source(file, 1, 1)], 0)) == {"lora_unet_blocks_0_ffn_0"}


def test_a_bias_of_peft_is_merged_as_a_change_of_the_bias(lora):
    base = "diffusion_model.double_blocks.0.img_attn.proj"
    file = lora("bias", [base], PEFT, more={f"{base}.lora_B.bias": torch.ones(8), f"{base}.alpha": torch.tensor(1.0)})
    (layer,) = file.layers.found.values()
    bias = bias_of(layer, file.read())
    assert bias is not None
    assert bias.tolist() == [0.5] * 8
    merged = merge([Source(file, 3, 1)], 0)
    assert torch.equal(merged.tensors["lora_unet_double_blocks_0_img_attn_proj.diff_b"], torch.full((8,), 1.5))


@pytest.mark.parametrize(
    ("bases", "metadata"),
    [
        (["somebody.else"], {}),
        (["lora_unet_transformer_blocks_0_img_attn"], {"ss_base_model_version": "flux1"}),
        (["transformer.transformer_blocks.0.attn3.to_q"], {"ss_base_model_version": "sd3"}),
        (["lora_unet_encoder_layers_0"], {"ss_base_model_version": "sdxl"}),
        (["transformer.down_blocks_0"], {"ss_base_model_version": "wan2.1"}),
        (["net.blocks.0.attn"], {"ss_base_model_version": "qwen-image"}),
        (["unet.base_model.model.conv"], {"ss_base_model_version": "sd_v1"}),
        (["lora_clip_text_model_encoder_layers_0_mlp_fc1"], {}),
        (["lora_te1_text_model_embeddings_token"], {"ss_base_model_version": "sdxl"}),
    ],
)
def test_a_merge_that_would_load_nothing_is_not_written(bases, metadata, lora):
    file, good = lora("strange", bases, metadata=metadata), lora("good", ["lora_unet_a"])
    assert not any(loads(base, file.family.name) for base in bases)
    sources = [Source(file, 1, 1)] if metadata else [Source(good, 1, 1), Source(file, 1, 1)]
    with pytest.raises(
        LoraMatchesNothing, match=r"^strange\.safetensors has no layer .*under a name that ComfyUI loads"
    ):
        merge(sources, 0)


def test_what_comfyui_will_not_load_of_a_merge_is_said(lora):
    known = ["lora_unet_double_blocks_0_img_attn_qkv", "lora_unet_double_blocks_0_strange"]
    (warning,) = merge([Source(lora("part", known), 1, 1)], 0).warnings
    assert warning.startswith("1 of 2 layers of part.safetensors have names that ComfyUI does not load")
    (warning,) = merge([Source(lora("unknown", ["lora_unet_a"]), 1, 1)], 0).warnings
    assert warning.startswith("the base model is not known here")


def test_streams_that_may_be_of_another_model_are_not_stated_to_be_flux(lora, tmp_path):
    few = lora("few", [f"diffusion_model.double_blocks.{block}.img_attn.qkv" for block in range(10)])
    video = lora("video", ["diffusion_model.double_blocks.0.img_attn_qkv"],
                 metadata={"ss_base_model_version": "hunyuan_video"})  # fmt: skip
    assert common_family([Source(few, 1, 1), Source(video, 1, 1)]).name == "Hunyuan Video"
    merged = merge([Source(few, 1, 1)], 0)
    path = save(merged, metadata_of("few", merged, few.family, 0, []), tmp_path / "sum")
    assert "ss_base_model_version" not in open_path(path, "sum").header.metadata


def test_a_layer_is_loaded_under_the_name_that_comfyui_knows(lora):
    """As diffusers' script saves SDXL since December 2023, and two names of one weight, of which one counts."""
    base = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_k"
    own = "lora_unet_" + base.replace(".", "_")
    target = Target({own: "w", f"unet.{base.replace('.to_k', '.processor.to_k')}": "w"}, {"w": (8, 8)}, 0, "SDXL")
    assert _known_names(lora("sdxl", [f"unet.{base}"], DIFFUSERS).layers, target, "SDXL") == {f"unet.{base}": own}
    twice = lora("both", [f"unet.{base}", own]).layers
    assert list(_known_names(twice, target, "SDXL").values()) == [own]
    assert _known_names(lora("else", ["somebody.else"]).layers, target, "SDXL") == {}


@pytest.mark.parametrize(
    ("stated", "alpha"),
    [
        ({"transformer.lora_alpha": 1, "transformer.r": 2}, 1.0),
        ({"transformer": {"lora_alpha": 1}}, 1.0),
        ({"transformer.lora_alpha": 1, "transformer.alpha_pattern": {"0.attn.to_q": 6}}, 6.0),
        ({"transformer.lora_alpha": 1, "transformer.alpha_pattern": {"attn.to_k": 6}}, 1.0),
        ({"transformer.lora_alpha": 1, "transformer.use_rslora": True}, 2**0.5),
        ({"text_encoder.lora_alpha": 1}, None),
        ({"transformer.lora_alpha": "1"}, None),
        ({"transformer.lora_alpha": True}, None),
        ({"transformer.lora_alpha": float("nan")}, None),
        ([1], None),
    ],
)
def test_an_alpha_that_the_metadata_alone_state(stated, alpha, lora):
    base = "transformer.single_transformer_blocks.0.attn.to_q"
    file = lora("alpha", [base], PEFT, metadata={"lora_adapter_metadata": json.dumps(stated)})
    (layer,) = file.layers.found.values()
    assert layer.stated_alpha == (None if alpha is None else pytest.approx(alpha))
    change = whole(file)
    plain = whole(lora("alpha", [base], PEFT))
    assert torch.allclose(change, plain * (1 if alpha is None else alpha / 2))


def test_an_alpha_of_the_file_counts_more_than_that_of_the_metadata(lora):
    base = "transformer.single_transformer_blocks.0.attn.to_q"
    stated = {"lora_adapter_metadata": json.dumps({"transformer.lora_alpha": 1})}
    file = lora("both", [base], PEFT, stated, {f"{base}.alpha": torch.tensor(4.0)})
    (layer,) = file.layers.found.values()
    assert layer.stated_alpha is None
    change = whole(file)
    assert torch.allclose(change, 2 * whole(lora("both", [base], PEFT)))
    assert lora("no json", [base], PEFT, {"lora_adapter_metadata": "{"}).layers.found[base].stated_alpha is None
