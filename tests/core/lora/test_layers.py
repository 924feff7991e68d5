"""Which layers a file has, whose they are, and for which base model, from headers alone."""

import pytest
import torch
from safetensors.torch import save_file

from likeness_studio.core.errors.formats import LoraFileDamaged, LoraWrongBase
from likeness_studio.core.lora import (
    Layer,
    TensorInfo,
    block_of,
    block_order,
    canonical,
    family_of,
    fits,
    may_fit,
    of_model_class,
    open_path,
)
from likeness_studio.nodes.lora_patching import check_base, fits_shape

UNET = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0"


def layer(base, rows=8, columns=8):
    return Layer(
        base,
        "lora",
        {
            "up": TensorInfo(f"{base}.lora_up.weight", "F32", (rows, 4), 0, 0),
            "down": TensorInfo(f"{base}.lora_down.weight", "F32", (4, columns), 0, 0),
        },
    )


def family(*layers, **metadata):
    return family_of(layers, {key.replace("__", "."): value for key, value in metadata.items()})


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        ([layer(f"{UNET}_attn2_to_k", columns=768)], "SD 1.5"),
        ([layer(f"{UNET}_attn2_to_v", columns=1024)], "SD 2"),
        ([layer(f"{UNET}_attn2_to_k", columns=2048)], "SDXL"),
        ([layer(f"{UNET}_attn2_to_k", columns=1280)], "SDXL refiner"),
        ([layer(f"{UNET}_attn2_to_k", columns=999)], "unknown"),
        ([layer("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k", columns=768)], "SD 1.5"),
        ([layer("unet.down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q")], "SDXL"),
        ([layer("lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q")], "SDXL"),
        ([layer("lora_unet_output_blocks_0_1_transformer_blocks_0_attn2_to_k", columns=2048)], "SDXL"),
        ([layer(f"{UNET}_attn1_to_q"), layer("lora_te2_text_model_encoder_layers_0_mlp_fc1")], "SDXL"),
        ([layer(f"{UNET}_attn1_to_q")], "unknown"),
        ([layer("lora_te_text_model_encoder_layers_0_self_attn_q_proj", columns=768)], "SD 1.5"),
        ([layer("lora_te_text_model_encoder_layers_0_self_attn_q_proj", columns=1024)], "SD 2"),
        ([layer("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", columns=768)], "unknown"),
        ([layer("lora_unet_double_blocks_0_img_attn_qkv")], "Flux"),
        ([layer("lora_unet_double_blocks_19_img_attn_qkv")], "Hunyuan Video"),
        ([layer("diffusion_model.single_blocks.39.linear1")], "Hunyuan Video"),
        ([layer("transformer.single_transformer_blocks.3.attn.to_q")], "Flux"),
        ([layer("transformer.transformer_blocks.3.attn.to_q", columns=1536)], "SD 3"),
        ([layer("lora_unet_joint_blocks_3_x_block_attn_qkv")], "SD 3"),
        ([layer("transformer.transformer_blocks.3.img_mlp.net.2")], "Qwen-Image"),
        ([layer("transformer_blocks.59.attn.to_q", columns=3072)], "Qwen-Image"),
        ([layer("transformer_blocks.3.attn.to_q", columns=3072)], "unknown"),
        ([layer("transformer.transformer_blocks.3.attn1.to_q", columns=1152)], "PixArt"),
        ([layer("diffusion_model.blocks.3.cross_attn.k")], "Wan"),
        ([layer("lora_unet_blocks_3_ffn_0")], "Wan"),
        ([layer("transformer.joint_transformer_blocks.3.attn.to_q")], "AuraFlow"),
        ([layer("diffusion_model.layers.3.attention.qkv")], "Lumina 2"),
        ([layer("diffusion_model.layers.3.attention.to_q", columns=3840)], "Z-Image"),
        ([layer("diffusion_model.layers.3.attention.qkv", columns=2304)], "Lumina 2"),
        ([layer("lora_unet_double_blocks_0_img_mlp_fc1")], "Hunyuan Video"),
        ([layer("diffusion_model.double_blocks.0.img_attn.qkv", columns=6144)], "Flux.2"),
        ([layer("diffusion_model.single_blocks.0.linear1", rows=27, columns=3)], "Flux.2"),
        ([layer("diffusion_model.single_blocks.47.linear1")], "Flux.2"),
        ([layer("transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj")], "Flux.2"),
        ([layer("diffusion_model.double_blocks.0.img_attn.qkv", columns=3584)], "Hunyuan Image"),
        (
            [layer("lora_unet_distilled_guidance_layer_in_proj"), layer("lora_unet_double_blocks_0_img_attn_qkv")],
            "Chroma",
        ),
        ([layer("base_model.model.blocks.0.attn1.Wqkv")], "HunyuanDiT"),
        ([layer("lora_unet_blocks_0_cross_attn_q_proj")], "unknown"),
        ([layer("lycoris_double_stream_blocks_3_block_attn_to_q")], "HiDream"),
        ([layer("lora_prior_unet_down_blocks_0_1_attention")], "Stable Cascade"),
        ([layer("somebody.else")], "unknown"),
    ],
)
def test_the_base_model_is_told_by_names_and_shapes(layers, name):
    assert family(*layers).name == name


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("ss_base_model_version", "sd_v1", "SD 1.5"),
        ("ss_base_model_version", "sd_v2_v", "SD 2"),
        ("ss_base_model_version", "sdxl_base_v1-0", "SDXL"),
        ("ss_base_model_version", "flux1", "Flux"),
        ("ss_base_model_version", "sd3", "SD 3"),
        ("base_model", "SD 3.5 Large", "SD 3"),
        ("modelspec__architecture", "stable-diffusion-v1/lora", "SD 1.5"),
        ("modelspec__architecture", "stable-diffusion-v2-768-v/lora", "SD 2"),
        ("modelspec__architecture", "stable-diffusion-xl-v1-base/lora", "SDXL"),
        ("modelspec__architecture", "stable-diffusion-3-medium/lora", "SD 3"),
        ("modelspec__architecture", "flux-1-dev/lora", "Flux"),
        ("modelspec__architecture", "qwen-image/lora", "Qwen-Image"),
        ("modelspec__architecture", "wan2.1_t2v/lora", "Wan"),
        ("modelspec__architecture", "my-own-net", "unknown"),
    ],
)
def test_metadata_tell_where_layers_do_not(key, value, name):
    assert family(layer("somebody.else"), **{key: value}).name == name


