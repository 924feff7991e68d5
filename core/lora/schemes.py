"""The layers that transformers have: the models' own names, and what diffusers and publishers call the same layers.

Own names are those of ComfyUI's modules (comfy/ldm), with underscores as kohya writes them. A name that diffusers gives
to a part of a fused weight, or to a weight whose halves it has the other way round, stays as it is, after the prefix
under which ComfyUI knows it: that layer is another change than one of the whole weight.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Scheme:
    """Names of one family's layers: a pattern of its own, and patterns of others with the canonical names for them."""

    own: re.Pattern[str]
    renamed: tuple[tuple[re.Pattern[str], str], ...] = ()


def _own(*names: str) -> re.Pattern[str]:
    return re.compile("|".join(names))


def _blocks(block: str, own: str, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Rows for the layers of numbered blocks; ``#`` stands for the number."""
    return [
        (block.replace("#", r"(\d+)") + f"_{name}", "lora_unet_" + own.replace("#", r"\1") + f"_{inner}")
        for name, inner in names.items()
    ]


def _outside(names: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, f"lora_unet_{own}") for name, own in names.items()]


def _scheme(own: re.Pattern[str], rows: list[tuple[str, str]]) -> Scheme:
    return Scheme(own, tuple((re.compile(pattern), name) for pattern, name in rows))


_STREAM_OWN = (
    r"double_blocks_\d+_(img|txt)_(attn_(qkv|proj)|mlp_[02]|mod_lin)", r"single_blocks_\d+_(linear[12]|modulation_lin)",
    r"(time|vector|guidance)_in_(in|out)_layer", r"img_in(_proj)?", "txt_in",
    r"final_layer_(linear|adaLN_modulation_1)",
)  # fmt: skip
"""The double and single streams of Flux, which many models took over."""

_FLUX_DOUBLE = {
    "norm1_linear": "img_mod_lin", "norm1_context_linear": "txt_mod_lin",
    "attn_to_out_0": "img_attn_proj", "attn_to_add_out": "txt_attn_proj",
    "ff_net_0_proj": "img_mlp_0", "ff_net_2": "img_mlp_2", "ff_linear_in": "img_mlp_0", "ff_linear_out": "img_mlp_2",
    "ff_context_net_0_proj": "txt_mlp_0", "ff_context_net_2": "txt_mlp_2",
    "ff_context_linear_in": "txt_mlp_0", "ff_context_linear_out": "txt_mlp_2",
}  # fmt: skip
_FLUX_SINGLE = {
    "norm_linear": "modulation_lin", "proj_out": "linear2",
    "attn_to_qkv_mlp_proj": "linear1", "attn_to_out_0": "linear2",
}  # fmt: skip
_FLUX_OUTSIDE = {
    "x_embedder": "img_in", "context_embedder": "txt_in", "proj_out": "final_layer_linear",
    "time_text_embed_timestep_embedder_linear_1": "time_in_in_layer",
    "time_text_embed_timestep_embedder_linear_2": "time_in_out_layer",
    "time_text_embed_text_embedder_linear_1": "vector_in_in_layer",
    "time_text_embed_text_embedder_linear_2": "vector_in_out_layer",
    "time_text_embed_guidance_embedder_linear_1": "guidance_in_in_layer",
    "time_text_embed_guidance_embedder_linear_2": "guidance_in_out_layer",
}  # fmt: skip
_FLUX_ROWS = [
    *_blocks("transformer_blocks_#", "double_blocks_#", _FLUX_DOUBLE),
    *_blocks("single_transformer_blocks_#", "single_blocks_#", _FLUX_SINGLE),
    *_outside(_FLUX_OUTSIDE),
    (r"transformer_blocks_\d+_attn_(to_[qkv]|add_[qkv]_proj|norm_(added_)?[qk])", r"lora_transformer_\g<0>"),
    (r"single_transformer_blocks_\d+_(attn_to_[qkv]|attn_norm_[qk]|proj_mlp)", r"lora_transformer_\g<0>"),
    ("norm_out_linear", r"lora_transformer_\g<0>"),
    (r"double_blocks_(\d+)_img_attn_norm_(q|k)(?:uery|ey)_norm",
     r"lora_transformer_transformer_blocks_\1_attn_norm_\2"),
    (r"double_blocks_(\d+)_txt_attn_norm_(q|k)(?:uery|ey)_norm",
     r"lora_transformer_transformer_blocks_\1_attn_norm_added_\2"),
    (r"single_blocks_(\d+)_norm_(q|k)(?:uery|ey)_norm", r"lora_transformer_single_transformer_blocks_\1_attn_norm_\2"),
    (r"single_blocks_(\d+)_linear1_qkv", r"diffusion_model.single_blocks.\1.linear1_qkv"),
]  # fmt: skip

