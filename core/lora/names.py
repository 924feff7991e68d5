"""One name for one layer: the naming of kohya, of diffusers and of the original models brought to kohya's."""

from __future__ import annotations

import re

TEXT_PREFIXES = ("lora_te", "text_encoder", "lora_prior_te", "lora_clip")

PREFIXES = ("lora_unet_", "lycoris_", "unet.", "diffusion_model.", "lora_transformer_", "transformer.", "")

ONE_TEXT_ENCODER = {"SD 1.5", "SD 2"}
OWN_NAMES = {"Qwen-Image", "HiDream"}
"""Models whose layers have the same names in diffusers; ComfyUI takes these after any of the prefixes."""

TRANSFORMER_NAMES = {"Flux", "SD 3"}
"""Models whose layers have other names in diffusers, which ComfyUI takes as `lora_transformer_`."""

_RESNET = {
    "in_layers_0": "norm1", "in_layers_2": "conv1", "emb_layers_1": "time_emb_proj",
    "out_layers_0": "norm2", "out_layers_3": "conv2", "skip_connection": "conv_shortcut",
}  # fmt: skip
_OUTSIDE = {
    "time_embed_0": "time_embedding_linear_1", "time_embed_2": "time_embedding_linear_2",
    "label_emb_0_0": "add_embedding_linear_1", "label_emb_0_2": "add_embedding_linear_2",
    "input_blocks_0_0": "conv_in", "out_0": "conv_norm_out", "out_2": "conv_out",
}  # fmt: skip
"""Names inside the original Stable Diffusion UNet, and diffusers' names for the same layers."""

_ORIGINAL = re.compile(r"(input_blocks|output_blocks)_(\d+)_(\d+)_(.+)")
_MIDDLE = re.compile(r"middle_block_([012])_(.+)")
_UNET = re.compile(r"(down_blocks|up_blocks|mid_block|conv_in|conv_out|time_embedding|add_embedding)[._]")


def is_text(base: str) -> bool:
    """Whether a layer belongs to a text encoder."""
    return base.startswith(TEXT_PREFIXES)


def canonical(base: str, family: str = "unknown") -> str:
    """The name of a layer in kohya's style with diffusers' blocks, the same for every naming of one layer.

    `family` is the base model's name (see family.py): kohya begins text layers with ``lora_te_`` where there is one
    text encoder, and some models' layers have the same names in diffusers as in the model itself. A name that has no
    such form comes back as it is.
    """
    if is_text(base):
        return _text(base, family in ONE_TEXT_ENCODER)
    prefix, rest = split_prefix(base)
    flat = flat_name(rest)
    unet = _diffusers_unet(flat)
    if unet is not None:
        return f"lora_unet_{unet}"
    if prefix in ("lora_unet_", "diffusion_model.") or family in OWN_NAMES:
        return f"lora_unet_{flat}"
    if prefix == "lora_transformer_" or family in TRANSFORMER_NAMES:
        return f"lora_transformer_{flat}"
    return base


def split_prefix(base: str) -> tuple[str, str]:
    """What tells the part of the pipeline, and the name inside it."""
    prefix = next(each for each in PREFIXES if base.startswith(each))
    return prefix, base[len(prefix) :]


def flat_name(rest: str) -> str:
    """A name inside a model with underscores only, as kohya writes it."""
    return re.sub(r"_to_out$", "_to_out_0", rest.replace(".processor.", ".").replace(".", "_"))


def _text(base: str, one: bool) -> str:
    flat = base.replace(".", "_")
    number = re.match(r"(?:lora_te|text_encoder)_?(\d?)_(.+)", flat)
    if number is None:
        return base
    which = number[1] or "1"
    return f"lora_te_{number[2]}" if one and which == "1" else f"lora_te{which}_{number[2]}"


def _diffusers_unet(flat: str) -> str | None:
    """A Stable Diffusion UNet's layer by diffusers' name, or None for a layer of another kind of model."""
    if _UNET.match(flat + "_"):
        return flat
    if flat in _OUTSIDE:
        return _OUTSIDE[flat]
    middle = _MIDDLE.fullmatch(flat)
    if middle is not None:
        if middle[1] == "1":
            return f"mid_block_attentions_0_{middle[2]}"
        return f"mid_block_resnets_{int(middle[1]) // 2}_{_RESNET.get(middle[2], middle[2])}"
    found = _ORIGINAL.fullmatch(flat)
    if found is None:
        return None
    side, index, part, inner = found[1], int(found[2]), int(found[3]), found[4]
    down = side == "input_blocks"
    block, layer = divmod(index - 1, 3) if down else divmod(index, 3)
    name = f"{'down' if down else 'up'}_blocks_{block}"
    if inner in ("op", "conv"):
        return f"{name}_{'downsamplers' if down else 'upsamplers'}_0_conv"
    if part == 0:
        return f"{name}_resnets_{layer}_{_RESNET.get(inner, inner)}"
    return f"{name}_attentions_{layer}_{inner}"


def block_of(base: str) -> str:
    """The block that a layer belongs to, in words short enough for a chart: ``down 1.0``, ``double 12``, ``te1``."""
    name = canonical(base)
    if is_text(name):
        number = re.match(r"lora_te(\d?)_", name)
        return f"text encoder {(number[1] if number else '') or '1'}"
    name = name.replace(".", "_")
    unet = re.search(r"(down|up)_blocks_(\d+)_(?:attentions|resnets|motion_modules)_(\d+)", name)
    if unet is not None:
        return f"{unet[1]} {unet[2]}.{unet[3]}"
    sampler = re.search(r"(down|up)_blocks_(\d+)_", name)
    if sampler is not None:
        return f"{sampler[1]} {sampler[2]} sampler"
    if "mid_block" in name:
        return "middle"
    block = re.search(
        r"(double|single|joint|single_transformer|joint_transformer|transformer)?_?(blocks|layers)_(\d+)", name
    )
    if block is not None:
        return f"{(block[1] or 'block').replace('_', ' ')} {block[3]}"
    return "other"


def block_order(block: str) -> tuple[int, str, tuple[int, ...]]:
    """Sorts blocks as data passes through them: text encoders, downwards, middle, upwards, and the rest by number."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", block))
    word = " ".join(re.sub(r"[\d.]+", "", block).split())
    places = {"text encoder": 0, "down": 1, "down sampler": 1, "middle": 2, "up": 3, "up sampler": 3, "other": 9}
    place = places.get(word, 5)
    if word.endswith("sampler"):
        numbers = (*numbers, 99)
    return (place, "" if place in (1, 3) else word, numbers)
