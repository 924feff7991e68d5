"""Runs with ComfyUI's Python and ComfyUI on the path: what it loads on models' architectures without weights.

    PYTHON lora_names_on_comfy.py COMFYUI FOLDER REQUEST.json

Prints JSON. For each family that this ComfyUI has: the names of its LoRA layers and the weights behind them. For each
case of the request (family, source files with weights, a merged file): what ComfyUI loads of the merged file, how far
its changes are from the weighted sum of the sources' own, and how far what our loader makes of the first source is
from that sum. FOLDER holds `likeness_studio` (a link to the pack).
"""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

COMFYUI, FOLDER, REQUEST = sys.argv[1:4]
sys.argv = [sys.argv[0], "--cpu"]
sys.path[:0] = [COMFYUI, FOLDER]

import comfy.options  # noqa: E402  # pyright: ignore[reportMissingImports]

comfy.options.enable_args_parsing()

import comfy.lora  # noqa: E402  # pyright: ignore[reportMissingImports]
import comfy.lora_convert  # noqa: E402  # pyright: ignore[reportMissingImports]
import comfy.ops  # noqa: E402  # pyright: ignore[reportMissingImports]
import comfy.sd1_clip  # noqa: E402  # pyright: ignore[reportMissingImports]
import comfy.sdxl_clip  # noqa: E402  # pyright: ignore[reportMissingImports]
import comfy.supported_models  # noqa: E402  # pyright: ignore[reportMissingImports]
import comfy.utils  # noqa: E402  # pyright: ignore[reportMissingImports]
import torch  # noqa: E402

from likeness_studio.core.errors import LikenessError  # noqa: E402
from likeness_studio.core.lora import open_path  # noqa: E402
from likeness_studio.nodes.lora_patching import map_lora, target_of  # noqa: E402

