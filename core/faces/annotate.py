"""Pictures of what was found: boxes and scores on a photo, and a contact sheet of the reference photos."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont

from ..imaging.files import from_pil, to_pil
from ..outcome_words import BAD, GOOD
from .face import Face

GOOD_COLOUR, BAD_COLOUR = GOOD.label, BAD.label
"""Told apart by lightness too, and every label says in words what the colour means."""

CELL = 384
"""Side of a contact sheet cell, in pixels."""

GAP = 12
PAPER = "#f4f4f2"


def annotate(image: torch.Tensor, face: Face | None, label: str, colour: str) -> Image.Image:
    """A copy of [H,W,3] with the face's box, its landmarks and a label."""
    picture = to_pil(image)
    width = max(2, round(max(picture.size) / 256))
    draw = ImageDraw.Draw(picture)
    if face is not None:
        draw.rectangle(face.box, outline=colour, width=width)
        for x, y in face.landmarks:
            draw.ellipse((x - width, y - width, x + width, y + width), fill=colour)
    font = ImageFont.load_default(max(12, picture.height // 32))
    x, y = (face.box[0], face.box[3] + width) if face is not None else (width, width)
    _label(draw, label, (x, y), font, colour, picture.size)
    return picture


def _label(
    draw: ImageDraw.ImageDraw,
    text: str,
    at: tuple[float, float],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    colour: str,
    size: tuple[int, int],
) -> None:
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    pad = max(2, (bottom - top) // 3)
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    x = min(max(0, at[0]), max(0, size[0] - width))
    y = min(max(0, at[1]), max(0, size[1] - height))
    draw.rectangle((x, y, x + width, y + height), fill=colour)
    draw.text((x + pad - left, y + pad - top), text, font=font, fill="white")


def batch_of(pictures: Sequence[Image.Image]) -> torch.Tensor:
    """Pictures as one IMAGE [B,H,W,3]; those of another size than the first are fitted onto paper of its size."""
    size = pictures[0].size
    return torch.cat([from_pil(each if each.size == size else _fitted(each, size)) for each in pictures])


def _fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    paper = Image.new("RGB", size, PAPER)
    scale = min(size[0] / picture.width, size[1] / picture.height)
    small = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    paper.paste(small, ((size[0] - small.width) // 2, (size[1] - small.height) // 2))
    return paper


def contact_sheet(pictures: Sequence[Image.Image]) -> torch.Tensor:
    """Pictures side by side on paper, in rows, as IMAGE [1,H,W,3]."""
    columns = min(4, math.ceil(math.sqrt(len(pictures))))
    rows = math.ceil(len(pictures) / columns)
    step = CELL + GAP
    sheet = Image.new("RGB", (columns * step + GAP, rows * step + GAP), PAPER)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        sheet.paste(_fitted(picture, (CELL, CELL)), (GAP + column * step, GAP + row * step))
    return from_pil(sheet)