_HUNYUAN_OWN = (
    r"(double_blocks_\d+_(img|txt)_attn|single_blocks_\d+)_norm_(query|key)_norm",
    r"txt_in_(input_embedder|[ct]_embedder_(in|out)_layer)",
    r"txt_in_individual_token_refiner_blocks_\d+_(adaLN_modulation_1|mlp_[02]|norm[12]|self_attn_(proj|qkv))",
    r"(byt5|vision|time_r)_in_.+", "cond_type_embedding",
)  # fmt: skip
_HUNYUAN_ROWS = [
    (r"(.+_mlp)_fc1", r"lora_unet_\1_0"),
    (r"(.+_mlp)_fc2", r"lora_unet_\1_2"),
    (r"(.+_(?:img|txt)_mod|single_blocks_\d+_modulation)_linear", r"lora_unet_\1_lin"),
]

_SD3_BLOCK = {
    "norm1_linear": "x_block_adaLN_modulation_1", "norm1_context_linear": "context_block_adaLN_modulation_1",
    "attn_to_out_0": "x_block_attn_proj", "attn_to_add_out": "context_block_attn_proj",
    "attn2_to_out_0": "x_block_attn2_proj", "attn_norm_q": "x_block_attn_ln_q", "attn_norm_k": "x_block_attn_ln_k",
    "attn_norm_added_q": "context_block_attn_ln_q", "attn_norm_added_k": "context_block_attn_ln_k",
    "attn2_norm_q": "x_block_attn2_ln_q", "attn2_norm_k": "x_block_attn2_ln_k",
    "ff_net_0_proj": "x_block_mlp_fc1", "ff_net_2": "x_block_mlp_fc2",
    "ff_context_net_0_proj": "context_block_mlp_fc1", "ff_context_net_2": "context_block_mlp_fc2",
}  # fmt: skip
_SD3_OUTSIDE = {
    "pos_embed_proj": "x_embedder_proj", "proj_out": "final_layer_linear",
    "time_text_embed_timestep_embedder_linear_1": "t_embedder_mlp_0",
    "time_text_embed_timestep_embedder_linear_2": "t_embedder_mlp_2",
    "time_text_embed_text_embedder_linear_1": "y_embedder_mlp_0",
    "time_text_embed_text_embedder_linear_2": "y_embedder_mlp_2",
}  # fmt: skip
_SD3_LAST = "23|37"
"""The last blocks of SD 3 and 3.5, whose `norm1_context` diffusers has the other way round."""

_AURA_DOUBLE = {
    **{f"attn_to_{part}": f"attn_w2{part}" for part in "qkv"}, "attn_to_out_0": "attn_w2o",
    **{f"attn_add_{part}_proj": f"attn_w1{part}" for part in "qkv"}, "attn_to_add_out": "attn_w1o",
    "norm1_linear": "modX_1", "norm1_context_linear": "modC_1",
    "ff_linear_1": "mlpX_c_fc1", "ff_linear_2": "mlpX_c_fc2", "ff_out_projection": "mlpX_c_proj",
    "ff_context_linear_1": "mlpC_c_fc1", "ff_context_linear_2": "mlpC_c_fc2",
    "ff_context_out_projection": "mlpC_c_proj",
}  # fmt: skip
_AURA_SINGLE = {
    **{f"attn_to_{part}": f"attn_w1{part}" for part in "qkv"}, "attn_to_out_0": "attn_w1o", "norm1_linear": "modCX_1",
    "ff_linear_1": "mlp_c_fc1", "ff_linear_2": "mlp_c_fc2", "ff_out_projection": "mlp_c_proj",
}  # fmt: skip