UNET = {
    "image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 32, "num_heads": 8, "legacy": False,
    "num_res_blocks": [2, 2, 2, 2], "channel_mult": [1, 2, 4, 4], "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0], "transformer_depth_middle": 1, "context_dim": 768,
    "use_linear_in_transformer": False, "adm_in_channels": None, "use_spatial_transformer": True,
    "use_temporal_attention": False,
}  # fmt: skip
XL = UNET | {
    "num_res_blocks": [2, 2, 2], "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 3, 3],
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 3, 3, 3], "transformer_depth_middle": 3, "context_dim": 2048,
    "num_heads": -1, "num_head_channels": 32, "use_linear_in_transformer": True, "adm_in_channels": 2816,
    "num_classes": "sequential",
}  # fmt: skip
STREAMS = {
    "in_channels": 16, "out_channels": 16, "vec_in_dim": 768, "context_in_dim": 64, "hidden_size": 128,
    "mlp_ratio": 4.0, "num_heads": 1, "depth": 2, "depth_single_blocks": 2, "axes_dim": [16, 56, 56], "theta": 10000,
    "qkv_bias": True, "guidance_embed": True, "patch_size": 2, "txt_ids_dims": [],
}  # fmt: skip
HUNYUAN = STREAMS | {
    "patch_size": [1, 2, 2], "use_cond_type_embedding": False, "byt5": False, "meanflow": False, "meanflow_sum": False,
    "vision_in_dim": None,
}  # fmt: skip
LUMINA = {
    "patch_size": 2, "in_channels": 16, "dim": 256, "cap_feat_dim": 64, "n_layers": 2, "qk_norm": True, "n_heads": 2,
    "n_kv_heads": 2, "axes_dims": [64, 32, 32], "axes_lens": [300, 512, 512], "rope_theta": 10000.0,
    "ffn_dim_multiplier": 4.0, "z_image_modulation": False, "norm_eps": 1e-5,
}  # fmt: skip
WAN = {
    "model_type": "t2v", "dim": 256, "num_heads": 2, "ffn_dim": 256, "num_layers": 2, "patch_size": (1, 2, 2),
    "freq_dim": 64, "window_size": (-1, -1), "qk_norm": True, "cross_attn_norm": True, "eps": 1e-6, "in_dim": 16,
    "out_dim": 16, "text_dim": 64,
}  # fmt: skip
SD3 = {
    "in_channels": 16, "patch_size": 2, "depth": 24, "num_blocks": 24, "input_size": None, "adm_in_channels": 2048,
    "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": 64, "out_features": 1536}},
    "num_patches": 36864, "pos_embed_max_size": 192, "pos_embed_scaling_factor": None, "pos_embed_offset": None,
    "x_block_self_attn_layers": [0], "qk_norm": "rms",
}  # fmt: skip
HIDREAM = {
    "attention_head_dim": 128, "axes_dims_rope": (64, 32, 32), "caption_channels": [64, 64],
    "max_resolution": (128, 128), "num_attention_heads": 1, "num_layers": 2, "num_single_layers": 2,
    "num_routed_experts": 4, "in_channels": 16,
    "num_activated_experts": 2, "llama_layers": [0, 1, 2, 3], "out_channels": 16, "patch_size": 2, "text_emb_dim": 64,
}  # fmt: skip
FAMILIES = {
    "SD 1.5": ("SD15", UNET),
    "SD 2": ("SD20", UNET | {"context_dim": 1024, "use_linear_in_transformer": True, "num_heads": -1,
                             "model_channels": 64}),
    "SDXL": ("SDXL", XL),
    "Flux": ("Flux", STREAMS | {"image_model": "flux"}),
    "Chroma": ("Chroma", STREAMS | {"image_model": "chroma", "in_dim": 64, "out_dim": 128, "hidden_dim": 128,
                                    "n_layers": 5, "in_channels": 64, "out_channels": 64}),
    "Flux.2": ("Flux2", STREAMS | {"image_model": "flux2", "in_channels": 128, "out_channels": 128, "patch_size": 1,
                                   "vec_in_dim": None, "qkv_bias": False, "axes_dim": [32, 32, 32, 32],
                                   "global_modulation": True, "mlp_silu_act": True, "ops_bias": False}),
    "Hunyuan Video": ("HunyuanVideo", HUNYUAN | {"image_model": "hunyuan_video"}),
    "Hunyuan Image": ("HunyuanImage21", HUNYUAN | {"image_model": "hunyuan_video", "patch_size": [1, 1],
                                                   "vec_in_dim": None, "byt5": True}),
    "SD 3": ("SD3", SD3),
    "Wan": ("WAN21_I2V", WAN | {"image_model": "wan2.1", "model_type": "i2v", "in_dim": 36}),
    "Qwen-Image": ("QwenImage", {"image_model": "qwen_image", "in_channels": 64, "num_layers": 2,
                                 "attention_head_dim": 128, "num_attention_heads": 1, "joint_attention_dim": 64}),
    "Lumina 2": ("Lumina2", LUMINA | {"image_model": "lumina2"}),
    "Z-Image": ("ZImage", LUMINA | {"image_model": "lumina2", "z_image_modulation": True, "time_scale": 1000.0}),
    "AuraFlow": ("AuraFlow", {"max_seq": 64, "cond_seq_dim": 64, "n_double_layers": 2, "n_layers": 4, "n_heads": 1,
                              "global_conddim": 128}),
    "PixArt": ("PixArtSigma", {"image_model": "pixart_sigma", "hidden_size": 1152, "num_heads": 16, "depth": 2,
                               "patch_size": 2, "input_size": 64, "pe_interpolation": 1, "micro_condition": False,
                               "in_channels": 4, "model_max_length": 120}),
    "HiDream": ("HiDream", HIDREAM | {"image_model": "hidream"}),
    "HunyuanDiT": ("HunyuanDiT", {"image_model": "hydit", "depth": 2, "hidden_size": 128, "num_heads": 2,
                                  "in_channels": 4, "mlp_ratio": 4.0, "size_cond": True, "use_style_cond": True}),
    "LTX-Video": ("LTXV", {"image_model": "ltxv", "num_layers": 2}),
}  # fmt: skip
"""ComfyUI's class of a family, and settings of a narrow model of its architecture."""

CLIPS = {"SD 1.5": comfy.sd1_clip.SD1ClipModel, "SDXL": comfy.sdxl_clip.SDXLClipModel}


