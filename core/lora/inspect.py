"""What is in one LoRA file, block by block, as values, as text, and as a chart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from PIL import Image, ImageDraw

from ..imaging.files import from_pil
from ..imaging.text import fitted, write
from .base_model import block_of, block_order
from .delta import delta_of, why_not
from .layers import SETTINGS, WORDS, Layer
from .lora_file import TAGS_SHOWN, LoraFile, count_kinds, hashes, licence, plain, tags, training
from .publishers import publisher_of

FORMATS = (
    ("kohya", ("lora_unet_", "lora_te", "lora_prior_", "lora_clip")),
    ("LyCORIS of SimpleTuner", ("lycoris_",)),
    ("OneTrainer", ("lora_transformer_",)),
    ("diffusers or PEFT", ("unet.", "transformer.", "text_encoder.", "text_encoder_2.", "base_model.model.")),
    ("names of the model", ("diffusion_model.", "text_encoders.")),
)
"""Naming of layers by its prefixes."""


@dataclass
class Block:
    """The layers of one block: ranks and alphas that occur, and the Frobenius norm of the change at strength 1.

    `alphas` are those that the file states, in a tensor or in its metadata; a layer without one has its rank's effect.
    `norm` is None where the change depends on the model's weights, and where numbers are not finite (`damaged`).
    """

    layers: int = 0
    ranks: list[int] = field(default_factory=list)
    alphas: list[float] = field(default_factory=list)
    norm: float | None = 0.0
    damaged: bool = False


def naming(file: LoraFile) -> str:
    """Whose naming the layers have."""
    publisher = publisher_of(file.header.tensors)
    if publisher is not None:
        return publisher
    bases = list(file.layers.found)
    for name, prefixes in FORMATS:
        if any(base.startswith(prefixes) for base in bases):
            return name
    return (
        "diffusers or PEFT"
        if any("lora_A" in name or ".processor." in name for name in file.header.tensors)
        else ("names of the model")
    )


def blocks_of(file: LoraFile, step: Callable[[], object] = lambda: None) -> dict[str, Block]:
    """Rank, alpha and norm of each block, in the order in which data passes through them."""
    tensors = file.read()
    found: dict[str, Block] = {}
    for base, layer in file.layers.found.items():
        block = found.setdefault(block_of(base), Block())
        block.layers += 1
        _note_rank(block, layer, tensors)
        block.norm = _added_norm(block.norm, layer, tensors)
        step()
    for block in found.values():
        block.damaged = block.damaged or (block.norm is not None and not math.isfinite(block.norm))
        block.norm = None if block.norm is None or block.damaged else math.sqrt(block.norm)
    return {name: found[name] for name in sorted(found, key=block_order)}


def _note_rank(block: Block, layer: Layer, tensors: dict[str, torch.Tensor]) -> None:
    if layer.rank is None:
        return
    alpha = float(tensors[layer.parts["alpha"].name]) if "alpha" in layer.parts else layer.stated_alpha
    block.ranks = sorted({*block.ranks, layer.rank})
    if alpha is None:
        return
    if math.isfinite(alpha):
        block.alphas = sorted({*block.alphas, round(alpha, 6)})
    else:
        block.damaged = True


def _added_norm(squared: float | None, layer: Layer, tensors: dict[str, torch.Tensor]) -> float | None:
    """The sum of squared norms with one layer more."""
    if squared is None or (why_not(layer) is not None):
        return None
    return squared if layer.matrix is None else squared + delta_of(layer, tensors).norm() ** 2


def inspect(file: LoraFile, step: Callable[[], object] = lambda: None) -> dict[str, Any]:
    """Everything that the report says, ready for JSON. The tensors are read for norms and hashes."""
    header, family = file.header, file.family
    metadata = header.metadata
    kinds = count_kinds(file.layers.found)
    parts = [part for layer in file.layers.found.values() for role, part in layer.parts.items() if role not in SETTINGS]
    blocks = blocks_of(file, step)
    stated_hash = metadata.get("sshs_model_hash", "")
    found_hashes = hashes(header.path, header.data_start)
    return {
        "file": file.name,
        "size": header.size,
        "base_model": family.name,
        "base_model_from": family.why,
        "base_model_stated": family.stated,
        "naming": naming(file),
        "kinds": {WORDS[kind]: count for kind, count in kinds.items()},
        "layers": len(file.layers.found),
        "instead": file.stranger,
        "other_tensors": [plain(name, 120) for name in file.layers.other[:20]],
        "parameters": sum(part.numel for part in parts),
        "dtypes": sorted({part.dtype for part in parts}),
        "blocks": {name: asdict(block) for name, block in blocks.items()},
        "alpha_from_metadata": any(layer.stated_alpha is not None for layer in file.layers.found.values()),
        "trigger_words": file.trigger_words,
        "tags": tags(metadata)[:TAGS_SHOWN],
        "training": training(metadata),
        "licence": licence(metadata),
        **found_hashes,
        "stated_hash": plain(stated_hash, 64),
        "stated_hash_agrees": stated_hash[:12] == found_hashes["autov3"] if stated_hash else None,
    }


def text_of(found: dict[str, Any]) -> str:
    """The report for people."""
    kinds = ", ".join(f"{_layers(count)} of {name}" for name, count in found["kinds"].items())
    lines = [
        f"{found['file']}: {found['base_model']} ({found['base_model_from']})",
        f"{kinds}; names of {found['naming']}; {found['parameters']:,} parameters in {', '.join(found['dtypes'])}"
        if kinds
        else f"It has no LoRA layer: it is {found['instead'] or 'no LoRA of a format that is known'}.",
        f"Trigger words: {', '.join(found['trigger_words']) or 'none in the metadata'}",
        f"Licence: {found['licence']}",
        f"sha256 {found['sha256']}, AutoV3 {found['autov3']}",
    ]
    if found["base_model_stated"] not in ("unknown", found["base_model"]):
        lines.append(f"Its metadata say {found['base_model_stated']}, its layers {found['base_model']}.")
    if found["stated_hash_agrees"] is False:
        lines.append("The hash in its metadata is another one: the tensors were changed after training.")
    if found["alpha_from_metadata"]:
        lines.append(
            "Alpha stands in its metadata alone (lora_adapter_metadata), which ComfyUI's own loader does not read."
        )
    if found["other_tensors"]:
        lines.append(f"Tensors that belong to no layer: {', '.join(found['other_tensors'][:3])} …")
    lines += [f"{name}: {value}" for name, value in found["training"].items()]
    if found["tags"]:
        lines.append("Tags: " + ", ".join(f"{tag} ({count})" for tag, count in found["tags"]))
    lines += [block_text(name, Block(**block)) for name, block in found["blocks"].items()]
    return "\n".join(lines)


def block_text(name: str, block: Block) -> str:
    """One block in a line."""
    norm = "norm depends on the model" if block.norm is None else f"norm {block.norm:.4g}"
    norm = "holds numbers that are not finite" if block.damaged else norm
    ranks = "/".join(map(str, block.ranks)) or "none"
    alphas = "/".join(f"{alpha:g}" for alpha in block.alphas) or ("not stated" if block.ranks else "none")
    return f"{name}: {_layers(block.layers)}, rank {ranks}, alpha {alphas}, {norm}"


def _layers(count: int) -> str:
    return "1 layer" if count == 1 else f"{count} layers"


WIDTH = 1024
ROW = 26
FONT = 16
TITLE_FONT = 20
MARGIN = 24
LABEL_WIDTH = 190
VALUE_WIDTH = 300
ROWS = 120
"""Of a chart; real models have fewer than 100 blocks, a hostile file any number."""

PAPER, INK, BAR, TEXT_BAR, RULE = "#fbfbf9", "#22282c", "#2b6f9e", "#b3651d", "#d8d8d2"


def chart(title: str, subtitle: str, blocks: Mapping[str, Block]) -> torch.Tensor:
    """Norms of the blocks as IMAGE [1,H,1024,3]: one bar each, text encoders in another colour, values in words."""
    shown = dict(list(blocks.items())[:ROWS])
    more = len(blocks) - len(shown)
    top = MARGIN + TITLE_FONT + FONT + 32
    height = top + max(1, len(shown) + (more > 0)) * ROW + MARGIN
    picture = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(picture)
    for text, y, size in ((title, MARGIN, TITLE_FONT), (subtitle, MARGIN + TITLE_FONT + 8, FONT)):
        write(draw, (MARGIN, y), fitted(text, size, WIDTH - 2 * MARGIN), size, INK)
    largest = max((block.norm for block in shown.values() if block.norm is not None), default=0.0) or 1.0
    left, right = MARGIN + LABEL_WIDTH, WIDTH - MARGIN - VALUE_WIDTH
    for index, (name, block) in enumerate(shown.items()):
        middle = top + index * ROW + ROW // 2
        write(draw, (left - 10, middle), fitted(name, FONT, LABEL_WIDTH), FONT, INK, "rm")
        end = left
        if block.norm is not None:
            end = left + round((right - left) * block.norm / largest)
            colour = TEXT_BAR if name.startswith("text") else BAR
            draw.rectangle((left, middle - ROW // 2 + 4, max(end, left + 1), middle + ROW // 2 - 4), fill=colour)
        write(draw, (end + 8, middle), _value(block), FONT, INK, "lm")
    if more > 0:
        write(draw, (left + 8, top + len(shown) * ROW + ROW // 2), f"and {more} blocks more", FONT, INK, "lm")
    draw.line((left - 1, top, left - 1, height - MARGIN), fill=RULE, width=1)
    return from_pil(picture)


def _value(block: Block) -> str:
    ranks = f"rank {'/'.join(map(str, block.ranks[:3]))}" if block.ranks else "no rank"
    alphas = f", alpha {'/'.join(f'{alpha:g}' for alpha in block.alphas[:3])}" if block.alphas else ""
    norm = "depends on the model" if block.norm is None else f"{block.norm:.3g}"
    return f"{'not finite' if block.damaged else norm}   {ranks}{alphas}"
