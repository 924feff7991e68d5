"""Frames one photo: finds the head, chooses the cut, takes it out, and says what was done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch

from ..imaging.sample import sample
from ..imaging.tensors import pixels, planes
from .framing import FULL, PRESETS, Cut, border_points, choose_cut, full_cut, measure_head

MASK_GRID = 768
"""Pixels on the longer side at which a matte is looked at; the picture itself is cut at full size."""

NO_POINTS = np.zeros((0, 2))


class Outside(StrEnum):
    """What may lie outside the photo when there is no matte."""

    STAY = "stay inside"
    EXTEND = "extend the edge"


@dataclass(frozen=True)
class FrameOptions:
    """How to frame. `width` or `height` 0 follows the crop's proportions."""

    crop: str = "head and shoulders"
    width: int = 800
    height: int = 0
    straighten: bool = True
    outside: Outside = Outside.STAY


@dataclass
class Framed:
    """IMAGE [1,h,w,3], MASK [1,h,w] (1 = person, or 1 = from the photo when there was no matte), and the report."""

    image: torch.Tensor
    mask: torch.Tensor
    report: dict[str, Any]


def output_size(options: FrameOptions, photo_height: int, photo_width: int) -> tuple[int, int]:
    """Height and width of the result in pixels."""
    aspect = photo_width / photo_height if options.crop == FULL else PRESETS[options.crop].aspect
    if options.width and options.height:
        return options.height, options.width
    if options.width:
        return max(1, round(options.width / aspect)), options.width
    if options.height:
        return options.height, max(1, round(options.height * aspect))
    return photo_height, max(1, round(photo_height * aspect))


def frame_headshot(
    image: torch.Tensor, mask: torch.Tensor | None, landmarks: np.ndarray, options: FrameOptions
) -> Framed:
    """Frame IMAGE [1,H,W,3] around the face with `landmarks` [5,2] in pixels, with its matte [1,H,W] if there is one.

    With a matte, what lies outside the photo has mask 0, and the frame never goes past the photo's border where the
    person does. Without one, the frame stays inside the photo or repeats its edge, as `options.outside` says.
    """
    height, width = image.shape[1:3]
    tall, wide = output_size(options, height, width)
    cut, head = _cut(height, width, mask, landmarks, options, wide / tall)
    layers = planes(image) if mask is None else torch.cat([planes(image), planes(mask)], 1)
    framed, known = sample(layers, cut, tall, wide)
    cover = known if mask is None else framed[:, 3:] * known
    outside = int(known.numel() - known.sum())
    report = _report(cut, head, tall, wide)
    report["outside_pixels"] = outside
    report["made_up_pixels"] = outside if mask is None else 0
    if outside and mask is None:
        share = 100 * outside / (tall * wide)
        report["notes"].append(f"{outside} pixels ({share:.1f} %) lie outside the photo and repeat its edge.")
    elif outside:
        report["notes"].append(f"{outside} pixels lie outside the photo; the mask is 0 there.")
    return Framed(pixels(framed[:, :3]), cover[:, 0], report)


def _cut(
    height: int, width: int, mask: torch.Tensor | None, landmarks: np.ndarray, options: FrameOptions, aspect: float
) -> tuple[Cut, Any]:
    block = -(-max(height, width) // MASK_GRID)
    matte = None
    if mask is not None:
        matte = torch.nn.functional.avg_pool2d(planes(mask), block, ceil_mode=True)[0, 0].cpu().numpy()
    head = measure_head(landmarks, matte, 1 / block, options.straighten)
    if options.crop == FULL:
        return full_cut(height, width, aspect, head), head
    extends = mask is None and options.outside == Outside.EXTEND
    cuts = NO_POINTS if extends else border_points(height, width, matte)
    return choose_cut(head, PRESETS[options.crop], aspect, cuts), head


def _report(cut: Cut, head: Any, height: int, width: int) -> dict[str, Any]:
    enlarged = height / cut.height
    top = cut.y - cut.height / 2
    notes = list(cut.notes)
    if enlarged > 1.05:
        notes.append(f"The picture is enlarged {enlarged:.2f} times: the photo has fewer pixels than were asked for.")
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [cut.width / 2, cut.height / 2] + [cut.x, cut.y]
    return {
        "width": width,
        "height": height,
        "turned_degrees": round(-cut.angle, 2),
        "scale": round(enlarged, 3),
        "head_share": round((head.chin - head.crown) / cut.height, 3),
        "eye_line_from_top": round((head.eyes - top) / cut.height, 3),
        "corners": [[round(float(x), 1), round(float(y), 1)] for x, y in cut.to_photo(corners)],
        "notes": notes,
    }