_PIXART_BLOCK = {
    "attn1_to_out_0": "attn_proj", "attn2_to_out_0": "cross_attn_proj", "attn2_to_q": "cross_attn_q_linear",
    "ff_net_0_proj": "mlp_fc1", "ff_net_2": "mlp_fc2",
}  # fmt: skip

_LUMINA_BLOCK = r"(layers|context_refiner|noise_refiner)_(\d+)"
_LUMINA_ROWS = [
    (_LUMINA_BLOCK + r"_attention_to_([qkv])", r"diffusion_model.\1.\2.attention.to_\3"),
    (_LUMINA_BLOCK + r"_attention_to_out_0", r"lora_unet_\1_\2_attention_out"),
    (_LUMINA_BLOCK + r"_attention_norm_([qk])", r"lora_unet_\1_\2_attention_\3_norm"),
    (r"all_final_layer_2-1_(linear|adaLN_modulation_1)", r"lora_unet_final_layer_\1"),
    (r"all_x_embedder_2-1", "lora_unet_x_embedder"),
]


def _flux() -> Scheme:
    return _scheme(_own(*_STREAM_OWN), _FLUX_ROWS)


def _chroma() -> Scheme:
    return _scheme(_own(*_STREAM_OWN, r"distilled_guidance_layer_.+", r"nerf_.+"), _FLUX_ROWS)


def _flux2() -> Scheme:
    return _scheme(_own(*_STREAM_OWN, r"(double_stream_modulation_(img|txt)|single_stream_modulation)_lin"), _FLUX_ROWS)


def _hunyuan() -> Scheme:
    return _scheme(_own(*_STREAM_OWN, *_HUNYUAN_OWN), _HUNYUAN_ROWS)


def _sd3() -> Scheme:
    own = _own(
        r"joint_blocks_\d+_(x|context)_block_(adaLN_modulation_1|attn2?_(ln_[qk]|proj|qkv)|mlp_fc[12])",
        r"final_layer_(linear|adaLN_modulation_1)", r"[ty]_embedder_mlp_[02]", "x_embedder_proj", "context_embedder",
    )  # fmt: skip
    rows = [
        (rf"transformer_blocks_({_SD3_LAST})_norm1_context_linear", r"lora_transformer_\g<0>"),
        *_blocks("transformer_blocks_#", "joint_blocks_#", _SD3_BLOCK),
        *_outside(_SD3_OUTSIDE),
        (r"transformer_blocks_\d+_attn2?_(to_[qkv]|add_[qkv]_proj)", r"lora_transformer_\g<0>"),
        ("norm_out_linear", r"lora_transformer_\g<0>"),
    ]
    return _scheme(own, rows)


def _aura() -> Scheme:
    own = _own(
        r"double_layers_\d+_(attn_w[12][qkvo]|mlp[CX]_c_(fc[12]|proj)|mod[CX]_1)",
        r"single_layers_\d+_(attn_w1[qkvo]|mlp_c_(fc[12]|proj)|modCX_1)",
        "cond_seq_linear", "final_linear", "init_x_linear", "modF_1", r"t_embedder_mlp_[02]",
    )  # fmt: skip
    rows = [
        *_blocks("joint_transformer_blocks_#", "double_layers_#", _AURA_DOUBLE),
        *_blocks("single_transformer_blocks_#", "single_layers_#", _AURA_SINGLE),
        *_outside({
            "context_embedder": "cond_seq_linear", "pos_embed_proj": "init_x_linear", "proj_out": "final_linear",
            "time_step_proj_linear_1": "t_embedder_mlp_0", "time_step_proj_linear_2": "t_embedder_mlp_2",
        }),
        ("norm_out_linear", "transformer.norm_out.linear"),
    ]  # fmt: skip
    return _scheme(own, rows)