def test_layers_count_more_than_metadata():
    found = family(layer(f"{UNET}_attn2_to_k", columns=2048), ss_base_model_version="sd_v1")
    assert (found.name, found.stated, found.contradiction) == ("SDXL", "SD 1.5", True)


@pytest.mark.parametrize(
    ("bases", "stated", "name"),
    [
        (["lora_unet_double_blocks_0_img_attn_qkv"], "hunyuan_video", "Hunyuan Video"),
        (["lora_unet_double_blocks_0_img_attn_qkv"], "chroma", "Chroma"),
        (["lora_unet_double_blocks_0_img_attn_qkv"], "flux2", "Flux.2"),
        (["lora_unet_double_blocks_0_img_attn_qkv"], "flux.2-klein", "Flux.2"),
        (["lora_unet_double_blocks_0_img_attn_qkv"], "sdxl", "Flux"),
        ([f"lora_unet_double_blocks_{number}_img_attn_qkv" for number in range(19)], "chroma", "Chroma"),
        ([f"lora_unet_double_blocks_{number}_img_attn_qkv" for number in range(19)], "hunyuan_video", "Flux"),
        (["diffusion_model.layers.3.attention.qkv"], "z-image", "Z-Image"),
        (["diffusion_model.layers.3.attention.qkv"], "zimage_turbo", "Z-Image"),
        (["diffusion_model.layers.3.attention.qkv"], "lumina2", "Lumina 2"),
    ],
)
def test_metadata_decide_between_models_of_the_same_names(bases, stated, name):
    assert family(*map(layer, bases), ss_base_model_version=stated).name == name


def test_layers_that_several_models_have_are_let_through_to_each():
    few = family(*(layer(f"lora_unet_double_blocks_{number}_img_attn_qkv") for number in range(10)))
    every = family(*(layer(f"lora_unet_double_blocks_{number}_img_attn_qkv") for number in range(19)))
    for model in ("Flux", "Chroma", "Hunyuan Video", "Flux.2"):
        assert may_fit(few, model)
        assert may_fit(every, model) == (model in ("Flux", "Chroma"))
    assert not may_fit(few, "SDXL")


