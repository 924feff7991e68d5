"""The norms of a LoRA's blocks as a bar chart."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from PIL import Image, ImageDraw

from ..imaging.photos import from_pil
from ..imaging.text import fitted, write
from .inspect import Block

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
