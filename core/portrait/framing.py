"""Frames one photo: a level head-and-shoulders cut from five face points, never through a body that the photo cuts.

Everything here is geometry on a few points; `imaging.warp` then cuts the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch

from ..choices import FULL, PRESETS, SQUARE, Preset
from ..faces.face import lean_of
from ..imaging.tensors import pixels, planes
from ..imaging.warp import Cut, rotate, sample
from .matte import border_points
from .measure_head import FACE_WIDTH, NO_POINTS, Head, body_end, head_outline, measure_head

SIZE_COST, ROOM_COST, EYES_COST, SHIFT_COST, LEAN_COST = 1.0, 4.0, 3.5, 2.5, 0.02
"""What a frame costs that differs from the preset: per e-fold of the head's size, per height of head room that lacks,
per height by which the eyes lie too low, per width of shift to the side, per degree of lean that is left."""

CUT_COST, BODY_COST = 60.0, 1000.0
"""Per share of the head's outline that the frame cuts off; per point where the photo cuts the body off inside it."""

SIZES, SHIFTS = np.geomspace(1.0, 0.3, 49), np.linspace(-0.2, 0.2, 17)
ROOMS = np.concatenate([np.linspace(-0.04, 0.12, 17), np.linspace(0.14, 0.26, 7)])
"""Frames that are tried: sizes by the preset's, shifts by the width, head room by the height."""


def choose_cut(head: Head, preset: Preset, aspect: float, cuts: np.ndarray, outline: np.ndarray) -> tuple[Cut, float]:
    """The frame nearest to the preset that has none of the `cuts` [N,2] inside and cuts none of the `outline` [M,2].

    Both are points in pixels of the photo: where the body ends, and the head. Smaller frames, shifts to the side, less
    head room and more of it are tried; the cheapest is taken, with its cost. What had to be changed is in its notes.
    """
    tall = (head.chin - head.crown) / preset.head
    size, shift, room = (axis.ravel() for axis in np.meshgrid(SIZES, SHIFTS, [*ROOMS, preset.room], indexing="ij"))
    height = tall * size
    width = height * aspect
    left, top = head.centre + shift * width - width / 2, head.crown - room * height
    slack = 0.002 * tall
    box = (left + slack, top + slack, left + width - slack, top + height - slack)
    ends = _count_inside(rotate(cuts, head.pivot, -head.angle), box)
    lost = 1 - _count_inside(rotate(outline, head.pivot, -head.angle), (left, top, left + width, top + height)) / max(
        len(outline), 1
    )
    low = (head.eyes - top) / height - (preset.room + preset.head * (head.eyes - head.crown) / (head.chin - head.crown))
    cost = (
        BODY_COST * ends
        + CUT_COST * lost * bool(len(outline))
        - SIZE_COST * np.log(size)
        + ROOM_COST * np.maximum(preset.room - room, 0)
        + EYES_COST * np.maximum(low, 0)
        + SHIFT_COST * np.abs(shift)
    )
    best = int(np.argmin(cost))
    cut = Cut(
        x=float(left[best] + width[best] / 2),
        y=float(top[best] + height[best] / 2),
        width=float(width[best]),
        height=float(height[best]),
        pivot=head.pivot,
        angle=head.angle,
    )
    cut.notes = _explain(float(size[best]), float(shift[best]), float(room[best] / preset.room), int(ends[best]))
    if len(outline) and lost[best] > CLIPPED:
        cut.notes.append(HEAD_CUT)
    return cut, float(cost[best])


CLIPPED = 0.01
"""Share of the head's outline outside the frame from which on the head counts as cut."""


def _count_inside(points: np.ndarray, box: tuple[np.ndarray, ...]) -> np.ndarray:
    """How many `points` [N,2] lie inside each of the frames (left, top, right, bottom, each [K])."""
    left, top, right, bottom = box
    inside = np.zeros(len(left))
    for x, y in points:
        inside += (x > left) & (x < right) & (y > top) & (y < bottom)
    return inside


def _explain(size: float, shift: float, room: float, ends: int) -> list[str]:
    notes = []
    if size < 0.995:
        notes.append(f"The frame is {100 * (1 - size):.0f} % smaller than the preset's, because the photo ends there.")
    if abs(shift) > 0.005:
        side = "right" if shift > 0 else "left"
        notes.append(f"The frame is shifted to the {side} by {100 * abs(shift):.0f} % of its width.")
    if abs(room - 1) > 0.05:
        why = "the photo ends above the head" if room < 1 else "the body ends below"
        notes.append(f"Head room is {100 * max(room, 0):.0f} % of the preset's, because {why}.")
    if ends:
        notes.append(BODY_CUT)
    return notes


