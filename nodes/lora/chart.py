"""The norms of a LoRA's blocks as a bar chart."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from PIL import Image, ImageDraw, ImageFont

from ..photos import from_pil
from .inspect import Block

WIDTH = 1024
ROW = 26
FONT = 16
TITLE_FONT = 20
MARGIN = 24
LABEL_WIDTH = 190
VALUE_WIDTH = 300
PAPER, INK, BAR, TEXT_BAR, RULE = "#fbfbf9", "#22282c", "#2b6f9e", "#b3651d", "#d8d8d2"


def chart(title: str, subtitle: str, blocks: Mapping[str, Block]) -> torch.Tensor:
    """Norms of the blocks as IMAGE [1,H,1024,3]: one bar each, text encoders in another colour, values in words."""
    top = MARGIN + TITLE_FONT + FONT + 32
    height = top + max(1, len(blocks)) * ROW + MARGIN
    picture = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(picture)
    font, large = ImageFont.load_default(FONT), ImageFont.load_default(TITLE_FONT)
    draw.text((MARGIN, MARGIN), _cut(draw, title, large), font=large, fill=INK)
    draw.text((MARGIN, MARGIN + TITLE_FONT + 8), _cut(draw, subtitle, font), font=font, fill=INK)
    norms = [block.norm for block in blocks.values() if block.norm is not None]
    largest = max(norms, default=0.0) or 1.0
    left, right = MARGIN + LABEL_WIDTH, WIDTH - MARGIN - VALUE_WIDTH
    for index, (name, block) in enumerate(blocks.items()):
        middle = top + index * ROW + ROW // 2
        draw.text((left - 10, middle), name, font=font, fill=INK, anchor="rm")
        end = left
        if block.norm is not None:
            end = left + round((right - left) * block.norm / largest)
            colour = TEXT_BAR if name.startswith("text") else BAR
            draw.rectangle((left, middle - ROW // 2 + 4, max(end, left + 1), middle + ROW // 2 - 4), fill=colour)
        draw.text((end + 8, middle), _value(block), font=font, fill=INK, anchor="lm")
    draw.line((left - 1, top, left - 1, height - MARGIN), fill=RULE, width=1)
    return from_pil(picture)


def _value(block: Block) -> str:
    ranks = f"rank {'/'.join(map(str, block.ranks[:3]))}" if block.ranks else "no rank"
    alphas = f", alpha {'/'.join(f'{alpha:g}' for alpha in block.alphas[:3])}" if block.alphas else ""
    norm = "depends on the model" if block.norm is None else f"{block.norm:.3g}"
    return f"{'not finite' if block.damaged else norm}   {ranks}{alphas}"


def _cut(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    if draw.textlength(text, font=font) <= WIDTH - 2 * MARGIN:
        return text
    while text and draw.textlength(text + "…", font=font) > WIDTH - 2 * MARGIN:
        text = text[:-1]
    return text + "…"