def model_of(family):
    """A model on the meta device, or None where this ComfyUI lacks the class; settings that it lacks are left out."""
    name, settings = FAMILIES[family]
    config_class = getattr(comfy.supported_models, name, None)
    # PixArt works out the positions of its patches as it is made.
    device = "cpu" if family == "PixArt" else "meta"
    while config_class is not None:
        config = config_class(dict(settings))
        config.set_inference_dtype(torch.float32, None)
        config.custom_operations = comfy.ops.disable_weight_init
        try:
            with torch.device(device):
                return config.get_model({}, "", device=device)
        except TypeError as error:
            unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            if unknown is None or unknown[1] not in settings:
                raise
            settings = {key: value for key, value in settings.items() if key != unknown[1]}
    return None


def clip_of(family):
    with torch.device("meta"):
        return CLIPS[family](device="meta", dtype=torch.float32)


def described(names, weights):
    """By name, what it stands for: a weight that is there, its part, whether its halves are swapped; and the shape."""
    found = {}
    for name, where in names.items():
        weight, part, turned = (where, None, False) if isinstance(where, str) else (*where[:2], len(where) > 2)
        if weight in weights:
            shape = list(weights[weight].shape)
            if part is not None:
                shape[part[0]] = part[2]
            found[name] = [weight, part, turned, shape]
    return found


def patches_of(path, names):
    tensors = comfy.lora_convert.convert_lora(comfy.utils.load_torch_file(path, safe_load=True))
    return comfy.lora.load_lora(tensors, names, log_missing=False)


def changes(groups, shapes):
    """The change of each weight by groups of patches with a strength each."""
    entries = {}
    for patches, strength in groups:
        for key, patch in patches.items():
            weight, part, function = (key, None, None) if isinstance(key, str) else (*key, None)[:3]
            entries.setdefault(weight, []).append((strength, patch, 1.0, part, function))
    return {
        weight: comfy.lora.calculate_weight(found, torch.zeros(shapes[weight]), weight)
        for weight, found in entries.items()
        if weight in shapes
    }


def distance(found, expected):
    """Norm of the difference of two sets of changes, relative to the second."""
    zero = torch.zeros(1)
    apart = sum(
        float(torch.linalg.norm(found.get(name, zero) - expected.get(name, zero))) ** 2 for name in found | expected
    )
    return (
        (apart / sum(float(torch.linalg.norm(change)) ** 2 for change in expected.values())) ** 0.5 if expected else 0
    )


def answer(case, model):
    names = comfy.lora.model_lora_keys_unet(model, {})
    shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    sources = [(patches_of(path, names), weight) for path, weight in case["sources"]]
    expected = changes(sources, shapes)
    told: dict[str, Any] = {"source": [len(patches) for patches, _ in sources]}
    if case.get("merged"):
        merged = patches_of(case["merged"], names)
        told |= {"merged": len(merged), "apart": distance(changes([(merged, 1.0)], shapes), expected)}
    path, weight = case["sources"][0]
    try:
        mapped = map_lora(open_path(Path(path), Path(path).name), target_of(model=SimpleNamespace(model=model)))
        ours = changes([(mapped.patches, weight)], shapes)
        told |= {"loaded": len(mapped.matched), "unmatched": len(mapped.unmatched), "notes": mapped.notes}
        told |= {"norm": sum(float(torch.linalg.norm(each)) ** 2 for each in ours.values()) ** 0.5}
        told |= {"as_core": distance(ours, changes(sources[:1], shapes))}
    except LikenessError as error:
        told["error"] = str(error)
    return told


def main():
    request = json.loads(Path(REQUEST).read_text())
    models, names, answers = {}, {}, []
    for family in FAMILIES:
        models[family] = model = model_of(family)
        if model is not None:
            names[family] = described(comfy.lora.model_lora_keys_unet(model, {}), model.state_dict())
    clips = {}
    for family in CLIPS:
        clip = clip_of(family)
        clips[family] = described(comfy.lora.model_lora_keys_clip(clip, {}), clip.state_dict())
    for case in request["cases"]:
        model = models[case["family"]]
        answers.append(None if model is None else answer(case, model))
    print(json.dumps({"names": names, "clips": clips, "cases": answers}))


if __name__ == "__main__":
    main()