def full_cut(height: int, width: int, aspect: float, head: Head) -> Cut:
    """The largest frame of that proportion inside the turned photo, centred as near to the face as it can be."""
    cosine, sine = abs(math.cos(math.radians(head.angle))), abs(math.sin(math.radians(head.angle)))
    tall = min(width / (aspect * cosine + sine), height / (aspect * sine + cosine))
    reach_x = (aspect * cosine + sine) * tall / 2
    reach_y = (aspect * sine + cosine) * tall / 2
    centre = np.array(
        [
            np.clip(head.pivot[0], reach_x, width - reach_x),
            np.clip((head.eyes + head.chin) / 2, reach_y, height - reach_y),
        ]
    )
    x, y = rotate(centre[None], head.pivot, -head.angle)[0]
    return Cut(float(x), float(y), tall * aspect, tall, head.pivot, head.angle)


MASK_GRID = 768
"""Pixels on the longer side at which a matte is looked at; the picture itself is cut at full size."""


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
    if mask is not None:
        report["body_below"] = round(body_below(cover[:, 0], head, cut), 2)
        if options.crop != FULL and report["body_below"] < LEAST_BODY:
            report["notes"].append(NO_BODY)
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
) -> tuple[Cut, Head]:
    block = -(-max(height, width) // MASK_GRID)
    matte = None
    if mask is not None:
        matte = torch.nn.functional.avg_pool2d(planes(mask), block, ceil_mode=True)[0, 0].cpu().numpy()
    if options.crop == FULL:
        head = measure_head(landmarks, matte, 1 / block, float(options.straighten))
        return full_cut(height, width, aspect, head), head
    extends = mask is None and options.outside == Outside.EXTEND
    border = NO_POINTS if extends else border_points(height, width, matte)
    found = []
    for share in TURNS if options.straighten else (0.0,):
        head = measure_head(landmarks, matte, 1 / block, share)
        cuts, outline = border, NO_POINTS
        if matte is not None:
            cuts, outline = np.concatenate([border, body_end(head, matte, block)]), head_outline(head, matte, block)
        cut, cost = choose_cut(head, PRESETS[options.crop], aspect, cuts, outline)
        found.append((cost + LEAN_COST * abs(lean_of(landmarks) - head.angle), cut, head, cuts, outline))
    _, cut, head, cuts, outline = min(found, key=lambda each: each[0])
    if aspect < 1 and (head.chin - head.crown) / cut.height > TIGHT * PRESETS[options.crop].head:
        square, _ = choose_cut(head, PRESETS[SQUARE], 1.0, cuts, outline)
        if square.width > MORE * cut.width:
            cut.notes.append(TIGHT_PHOTO.format(crop=SQUARE, more=100 * (square.width / cut.width - 1)))
    return cut, head


TURNS = (1.0, 0.5, 0.0)
"""Shares of the lean that are tried; the photo decides how much of it can be taken away."""


def body_below(mask: torch.Tensor, head: Head, cut: Cut) -> float:
    """How wide the person is at the lower edge of a framed MASK [1,h,w], in face widths; a bust has 1.5 to 3."""
    rows = mask[0, -max(1, mask.shape[1] // 50) :]
    return float(rows.mean(0).sum()) * cut.width / mask.shape[2] / (FACE_WIDTH * head.unit)


TIGHT = 1.25
"""So many times larger than the preset's a head has so little room that another crop is worth a try."""

MORE = 1.1
"""The square crop is offered where it is so many times wider."""

TIGHT_PHOTO = "The photo is tight around the head: the crop {crop!r} shows {more:.0f} % more to the sides."

NO_BODY = "There is no body below the chin: the cut-out has lost it, or the photo ends there."
HEAD_CUT = "The frame cuts off a part of the head: the photo leaves no other."
BODY_CUT = "The photo cuts the person off inside the frame: every frame around this face shows it."
LOOK_AT = (NO_BODY, HEAD_CUT, BODY_CUT)
"""Notes on a frame for which a person should look at the picture; so is one that is enlarged by `MUCH_ENLARGED`."""

ENLARGED, MUCH_ENLARGED = "The picture is enlarged", 2.0


def look_at(report: dict[str, Any]) -> list[str]:
    """The notes of a frame's report for which a person should look at the picture."""
    enlarged = report["scale"] >= MUCH_ENLARGED
    return [note for note in report["notes"] if note in LOOK_AT or (enlarged and note.startswith(ENLARGED))]


LEAST_BODY = 0.9
"""Face widths of body at the frame's lower edge below which a head floats: a neck alone has 0.8."""


def _report(cut: Cut, head: Head, height: int, width: int) -> dict[str, Any]:
    enlarged = height / cut.height
    top = cut.y - cut.height / 2
    notes = list(cut.notes)
    if enlarged > 1.05:
        notes.append(f"{ENLARGED} {enlarged:.2f} times: the photo has fewer pixels than were asked for.")
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