def _pixart() -> Scheme:
    own = _own(
        r"blocks_\d+_(attn_(qkv|proj)|cross_attn_(q_linear|kv_linear|proj)|mlp_fc[12])", "final_layer_linear",
        "t_block_1", r"(t|csize|ar)_embedder_mlp_[02]", "x_embedder_proj", r"y_embedder_y_proj_fc[12]",
    )  # fmt: skip
    conditions = {"timestep_embedder": "t", "resolution_embedder": "csize", "aspect_ratio_embedder": "ar"}
    rows = [
        *_blocks("transformer_blocks_#", "blocks_#", _PIXART_BLOCK),
        (r"transformer_blocks_(\d+)_attn(1)_to_([qkv])", r"transformer.transformer_blocks.\1.attn\2.to_\3"),
        (r"transformer_blocks_(\d+)_attn(2)_to_([kv])", r"transformer.transformer_blocks.\1.attn\2.to_\3"),
        *_outside({
            f"adaln_single_emb_{name}_linear_{number}": f"{own_name}_embedder_mlp_{2 * number - 2}"
            for name, own_name in conditions.items() for number in (1, 2)
        }),
        *_outside({
            "adaln_single_linear": "t_block_1", "pos_embed_proj": "x_embedder_proj", "proj_out": "final_layer_linear",
            "caption_projection_linear_1": "y_embedder_y_proj_fc1",
            "caption_projection_linear_2": "y_embedder_y_proj_fc2",
        }),
    ]  # fmt: skip
    return _scheme(own, rows)


def _lumina() -> Scheme:
    own = _own(
        _LUMINA_BLOCK + r"_(adaLN_modulation_[01]|attention_([qk]_norm|out|qkv)|feed_forward_w[123])",
        _LUMINA_BLOCK + r"_(attention|ffn)_norm[12]", r"final_layer_(linear|adaLN_modulation_1)",
        r"cap_embedder_[01]", r"t_embedder_mlp_[02]", "x_embedder", "norm_final",
        r"(clip_text_pooled_proj|time_text_embed|siglip).*",
    )  # fmt: skip
    return _scheme(own, _LUMINA_ROWS)


def _wan() -> Scheme:
    own = _own(
        r"(vace_|face_adapter_\w+_|motion_encoder_\w+_)?\w*blocks_\d+_((self|cross)_attn_\w+|ffn_[02]|norm\d|\w+_proj)",
        "head_head", r"(patch|text|time)_embedding(_\d)?", "time_projection_1",
        r"(img|ref|cond|control|audio|pose)_?\w*",
    )  # fmt: skip
    return Scheme(own)


def _qwen() -> Scheme:
    own = _own(
        r"transformer_blocks_\d+_attn_(to_[qkv]|add_[qkv]_proj|to_out_0|to_add_out|norm_(added_)?[qk])",
        r"transformer_blocks_\d+_(img|txt)_(mlp_net_(0_proj|2)|mod_1)",
        "img_in", "txt_in", "txt_norm", "norm_out_linear", "proj_out", r"time_text_embed_.+",
    )  # fmt: skip
    return Scheme(own)


def _hidream() -> Scheme:
    own = _own(
        r"(double|single)_stream_blocks_\d+_block_.+", r"caption_projection_\d+_linear", r"final_layer_.+",
        r"[pt]_embedder_.+", "x_embedder_proj",
    )  # fmt: skip
    return Scheme(own)


def _hunyuan_dit() -> Scheme:
    own = _own(
        r"blocks_\d+_.+", r"(mlp_t5|pooler|[tx]_embedder|extra_embedder|final_layer)_.+", "style_embedder",
    )  # fmt: skip
    return Scheme(own)


def _ltx() -> Scheme:
    own = _own(
        r"transformer_blocks_\d+_.+", r"\w*adaln_single_.+", r"\w*caption_projection_.+", r"\w*patchify_proj",
        r"\w*proj_out",
    )  # fmt: skip
    return Scheme(own)


_MAKERS = {
    "Flux": _flux, "Chroma": _chroma, "Flux.2": _flux2, "Hunyuan Video": _hunyuan, "Hunyuan Image": _hunyuan,
    "SD 3": _sd3, "AuraFlow": _aura, "PixArt": _pixart, "Lumina 2": _lumina, "Z-Image": _lumina, "Wan": _wan,
    "Qwen-Image": _qwen, "HiDream": _hidream, "HunyuanDiT": _hunyuan_dit, "LTX-Video": _ltx,
}  # fmt: skip


@cache
def scheme_of(family: str) -> Scheme | None:
    """The names of the layers of a family; None for UNets, whose names follow rules, and for what is not described."""
    maker = _MAKERS.get(family)
    return None if maker is None else maker()