def test_model_classes_of_comfyui_and_what_fits():
    classes = {"SD15": "SD 1.5", "SDXL": "SDXL", "SSD1B": "SDXL", "SD20": "SD 2", "FluxSchnell": "Flux", "SD3": "SD 3"}
    classes |= {"SDXLRefiner": "SDXL refiner", "WAN22_T2V": "Wan", "QwenImage": "Qwen-Image", "ACEStep": "unknown"}
    classes |= {"Flux2": "Flux.2", "ZImage": "Z-Image", "ChromaRadiance": "Chroma", "HunyuanVideo15": "Hunyuan Video"}
    assert {name: of_model_class(name) for name in classes} == classes
    assert fits("Flux", "Chroma")
    assert fits("unknown", "SD 1.5")
    assert not fits("SDXL", "SD 1.5")


def test_a_wrong_base_is_refused_by_name(tmp_path):
    path = tmp_path / "style.safetensors"
    base = f"{UNET}_attn2_to_k"
    save_file({f"{base}.lora_up.weight": torch.zeros(640, 4), f"{base}.lora_down.weight": torch.zeros(4, 2048)}, path)
    with pytest.raises(LoraWrongBase, match=r"style.safetensors is a LoRA for SDXL .* and the model is SD 1.5"):
        check_base(open_path(path, "style.safetensors"), "SD 1.5")


def test_every_format_is_grouped_without_a_rest(formats, tmp_path):
    for kind in formats.every_format():
        made = formats.make(kind, text=kind == "kohya")
        file = open_path(made.save(tmp_path / f"{kind}.safetensors"), kind)
        assert file.layers.other == [], kind
        assert {layer.shape[0] for layer in file.layers.found.values() if layer.shape} <= {32, 128, 768}
        ranks = {layer.rank for layer in file.layers.found.values()}
        assert ranks == ({None} if kind.endswith(("whole", "difference")) or kind == "norm" else {4}) or "whole" in kind


CORES = {"a.hada_w1_a": (2, 8), "a.hada_w1_b": (2, 8), "a.hada_w2_a": (2, 8), "a.hada_w2_b": (2, 8)}


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"a.lora_up.weight": (8, 4)}, "lacks down"),
        ({"a.lora_down.weight": (4, 8)}, "lacks up"),
        ({"a.lora_up.weight": (8, 4), "a.lora_down.weight": (3, 8)}, "do not fit"),
        ({"a.lora_up.weight": (8,), "a.lora_down.weight": (4, 8)}, "no matrix"),
        ({"a.lora_up.weight": (8, 0), "a.lora_down.weight": (0, 8)}, "no matrix"),
        ({"a.lora_up.weight": (8, 4), "a.lora_down.weight": (4, 8), "a.alpha": (2,)}, "2 alphas"),
        ({"a.hada_w1_a": (8, 4), "a.hada_w1_b": (4, 8)}, "lacks w2_a, w2_b"),
        ({"a.lokr_w1": (2, 2)}, "lacks a Kronecker factor"),
        ({"a.lokr_w1": (4,), "a.lokr_w2": (4, 4)}, "no matrix"),
        ({"a.lora_up.weight": (8, 2, 3, 3), "a.lora_down.weight": (2, 8)}, "no matrix"),
        (
            {"a.lora_up.weight": (8, 2), "a.lora_mid.weight": (2, 2, 3, 3), "a.lora_down.weight": (2, 8, 3, 3)},
            "no matrix",
        ),
        (
            {"a.hada_w1_a": (8, 2, 1, 1), "a.hada_w1_b": (2, 8), "a.hada_w2_a": (8, 2), "a.hada_w2_b": (2, 8)},
            "no matrix",
        ),
        ({"a.hada_w1_a": (8, 2), "a.hada_w1_b": (2, 8), "a.hada_w2_a": (8, 2), "a.hada_w2_b": (2, 9)}, "do not fit"),
        ({"a.hada_w1_a": (8, 2), "a.hada_w1_b": (2, 8), "a.hada_w2_a": (7, 2), "a.hada_w2_b": (2, 8)}, "do not fit"),
        ({**CORES, "a.hada_t1": (2, 2, 3), "a.hada_t2": (2, 2, 3)}, "no matrix"),
        ({**CORES, "a.hada_t1": (2, 2, 3, 3), "a.hada_t2": (2, 2, 5, 5)}, "do not fit"),
        ({"a.lokr_w1": (2, 2, 3, 3), "a.lokr_w2": (4, 4, 3, 3)}, "no matrix"),
        ({"a.lokr_w1": (2, 2), "a.lokr_w2_a": (4, 2, 1, 1), "a.lokr_w2_b": (2, 4, 1, 1)}, "no matrix"),
        ({"a.lokr_w1": (2, 2), "a.lokr_w2_a": (2, 4), "a.lokr_w2_b": (2, 4), "a.lokr_t2": (2, 2, 3)}, "no matrix"),
        ({"a.diff": ()}, "no matrix"),
        ({"a.w_norm": ()}, "no matrix"),
        ({"a.diff_b": ()}, "no matrix"),
        ({"a.b1.weight": (2, 2)}, "lacks a1, a2, b2"),
        ({"a.lokr_w1": (200, 200), "a.lokr_w2": (200, 200)}, "larger than any"),
    ],
)
def test_layers_with_missing_or_unfitting_parts_are_refused(tmp_path, tensors, words):
    path = tmp_path / "broken.safetensors"
    save_file({name: torch.zeros(shape) for name, shape in tensors.items()}, path)
    with pytest.raises(LoraFileDamaged, match=words):
        open_path(path, "broken.safetensors").layers  # noqa: B018 - reading it checks


def test_one_layer_has_one_name():
    kohya = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    for other in (
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q",
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q",
        "lycoris_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
        "lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_q",
        "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q",
    ):
        assert canonical(other) == kohya
    assert canonical("text_encoder.text_model.encoder.layers.0.mlp.fc1", "SD 1.5").startswith("lora_te_text")
    assert canonical("text_encoder.text_model.encoder.layers.0.mlp.fc1", "SDXL").startswith("lora_te1_text")
    assert canonical("lora_te_text_model_encoder_layers_0_mlp_fc1", "SD 1.5").startswith("lora_te_text")
    assert canonical("transformer.transformer_blocks.0.attn.to_q", "Flux").startswith("lora_transformer_")
    assert canonical("transformer.transformer_blocks.0.attn.to_q", "Qwen-Image").startswith("lora_unet_")
    assert canonical("somebody.else") == "somebody.else"


def test_blocks_are_named_and_ordered_as_data_passes():
    names = {
        "lora_te_text_model_encoder_layers_11_mlp_fc1": "text encoder 1",
        "lora_te2_text_model_encoder_layers_0_mlp_fc1": "text encoder 2",
        "lora_unet_input_blocks_4_1_proj_in": "down 1.0",
        "lora_unet_input_blocks_3_0_op": "down 0 sampler",
        "lora_unet_middle_block_1_proj_in": "middle",
        "lora_unet_up_blocks_3_attentions_2_proj_out": "up 3.2",
        "lora_unet_output_blocks_5_2_conv": "up 1 sampler",
        "lora_unet_double_blocks_12_img_attn_qkv": "double 12",
        "transformer.single_transformer_blocks.3.attn.to_q": "single transformer 3",
        "diffusion_model.blocks.3.cross_attn.k": "block 3",
        "lora_unet_conv_in": "other",
    }
    assert {base: block_of(base) for base in names} == names
    ordered = ["text encoder 1", "down 0.0", "down 0 sampler", "down 1.0", "middle", "up 1.0", "double 2", "double 10"]
    assert sorted(sorted(ordered), key=block_order) == ordered


def test_shapes_that_a_weight_cannot_take_do_not_fit():
    def of(kind, **parts):
        return Layer("a", kind, {role: TensorInfo(role, "F32", shape, 0, 0) for role, shape in parts.items()})

    thin = {"up": (8, 2), "down": (2, 12)}
    assert fits_shape(of("lora", **thin), (8, 12))
    assert fits_shape(of("lora", **thin), (8, 3, 2, 2))
    assert not fits_shape(of("lora", **thin), (12, 8))
    assert fits_shape(of("set", set=(8, 12)), (8, 12))
    assert not fits_shape(of("set", set=(1, 12)), (8, 12))
    assert fits_shape(of("bias", diff_b=(8,)), (8, 12))
    assert not fits_shape(of("bias", diff_b=(9,)), (8, 12))
    assert not fits_shape(of("lora", **thin, diff_b=(12,)), (8, 12))
    assert not fits_shape(of("norm", w_norm=(8,), b_norm=(9,)), (8,))
